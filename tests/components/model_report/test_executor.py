"""The real executor on real artifacts: of a mixture, and of models that lack what a mixture has."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import yaml
from tfx.components.evaluator import constants
from tfx.types import artifact_utils, standard_artifacts

from common.warnings import read_warnings
from components import artifacts
from components.click_log_example_gen import quarantine
from components.model_report.executor import Executor
from components.model_report.popularity import count_items
from components.split_scorer import executor as split_scorer
from models.inputs.hierarchy import hierarchy_folder
from models.inputs.reading import name_hash
from reporting.content import ReportContent
from reporting.judged_requests import read_parquet
from tests.components.model_report.conftest import Trained, train
from tests.models.conftest import SCHEMA_PATH, to_example
from tests.models.metrics.reference import above, pair_share

REASON = "session_auc in all requests: 0.4; at least 0.5 is needed"


def write_requests(folder: pathlib.Path, requests: list[dict], schema) -> None:
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data.gz"), options="GZIP") as writer:
        for request in requests:
            writer.write(to_example(request, schema).SerializeToString())


class Log:
    """The artifacts before the training, as their components write them."""

    def __init__(self, log, folder: pathlib.Path):
        # One of an unknown top category, one of an unknown leaf.
        unknown = [{**log.requests[200], "request_id": "u1", "top_category": "x", "sub_category": "x/y"},
                   {**log.requests[202], "request_id": "u2", "sub_category": ""}]  # fmt: skip
        self.test = [*log.requests[200:], *unknown]
        write_requests(folder / "examples" / "Split-train", log.requests[:200], log.schema)
        write_requests(folder / "examples" / "Split-test", self.test, log.schema)
        (folder / "quarantine").mkdir()
        rows = [(b"x,,", 7, "bad_type", "price: 'x' is no number"), (b"", 9, "empty_line", "nothing")]
        reasons = quarantine.write_rows(str(folder / "quarantine" / "rows.jsonl.gz"), "day.csv", rows)
        summary = {
            "rows_read": 1200, "rows_in_requests": 1198, "rows_quarantined": 2, "requests": {"train": 200, "test": 42},
            "items": {"train": 1000, "test": 198}, "reasons": quarantine.describe_reasons(reasons),
        }  # fmt: skip
        (folder / "quarantine" / quarantine.SUMMARY).write_text(json.dumps(summary))
        (folder / "anomalies").mkdir()
        anomaly = {"split": "train", "feature": "price", "short_description": "High", "description": "above 5"}
        drift = {"feature": "brand", "with": "the span before", "measure": "l_infty", "value": 0.25, "threshold": 0.1}
        (folder / "anomalies" / "anomalies.json").write_text(json.dumps([anomaly]))
        (folder / "anomalies" / "comparisons.json").write_text(json.dumps([drift]))
        self.inputs = {
            "examples": artifact(standard_artifacts.Examples, folder / "examples", 1),
            "quarantine": artifact(artifacts.Quarantine, folder / "quarantine", 2),
            "statistics": artifact(standard_artifacts.ExampleStatistics, folder / "statistics", 3),
            "anomaly_report": artifact(artifacts.AnomalyReport, folder / "anomalies", 4),
            "hierarchy": artifact(artifacts.CategoryHierarchy, hierarchy_folder(log.transform_graph), 5),
            "transform_graph": artifact(standard_artifacts.TransformGraph, log.transform_graph, 6),
        }
        self.inputs["examples"].split_names = artifact_utils.encode_split_names(["train", "test"])
        self.inputs["examples"].set_float_custom_property("seconds", 2.5)


def artifact(kind: type, uri, identity: int):
    made = kind()
    made.uri, made.id = str(uri), identity
    return made


@pytest.fixture(scope="module")
def log(small_log, tmp_path_factory) -> Log:
    return Log(small_log, tmp_path_factory.mktemp("log"))


def scored(inputs: dict, folder: pathlib.Path):
    made = artifact(artifacts.RequestScores, folder, 15)
    names = ("examples", "transform_graph", "model", "baseline_model")
    parameters = {"split": "test", "label": "click", "schema": SCHEMA_PATH.read_text(encoding="utf-8"), "code": ""}
    split_scorer.Executor().Do({name: inputs[name] for name in names if name in inputs}, {"scores": [made]}, parameters)
    return made


def report(
    log: Log, trained: Trained, folder: pathlib.Path, baseline: Trained | None = None, reasons=(), **sections
) -> tuple[ReportContent | None, str, list[str]]:
    """(content, page, warnings) of the executor."""
    blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing", 20)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, 0 if reasons else 1)
    (folder / "blessing").mkdir(parents=True)
    (folder / "blessing" / "reasons.json").write_text(json.dumps(list(reasons)))
    inputs = log.inputs | {
        "model": artifact(standard_artifacts.Model, trained.model, 10),
        "model_run": artifact(standard_artifacts.ModelRun, trained.model_run, 11),
        "evaluation": artifact(standard_artifacts.ModelEvaluation, folder / "evaluation", 21),
        "blessing": blessing,
    }
    given = {key: [one] for key, one in inputs.items()}
    if baseline:
        given["baseline_model"] = [artifact(standard_artifacts.Model, baseline.model, 9)]
    given["scores"] = [scored(given, folder / "scores")]
    config = {"data": {}, "model": trained.config.model_dump(), "train": trained.train.model_dump()} | sections
    made = artifact(artifacts.ModelReport, folder / "report", 30)
    parameters = {
        "name": "small", "schema": SCHEMA_PATH.read_text(encoding="utf-8"), "config": yaml.safe_dump(config),
        "training_splits": '["earlier", "train"]', "simulated": 1, "codes": '{"Trainer": "abc"}', "code": "",
    }  # fmt: skip
    Executor().Do(given, {"report": [made]}, parameters)
    assert made.get_float_custom_property("seconds") > 0
    content = folder / "report" / "content.json"
    return (
        ReportContent.model_validate_json(content.read_text(encoding="utf-8")) if content.exists() else None,
        (folder / "report" / "report.html").read_text(encoding="utf-8"),
        read_warnings(str(folder / "report")),
    )


@pytest.fixture(scope="module")
def dnn(small_log, tmp_path_factory) -> Trained:
    """It has learnt nothing, which is no matter of its report."""
    return train(small_log, tmp_path_factory.mktemp("dnn"), epochs=0, variant="dnn", loss="softmax")


@pytest.fixture(scope="module")
def folder_of_moe(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("of_moe")


@pytest.fixture(scope="module")
def of_moe(log, moe, dnn, folder_of_moe):
    return report(log, moe, folder_of_moe, baseline=dnn)


def test_scores_are_those_of_the_file_that_is_pushed(log, moe, of_moe):
    content, page, warnings = of_moe
    assert warnings == []
    served = tf.saved_model.load(str(moe.model / "Format-Serving")).signatures["rank"]
    inputs = {name: spec.dtype for name, spec in served.structured_input_signature[1].items()}
    aucs, by_top = [], {}
    for request in log.test:
        scores = served(**{name: tf.constant(request[name], dtype) for name, dtype in inputs.items()})["scores"]
        auc = pair_share(list(zip(request["click"], scores.numpy().tolist(), strict=True)), above)
        aucs.append(auc)
        by_top.setdefault(request["top_category"], []).append(auc)
    headline = content.headline
    assert (headline.requests, headline.judged_requests) == (len(log.test), np.isfinite(aucs).sum())
    [session_auc] = [metric for metric in headline.metrics if metric.name == "session_auc"]
    assert session_auc.model.value == pytest.approx(np.nanmean(aucs), abs=1e-6)
    assert session_auc.minus_baseline.value > 0.1  # over a model that has hardly learnt
    tops = {category.name: category for category in content.categories if category.level == 1}
    assert list(tops) == ["phones", "shirts", "(unknown)"]
    for name, of_top in by_top.items():
        category = tops["(unknown)" if name == "x" else name]
        assert category.session_auc.value == pytest.approx(np.nanmean(of_top), abs=1e-6)
        assert category.test_requests == len(of_top)
    assert (headline.blessed, headline.reasons) == (True, [])
    assert headline.compared_with.endswith("model")
    assert "small" in page


def test_the_test_requests_are_kept_one_by_one(log, of_moe, folder_of_moe):
    content, _, _ = of_moe
    kept = read_parquet(str(folder_of_moe / "report" / "requests.parquet"))
    places = dict(zip(kept.requests.tolist(), range(len(log.test)), strict=True))
    assert kept.whole == len(places) == len(log.test)
    for request in log.test:
        place = places[int(name_hash(tf.constant(request["request_id"])))]
        assert (kept.items[place], kept.positives[place]) == (len(request["click"]), sum(request["click"]))
        if request["sub_category"] and request["top_category"] != "x":
            names = [content.categories[node].name for node in kept.nodes[place]]
            assert names == [request["top_category"], request["sub_category"]]
    metrics = {metric.name: metric.model.value for metric in content.headline.metrics}
    for name, values in kept.ranking.by_request.items():
        assert np.nanmean(values) == pytest.approx(metrics[name], abs=1e-6)
    assert kept.ranking.log_losses.sum() / kept.items.sum() == pytest.approx(metrics["log_loss"], rel=1e-5)
    assert kept.ranking.auc == metrics["auc"]
    in_report = {of.title: {part.name: part.requests for part in of.slices} for of in content.slices}
    for division in kept.divided:
        for place, name in enumerate(division.names):
            assert (division.place == place).sum() == in_report[division.title].get(name, 0)


def test_popularity_ranks_by_the_clicks_of_the_training_split(log, small_log, of_moe):
    clicks: dict[str, int] = {}
    for request in small_log.requests[:200]:
        for item, click in zip(request["item_id"], request["click"], strict=True):
            clicks[item] = clicks.get(item, 0) + int(click)
    aucs = [
        pair_share([(click, clicks.get(item, 0)) for item, click in zip(r["item_id"], r["click"], strict=True)], above)
        for r in log.test
    ]
    [session_auc] = [metric for metric in of_moe[0].headline.metrics if metric.name == "session_auc"]
    assert session_auc.popularity.value == pytest.approx(np.nanmean(aucs), abs=1e-6)
    counts = count_items([f"{log.inputs['examples'].uri}/Split-train/*"], "item_id", "click")
    assert counts.positives.sum() == sum(clicks.values())
    assert counts.rows.sum() == sum(len(request["item_id"]) for request in small_log.requests[:200])


def test_everything_of_a_mixture_is_there(log, of_moe):
    content, _, _ = of_moe
    assert 0 < content.experts.items <= sum(len(request["click"]) for request in log.test)
    assert len(content.experts.share_of_requests) == 4
    assert content.importance.features[0] in ("price", "category path")
    assert {category.gate is not None for category in content.categories if category.name != "(unknown)"} == {True}
    assert all(sum(category.gate) == pytest.approx(1, abs=1e-3) for category in content.categories if category.gate)
    assert {category.x is not None for category in content.categories if category.level == 2 and category.name} == {
        True, False
    }  # fmt: skip
    assert "train/loss/hierarchical_soft_constraint" in {curve.name for curve in content.curves}
    assert content.training["best_step"] > 0
    assert content.calibration
    assert content.positions[0].position == 1
    assert {part.title for part in content.slices} >= {"length of history", "length of the list"}
    assert content.marks == ["The log is simulated: its figures say nothing of a real shop."]
    assert content.level_names == ["top_category", "sub_category"]


def test_the_log_and_the_lineage(of_moe):
    content, _, _ = of_moe
    assert (content.data.rows_read, content.data.rows_quarantined) == (1200, 2)
    assert {one.reason: one.examples for one in content.data.quarantine} == {
        "bad_type": ["day.csv:7: price: 'x' is no number"],
        "empty_line": ["day.csv:9: nothing"],
    }
    assert content.data.anomalies == ["train: price: High: above 5"]
    assert content.data.drift == ["brand, compared with the span before: l_infty 0.25, above the bound of 0.1"]
    assert content.seconds.keys() == {"ClickLogExampleGen", "SplitScorer"}
    assert content.seconds["ClickLogExampleGen"] == 2.5
    lines = {line.key: line for line in content.artifacts}
    assert (lines["model"].component, lines["model"].id, lines["model"].code) == ("Trainer", 10, "abc")
    assert lines["baseline_model"].code is None
    assert lines["examples"].type_name == "Examples"


def test_a_model_that_has_no_gate_and_is_not_blessed(log, dnn, tmp_path):
    content, page, warnings = report(log, dnn, tmp_path, reasons=[REASON], report={"requests": 5})
    assert warnings == []
    assert content.experts is None
    assert {category.gate for category in content.categories} == {None}
    assert content.importance.judged_requests == 5
    assert content.calibration == []
    assert content.marks[1].startswith("Scores order the items and are no probabilities of a label (loss: softmax)")
    assert (content.headline.blessed, content.headline.reasons) == (False, [REASON])
    assert content.headline.compared_with is None
    assert all(metric.baseline is metric.minus_baseline is None for metric in content.headline.metrics)
    assert "0.4; at least 0.5 is needed" in page


def test_a_model_whose_weights_are_gone_has_a_report_and_a_warning(log, moe, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "Format-Serving").symlink_to(moe.model / "Format-Serving")
    gone = Trained(moe.config, moe.train, moe.ranker, tmp_path / "model", tmp_path / "no_run")
    content, _, [warning] = report(log, gone, tmp_path / "out")
    assert "goes on without the report's experts and importance of features: CannotRebuild" in warning
    assert content.experts is content.importance is None
    assert content.curves == []
    assert content.training == {}
    assert content.headline.judged_requests > 0


def test_no_run_fails_for_its_report(log, moe, tmp_path, monkeypatch):
    monkeypatch.setattr("components.model_report.executor.read_parts", lambda _: [])
    content, page, [warning] = report(log, moe, tmp_path / "out")
    assert content is None
    assert "It could not be made" in page
    assert warning.startswith("goes on without the report: ")
