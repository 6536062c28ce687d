"""One component a process, as an orchestrator's tasks: they find each other, and a killed one leaves nothing behind."""

import os
import pathlib
import signal
import time

import pytest
import tensorflow as tf

from pipeline.config import load_config
from pipeline.run_folder.locks import Busy, alone, run_lock
from pipeline.runners import local
from pipeline.runners.component import SUMMARY, run_component
from pipeline.runners.nodes import ComponentFailed
from pipeline.simulation.simulate import simulate
from tests.attempts import fork
from tests.pipeline.commands import DEMO

DAY = 19_723  # 2024-01-01
SETS = ["data.files=impressions-{YYYY}{MM}{DD}.csv", f"data.span={DAY}", "data.split.by=request"]


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> pathlib.Path:
    """Two days of a log; the second has fewer rows."""
    folder = tmp_path_factory.mktemp("log")
    for name, rows in (("20240101", 40_000), ("20240102", 1_000)):
        simulate(folder / "whole", rows)
        (folder / "whole" / "impressions-00000.csv").rename(folder / f"impressions-{name}.csv")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("runs")


def component(log: pathlib.Path, runs: pathlib.Path, name: str, run_id: str, *sets: str) -> dict:
    return run_component(*load_config(DEMO, [*SETS, *sets], str(log)), str(runs), name, run_id)


def rows_in(examples: str) -> int:
    shards = tf.io.gfile.glob(f"{examples}/Split-*/*")
    return sum(1 for _ in tf.data.TFRecordDataset(shards, compression_type="GZIP"))


@pytest.fixture(scope="module")
def killed(log, runs) -> pathlib.Path:
    """The outputs of an ingestion that was killed while it wrote them, one file of which has no successor's name."""
    flags = [f"--config={DEMO}", f"--data={log}", f"--runs={runs}", *(f"--set={override}" for override in SETS)]
    process = fork(["component", "--id=ClickLogExampleGen", "--run_id=monday", *flags], {}, os.devnull)
    outputs = runs / "demo" / "artifacts" / "ClickLogExampleGen" / "examples"
    deadline = time.monotonic() + 120
    while not list(outputs.glob("*/Split-train")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    [split] = outputs.glob("*/Split-train")
    half_written = split / "data_tfrecord-00007-of-00008.gz"
    half_written.write_bytes(b"\x1f\x8b\x08")
    return half_written


def test_nothing_takes_what_a_killed_component_left(log, runs, killed):
    with pytest.raises(ComponentFailed, match="StatisticsGen failed: its inputs could not be resolved"):
        component(log, runs, "StatisticsGen", "monday")
    assert killed.exists()


@pytest.fixture(scope="module")
def retried(log, runs, killed) -> dict:
    return component(log, runs, "ClickLogExampleGen", "monday")


def test_a_retry_begins_with_an_empty_folder(killed, retried):
    assert retried["state"] == "complete"
    assert killed.parents[1] == pathlib.Path(retried["outputs"]["examples"])
    assert not killed.exists()
    assert rows_in(retried["outputs"]["examples"]) > 100


def test_the_components_of_a_run_find_each_other(log, runs, retried):
    done = component(log, runs, "CategoryHierarchyGen", "monday")
    assert done["state"] == "complete"
    assert pathlib.Path(done["outputs"]["hierarchy"]).is_dir()
    with pytest.raises(ComponentFailed, match="CategoryHierarchyGen failed: its inputs could not be resolved"):
        component(log, runs, "CategoryHierarchyGen", "tuesday")


def test_what_has_succeeded_is_not_done_again_and_another_run_takes_it_from_the_cache(log, runs, retried):
    again = component(log, runs, "ClickLogExampleGen", "monday")
    assert (again["state"], again["outputs"]) == ("complete", retried["outputs"])
    other = component(log, runs, "ClickLogExampleGen", "monday again")
    assert (other["state"], other["outputs"]) == ("cached", retried["outputs"])


def test_the_span_chooses_the_day(log, runs, retried):
    tuesday = component(log, runs, "ClickLogExampleGen", "tuesday", f"data.span={DAY + 1}")
    assert 0 < rows_in(tuesday["outputs"]["examples"]) < rows_in(retried["outputs"]["examples"]) / 5
    with pytest.raises(ComponentFailed, match=r"ClickLogExampleGen failed: .*impressions-"):
        component(log, runs, "ClickLogExampleGen", "wednesday", f"data.span={DAY + 2}")


def test_the_summary_needs_all_components(log, runs, retried):
    with pytest.raises(ComponentFailed, match="summary failed: ImportSchemaGen has not succeeded in this run"):
        component(log, runs, SUMMARY, "monday")
    with pytest.raises(ValueError, match=r"--id must be one of ClickLogExampleGen, .*Received: 'Trainr'"):
        component(log, runs, "Trainr", "monday")


def test_tasks_of_a_run_are_at_work_at_once_and_a_whole_run_beside_them_is_not(log, runs, retried):
    folder = runs / "demo"
    config, schema = load_config(DEMO, SETS, str(log))
    with alone(run_lock(folder), folder, shared=True):
        assert component(log, runs, "ClickLogExampleGen", "monday")["state"] == "complete"
        with pytest.raises(Busy, match=rf"{folder}: the process {os.getpid()} is at work there already"):
            local.run(config, schema, str(runs), local.LocalRunner())
    with (
        local.alone_in(config, str(runs)),
        pytest.raises(Busy, match=rf"{folder}: the process {os.getpid()} is at work there already"),
    ):
        component(log, runs, "ClickLogExampleGen", "monday")
