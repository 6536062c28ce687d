"""One run, day after day, as a user starts it: spans, a window, warm start, drift, skew, a rollback, and hostile names.

All tests read one chain of runs in one folder. Each fixture is a step of the chain and asks for the step before.
"""

import csv
import json
import pathlib
import threading
import time
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.simulation.simulate import simulate
from serving.client import RestClient
from serving.versions import versions_in
from tests.attempts import few_features
from tests.pipeline.commands import DEMO, call
from tests.serving.conftest import serving

FIRST = 19_723  # 2024-01-01, in days since 1970
SETTINGS = [
    'data.files="impressions-{YYYY}{MM}{DD}.csv"',
    "data.window=2",
    "train.warm_start=true",
    "train.epochs=1",
    "train.validations_per_epoch=1",
    "model.variant=moe",
    "model.experts=4",
    "model.top_k=2",
    "evaluation.min_session_auc=0.1",
    "evaluation.max_session_auc_drop=0.5",
    "evaluation.max_category_session_auc_drop=0.5",
    "evaluation.max_calibration_error=null",  # of a training as short as this
]
# What somebody who means harm would write.
NAMES = [
    "../../../escaped",
    "/etc/escaped",
    "a/b\\c",
    "$(touch escaped)",
    "`touch escaped`; touch escaped",
    "<script>alert(1)</script>",
    "[/red][link=x]",
    "\x1b[2J\x1b]0;owned\x07",
    "=HYPERLINK(1)",
    "{{7*7}} {0} %s %n",
    "'; drop table Artifact; --",
    "a\u202eb",
    "ＮＵＬ\u0001",
]
RENAMED = ("top_category", "sub_category", "item_id", "brand", "shop", "user_id", "request_id")


def with_comparators(schema: str) -> str:
    """Prices are compared with the day before, and the top categories with what was served."""
    for name, comparator in (
        ("price", "drift_comparator { jensen_shannon_divergence { threshold: 0.5 } }"),
        ("top_category", "skew_comparator { infinity_norm { threshold: 0.9 } }"),
    ):
        before, after = schema.split(f'name: "{name}" ')
        schema = f'{before}name: "{name}" {comparator} {after}'
    return schema


def hostile(name: str) -> str:
    return NAMES[sum(name.encode()) % len(NAMES)] + name


def write_log(folder: pathlib.Path, rows: int, **changes: float) -> None:
    """A log of four days, in which every name is hostile."""
    simulate(folder, rows, days=4, **changes)
    for path in folder.iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(read[0]))
            writer.writeheader()
            for row in read:
                writer.writerow(row | {name: hostile(row[name]) for name in RENAMED} | {"history_item": ""})


class Done(NamedTuple):
    """What a run printed, and its summary."""

    output: str
    summary: dict

    @property
    def version(self) -> int:
        return int(pathlib.Path(self.summary["pushed_model"]).name)


class Days:
    """The log, and its runs in one folder."""

    def __init__(self, folder: pathlib.Path):
        self.work, self.runs, self.folder = folder / "work", folder / "work" / "runs", folder / "work" / "runs" / "demo"
        self.work.mkdir()
        write_log(folder / "log", 20_000, drift=0.2, new_categories=0.3)
        write_log(folder / "served", 5_000)
        schema = folder / "schema.pbtxt"
        schema.write_text(with_comparators(few_features(folder).read_text()))
        sets = [*SETTINGS, f"schema={schema}", f"validation.serving_log={folder}/served"]
        self.flags = [f"--config={DEMO}", f"--data={folder}/log", f"--runs={self.runs}"]
        self.flags += [f"--set={one}" for one in sets]

    def run(self, day: int, *settings: str) -> Done:
        sets = [f"--set={one}" for one in (f"data.span={FIRST + day}", *settings)]
        process = call("run", *self.flags, *sets, folder=self.work)
        output = process.stdout + process.stderr
        assert process.returncode == 0, output + (self.folder / "run.log").read_text()[-5000:]
        return Done(output, json.loads((self.folder / "summary.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return Days(tmp_path_factory.mktemp("days"))


@pytest.fixture(scope="module")
def first(days):
    return days.run(1)


@pytest.fixture(scope="module")
def second(days, first):
    return days.run(2, "report.enabled=false")


@pytest.fixture(scope="module")
def second_again(days, second):
    return days.run(2, "report.enabled=false")


@pytest.fixture(scope="module")
def rolled_back(days, first, second, second_again):
    """The rollback, while a client asks the real development server: (process, failures, answers)."""
    request = {"top_category": "shoes", "sub_category": "", "item_id": ["i1", "i2"], "brand": ["b", "b"]}
    request["price"] = [20.0, 40.0]
    failures, answers, stop = [], [], threading.Event()

    def ask(url):
        client = RestClient(url)
        while not stop.wait(0.05):
            try:
                answers.append(client.rank(request))
            except Exception as error:
                failures.append(error)

    with serving(days.folder / "serving" / "ranker") as server:
        server.wait_for(second.version)
        client = threading.Thread(target=ask, args=(server.url,))
        client.start()
        try:
            process = call("rollback", f"--runs={days.runs}")
            server.wait_for(first.version)
            time.sleep(0.2)
        finally:
            stop.set()
            client.join()
    return process, failures, answers


@pytest.fixture(scope="module")
def second_withdrawn(days, rolled_back):
    return days.run(2, "report.enabled=false")


@pytest.fixture(scope="module")
def third(days, second_withdrawn):
    return days.run(3, "report.enabled=false")


def test_names_of_a_log_reach_no_file_name_no_command_and_no_terminal(days, first):
    summary = first.summary
    assert list(days.work.iterdir()) == [days.runs]  # it is where the command was started
    names = [path.name for path in days.runs.rglob("*")]
    assert not [name for name in names if any(part in name for part in ("escaped", "script", "drop", "HYPERLINK"))]
    assert not {"\x1b", "\x07", "\u202e", "\u0001"} & set(first.output)
    assert summary["rows_read"] == summary["rows_in_requests"]  # hostile or not, each is a name
    assert summary["pushed_model"]
    assert {name for name in summary["metrics_by_top_category"] if name.startswith("\x1b")}


def test_the_first_day_is_trained_on_its_window_from_nothing(first):
    summary = first.summary
    assert summary["training"]["warm_start"] == {}
    assert summary["training"]["requests"] == summary["requests"]["earlier"] + summary["requests"]["train"]


def test_a_day_starts_from_the_day_before(first, second):
    first, output, second = first.summary, *second
    report = second["training"]["warm_start"]
    assert "warm start" in output
    assert second["training"]["requests"] == second["requests"]["train"]  # the newest span alone
    assert second["requests"]["earlier"] == sum(first["requests"][split] for split in ("train", "valid", "test"))
    assert second["categories"]["sub_category"] > first["categories"]["sub_category"]
    assert report["weights_fresh"] == {}
    assert report["rows"]["level 2"]["taken_over"] > report["rows"]["level 2"]["from_parent"] > 0
    assert pathlib.Path(report["weights"]).is_file()


def test_a_day_is_compared_with_the_day_before_and_with_what_was_served(days, second):
    reports = sorted((days.folder / "artifacts" / "AnomalyGate" / "report").iterdir(), key=lambda one: int(one.name))
    measured = {one["feature"]: one for one in json.loads((reports[-1] / "comparisons.json").read_text())}
    assert measured["price"]["with"] == "the span before"
    assert 0 < measured["price"]["value"] < 0.5
    assert measured["top_category"]["with"] == "the log of serving"
    assert 0 < measured["top_category"]["value"] < 0.9


def test_the_same_day_again_does_not_start_from_its_own_model(second_again):
    assert all(second_again.summary["cached"].values())


def test_the_server_goes_back_and_no_request_fails(days, first, second, rolled_back):
    process, failures, answers = rolled_back
    assert process.returncode == 0, process.stderr
    assert failures == []
    assert not np.allclose(answers[0], answers[-1])
    assert f"ranker/{first.version} is served, withdrawn: {second.version}" in process.stdout
    listed = call("rollback", f"--runs={days.runs}", "--list").stdout
    assert f"{first.summary['metrics']['session_auc']:.4f}" in listed
    assert versions_in(days.folder / "serving" / "ranker")[0] == first.version
    assert versions_in(days.folder / "serving" / "withdrawn" / "ranker") == [second.version]


def test_a_run_that_comes_to_the_withdrawn_model_again_does_not_push_it(first, second, second_withdrawn):
    summary = second_withdrawn.summary
    assert summary["cached"]["RankerTrainer"]
    assert summary["blessed"] is False
    assert summary["pushed_model"] is None
    assert summary["served_model"] == first.summary["pushed_model"]
    [reason] = summary["blessing"]["reasons"]
    assert f"pushed as version {second.version} and taken back" in reason


def test_the_next_day_goes_on_from_the_model_that_is_served(second, third):
    before, summary = second.summary, third.summary
    # The second day's model went on from the first day's and was compared with it.
    assert summary["blessing"]["compared_with"] == before["blessing"]["compared_with"]
    assert summary["training"]["warm_start"]["weights"] == before["training"]["warm_start"]["weights"]
    assert summary["pushed_model"] == summary["served_model"]
