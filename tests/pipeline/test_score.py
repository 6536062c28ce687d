"""Offline scoring of logs as shops write them, by a real SavedModel, through the real components."""

import csv
import json
import os
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import yaml

from components.bulk_scorer.scorer import SCORES, ItemScorer
from components.click_log_example_gen.plan import check
from components.click_log_example_gen.quarantine import read_rows
from pipeline.config import load_config
from pipeline.run_folder.locks import Busy, alone
from pipeline.runners.local import LocalRunner
from pipeline.runners.nodes import ComponentFailed
from pipeline.scoring import runner
from pipeline.scoring.job import finished, plan
from pipeline.scoring.requests import ScoringError, without_outcomes
from schemas.parsing import parse_schema
from tests.models.conftest import SCHEMA_PATH, make_request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
OUTCOMES = ("click", "purchase", "position", "true_click_probability")
DTYPES = {"bytes": tf.string, "float": tf.float32, "int": tf.int64}
LONG = 7  # `data.max_items` of the tests


def make_requests(seed: int = 1) -> list[dict]:
    rng = np.random.default_rng(seed)
    sizes = [1, LONG, LONG + 5, *rng.integers(2, LONG, 57).tolist()]
    requests = [make_request(rng, number, items) for number, items in enumerate(sizes)]
    return [r | {"item_id": [f"i{item}" for item in rng.permutation(60)[: len(r["item_id"])]]} for r in requests]


def write_log(folder: pathlib.Path, requests: list[dict], without=(), spoiled: bool = False) -> pathlib.Path:
    """Writes impressions to CSV; `spoiled`: with a row whose price is no number, in a request of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in requests[0] if name not in without]
    with open(folder / "day.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for request in requests:
            for i in range(len(request["item_id"])):
                row = [request[name] for name in names]
                row = [" ".join(v) if n.startswith("history") else v for n, v in zip(names, row, strict=True)]
                row = [v[i] if isinstance(v, (list, np.ndarray)) else v for v in row]
                writer.writerow(["" if isinstance(v, np.floating) and np.isnan(v) else v for v in row])
        if spoiled:
            writer.writerow(["dear" if name == "price" else row[i] for i, name in enumerate(names)])
    return folder


class Shop:
    """A shop's folders, with two pushed versions, and scoring as the verb does it."""

    def __init__(self, folder: pathlib.Path, model: pathlib.Path):
        self.folder, self.requests = folder, make_requests()
        for version in ("9", "10"):
            shutil.copytree(model, folder / "runs" / "shop" / "serving" / "ranker" / version)
        self.config = folder / "shop.yaml"
        values = {"name": "shop", "schema": str(SCHEMA_PATH), "data": {"files": "*.csv", "max_items": LONG}}
        self.config.write_text(yaml.safe_dump(values))
        self.log = write_log(folder / "log", self.requests)
        self.output = folder / "scores"

    def plan(self, input=None, output=None, version=None, sets=(), data=None):
        config, schema = load_config(self.config, sets, data, needs_log=False)
        runs = str(self.folder / "runs")
        return plan(config, schema, runs, str(input or self.log), str(output or self.output), version)

    def score(self, *arguments, overwrite=False, **named):
        """What the verb answers: (summary, the components' runs; none if there was nothing to do)."""
        job, local = self.plan(*arguments, **named), LocalRunner()
        return finished(job, overwrite) or runner.run(job, local), local.node_runs

    def scores(self, output=None) -> pa.Table:
        return pq.read_table(output or self.output)


@pytest.fixture
def shop(tmp_path, exported):
    return Shop(tmp_path, exported)


@pytest.fixture(scope="module")
def scored(tmp_path_factory, exported):
    """A labelled log with a bad row, scored; not to be changed."""
    shop = Shop(tmp_path_factory.mktemp("shop"), exported)
    write_log(shop.log, shop.requests, spoiled=True)
    return shop, *shop.score()


def test_every_item_has_the_score_the_model_gives_it_in_its_request(scored, exported):
    shop, _, _ = scored
    schema, rank = parse_schema(SCHEMA_PATH.read_text()), tf.saved_model.load(str(exported))
    rows = {}
    for row in shop.scores().to_pylist():
        rows.setdefault(row["request_id"], []).append(row)
    assert sorted(rows) == sorted(request["request_id"] for request in shop.requests)
    for request in shop.requests:
        inputs = {f.name: tf.constant(request[f.name], DTYPES[f.dtype]) for f in schema.model_inputs}
        expected = rank.signatures["rank"](**inputs)["scores"].numpy()
        found = rows[request["request_id"]]
        assert [row["item_id"] for row in found] == request["item_id"]
        assert [row["position"] for row in found] == list(range(1, len(expected) + 1))
        np.testing.assert_allclose([row["score"] for row in found], expected, rtol=1e-5)
        by_rank = sorted(found, key=lambda row: row["rank"])
        assert [row["rank"] for row in by_rank] == list(range(1, len(expected) + 1))
        assert by_rank == sorted(found, key=lambda row: (-row["score"], row["position"]))
        assert {row["model_version"] for row in found} == {10}


def test_there_is_nothing_in_the_folder_but_scores_and_a_summary_that_adds_up(scored):
    shop, summary, _ = scored
    assert sorted(path.name for path in shop.output.iterdir()) == ["_summary.json", "scores-00000-of-00001.parquet"]
    assert shop.scores().schema.remove_metadata() == SCORES
    items = sum(len(request["item_id"]) for request in shop.requests)
    assert json.loads((shop.output / "_summary.json").read_text()) == summary
    assert (summary["rows_read"], summary["rows_in_requests"], summary["rows_quarantined"]) == (items + 1, items, 1)
    assert (summary["requests"], summary["items"]) == (len(shop.requests), items)
    [bad] = read_rows(summary["quarantine_folder"])
    assert (bad["file"], bad["line"], bad["reason"]) == ("day.csv", items + 2, "bad_type")
    # What was not finished is gone, and the training's artifacts are none of our business.
    assert not list(shop.folder.glob("runs/shop/scoring/*/unfinished"))
    assert not list(shop.folder.glob("*.unfinished"))


def test_a_log_without_clicks_and_positions_gets_the_same_scores(scored, shop):
    write_log(shop.log, shop.requests, without=OUTCOMES, spoiled=True)
    shop.score()
    assert shop.scores().equals(scored[0].scores())


def test_an_older_version_can_be_asked_for(shop):
    summary, _ = shop.score(version=9)
    assert summary["model_version"] == 9
    assert set(shop.scores()["model_version"].to_pylist()) == {9}


def test_several_files_become_several_shards(shop, monkeypatch, scored):
    from components.click_log_example_gen import executor

    monkeypatch.setattr(executor, "PARTITION_BYTES", 8000)
    write_log(shop.log, shop.requests, spoiled=True)
    shop.score()
    assert len(list(shop.output.glob("scores-*-of-*.parquet"))) > 1
    order = [("request_id", "ascending"), ("position", "ascending")]
    found, expected = shop.scores().sort_by(order), scored[0].scores().sort_by(order)
    assert found.drop(["score"]).equals(expected.drop(["score"]))
    np.testing.assert_allclose(found["score"].to_numpy(), expected["score"].to_numpy(), rtol=1e-5)


def test_the_same_again_does_nothing_and_other_scores_are_not_replaced_unasked(shop):
    first, _ = shop.score()
    before = shop.scores()
    assert shop.score() == (first, [])

    with pytest.raises(ScoringError, match=r"other scores, of other model version \(10 there, 9 now\); name another"):
        shop.score(version=9)
    write_log(shop.log, shop.requests[:20])
    with pytest.raises(ScoringError, match=r"other scores, of other files; name another folder, or pass --overwrite"):
        shop.score()
    assert shop.scores().equals(before)

    second, runs = shop.score(overwrite=True)
    assert second["requests"] == 20
    assert [run.cached for run in runs] == [False, False]
    assert shop.scores().num_rows == second["items"]
    assert sorted(path.name for path in shop.folder.iterdir()) == ["log", "runs", "scores", "shop.yaml"]


def test_what_is_no_folder_of_scores_is_never_replaced(shop):
    shop.output.mkdir()
    (shop.output / "thesis.tex").write_text("")
    for overwrite in (False, True):
        with pytest.raises(ScoringError, match=r"not empty and holds no scores \(thesis.tex\); name another folder"):
            shop.score(overwrite=overwrite)
    with pytest.raises(ScoringError, match=r"holds no scores \(day.csv\)"):
        shop.score(output=shop.log, overwrite=True)


def test_after_a_failure_there_is_no_output_and_ingestion_is_reused(shop, monkeypatch):
    def die(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(ItemScorer, "table", die)
        with pytest.raises(ComponentFailed, match="BulkScorer failed: no space left"):
            shop.score()
    assert not shop.output.exists()
    _, runs = shop.score()
    assert [(run.name, run.cached) for run in runs] == [("ClickLogExampleGen", True), ("BulkScorer", False)]
    assert shop.output.exists()


def test_two_processes_do_not_write_the_same_output(shop):
    job = shop.plan()
    with (
        alone(job.work / "unfinished" / "lock", job.output),
        pytest.raises(Busy, match=rf"{job.output}: the process {os.getpid()} is at work there already"),
    ):
        runner.run(job, LocalRunner())


def test_no_request_left_names_the_reason(shop):
    text = (shop.log / "day.csv").read_text().splitlines()
    (shop.log / "day.csv").write_text("\n".join([text[0], *(line.replace(",", ";") for line in text[1:])]))
    with pytest.raises(ComponentFailed, match=r"(?s)no request is left.*wrong_column_count"):
        shop.score(sets=["data.max_bad_fraction=1.0"])
    assert not shop.output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": 8}, "--version must be one of the pushed versions 9, 10 in .*ranker. Received: 8"),
        ({"input": "/nowhere"}, "--input must be a folder. Received: '/nowhere'"),
        ({"sets": ["name=other"]}, "no pushed model in .*other/serving/ranker. Train one"),
        (
            {"sets": ["data.files='*.tsv'"]},
            r"matches `data.files` \(\*.tsv\). There are: day.csv. If the files .* --set",
        ),
        ({"output": __file__}, "--output must be a folder"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_starts(shop, arguments, message):
    with pytest.raises(ScoringError, match=message):
        shop.plan(**arguments)
    assert not (shop.folder / "runs" / "shop" / "scoring").exists()


def test_a_model_of_another_schema_is_refused(shop):
    schema = SCHEMA_PATH.read_text()
    begin = schema.index('feature {\n  name: "rating"')
    end = schema.index("feature {", begin + 1)
    (shop.folder / "less.pbtxt").write_text(schema[:begin] + schema[end:])
    with pytest.raises(ComponentFailed, match="the model takes the features rating, which the schema does not have"):
        shop.score(sets=[f"schema={shop.folder / 'less.pbtxt'}"])


def test_a_table_is_taken_from_the_input_or_else_from_the_training_data(shop, scored):
    table = "data.tables=[{files: shops.tsv, key: id, match: item_id, columns: {shop: shop}}]"
    write_log(shop.log, shop.requests, without=("shop", *OUTCOMES))
    with pytest.raises(ScoringError, match=r"no file shops.tsv in --input .* nor in `data.path` \(not given\)"):
        shop.plan(sets=[table])
    # The schema names the shop of an item, so of each item one must be chosen here.
    names = {item: name for r in shop.requests for item, name in zip(r["item_id"], r["shop"], strict=True)}
    training = shop.folder / "training"
    training.mkdir()
    (training / "shops.tsv").write_text("id\tshop\n" + "".join(f"{item}\t{name}\n" for item, name in names.items()))
    shop.score(sets=[table], data=str(training))
    joined = shop.scores()
    same = [r | {"shop": [names[item] for item in r["item_id"]]} for r in shop.requests]
    write_log(shop.log, same)
    shop.score(output=shop.folder / "plain")
    assert joined.equals(shop.scores(shop.folder / "plain"))

    (shop.log / "shops.tsv").write_text("id\tshop\n")
    here = shop.plan(sets=[table], data=str(training))
    assert [table.files for table in here.data.tables] == ["shops.tsv"]


def test_histories_that_training_built_of_clicks_come_with_the_requests(shop, scored):
    build = ["data.history.build=true"]
    write_log(shop.log, shop.requests, without=("history_item", *OUTCOMES))
    with pytest.raises(ComponentFailed, match=r"built the history history_item of clicks .* in a column of that name"):
        shop.score(sets=build)
    write_log(shop.log, shop.requests, without=OUTCOMES)
    shop.score(sets=build)
    assert shop.scores().equals(scored[0].scores())


@pytest.mark.parametrize("name", ["demo", "rees46", "amazon", "jdsearch", "ecomm", "complete_journey"])
def test_every_log_of_the_project_can_be_read_without_its_outcomes(name):
    config, schema = load_config(PROJECT / "pipeline" / "configs" / f"{name}.yaml", needs_log=False)
    data, reduced = without_outcomes(config.data, schema)
    check(data, reduced)
    assert not reduced.labels
    assert reduced.position is None
    assert reduced.model_inputs == schema.model_inputs
