"""Day after day: spans, a window, warm start, drift and skew, in the real pipeline."""

import json
import pathlib

import pytest

from benchmarks.attempts import few_features
from pipeline.simulation.simulate import simulate
from tests.pipeline.commands import DEMO, call

FIRST = 19_723  # 2024-01-01, in days since 1970
SETTINGS = [
    'data.files="impressions-{YYYY}{MM}{DD}.csv"',
    "data.window=2",
    "train.warm_start=true",
    "train.epochs=1",
    "report.enabled=false",
    "model.experts=6",
    "model.top_k=2",
    "evaluation.min_session_auc=0.2",
    "evaluation.max_session_auc_drop=0.5",
    "evaluation.max_calibration_error=null",
]


def with_comparators(schema: str) -> str:
    """Prices are compared with the day before, and the shelves with what was served."""
    for name, comparator in (
        ("price", "drift_comparator { jensen_shannon_divergence { threshold: 0.5 } }"),
        ("top_category", "skew_comparator { infinity_norm { threshold: 0.9 } }"),
    ):
        before, after = schema.split(f'name: "{name}" ')
        schema = f'{before}name: "{name}" {comparator} {after}'
    return schema


@pytest.fixture(scope="module")
def run_day(tmp_path_factory):
    """run_day(number, *settings) -> (output, summary)."""
    folder = tmp_path_factory.mktemp("days")
    simulate(folder / "log", 15_000, days=3, drift=0.2, new_categories=0.3)
    simulate(folder / "served", 5_000, days=3)
    (folder / "schema.pbtxt").write_text(with_comparators(few_features(folder).read_text()))

    def run(day, *settings):
        sets = [f"--set={one}" for one in (*SETTINGS, f"data.span={FIRST + day}", *settings)]
        sets += [f"--set=schema={folder}/schema.pbtxt", f"--set=validation.serving_log={folder}/served"]
        process = call("run", f"--config={DEMO}", f"--data={folder}/log", f"--runs={folder}/runs", *sets)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout, json.loads((folder / "runs" / "demo" / "summary.json").read_text())

    return run, folder / "runs" / "demo"


def test_a_day_starts_from_the_day_before(run_day):
    run, folder = run_day
    _, first = run(1)
    assert first["training"]["warm_start"] == {}
    assert first["training"]["requests"] == first["requests"]["earlier"] + first["requests"]["train"]

    output, second = run(2)
    report = second["training"]["warm_start"]
    assert "warm start" in output
    assert second["training"]["requests"] == second["requests"]["train"]  # the newest span alone
    assert second["requests"]["earlier"] == sum(first["requests"][split] for split in ("train", "valid", "test"))
    assert second["categories"]["sub_category"] > first["categories"]["sub_category"]
    assert report["weights_fresh"] == {}
    assert report["rows"]["level 2"]["taken_over"] > report["rows"]["level 2"]["from_parent"] > 0
    assert pathlib.Path(report["weights"]).is_file()

    [compared] = list((folder / "artifacts" / "AnomalyGate" / "report").glob("*/comparisons.json"))[-1:]
    measured = {one["feature"]: one for one in json.loads(compared.read_text())}
    assert measured["price"]["with"] == "the span before"
    assert 0 < measured["price"]["value"] < 0.5
    assert measured["top_category"]["with"] == "the log of serving"
    assert 0 < measured["top_category"]["value"] < 0.9

    _, again = run(2)  # not from its own model
    assert all(again["cached"].values())
