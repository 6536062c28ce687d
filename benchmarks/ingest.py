"""Ingestion: rows a second and peak memory of ClickLogExampleGen and of TFX's CsvExampleGen, on the same CSV log.

    python -m benchmarks.ingest --rows=100000,1000000 --repetitions=3
    python -m benchmarks.ingest --rows=1000000,10000000 --only=click_log

Each runs its component's executor in a process of its own on one core, in turns. Both read the demo's simulated log
and write gzipped TFRecords of tf.Examples: CsvExampleGen one a row, ClickLogExampleGen one a request, its rows checked
against the schema, grouped and split by time. Rows a second are of the executor alone, without imports.
"""

import json
import pathlib
import resource
import sys
import tempfile
import time

from absl import app, flags

from benchmarks.harness import machine, markdown_table, measure, medians, write

_ROWS = flags.DEFINE_list("rows", ["100000", "1000000"], "Impressions of each log.")
_REPETITIONS = flags.DEFINE_integer("repetitions", 3, "Runs of each, in turns; medians are shown.", lower_bound=1)
_ONLY = flags.DEFINE_enum("only", None, ["click_log", "csv"], "Measure this one alone.")
_LOGS = flags.DEFINE_string("logs", "runs/benchmarks/logs", "Where the simulated logs are kept.")
_CORE = flags.DEFINE_integer("core", 0, "The core that all runs share.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/ingest.json", "The figures.")
_TOY = flags.DEFINE_bool("toy", False, "Two thousand rows, once: does it run at all?")
_CHILD = flags.DEFINE_string("child", None, "Used by the benchmark itself: ingest this log with --only.")

_SCHEMA = "schemas/demo.pbtxt"
_NAMES = {"click_log": "ClickLogExampleGen", "csv": "CsvExampleGen"}


def simulated_log(rows: int, folder: str) -> str:
    """The folder of the demo log of about that many rows, written once."""
    from pipeline.simulate import simulate

    log = pathlib.Path(folder).resolve() / f"demo-{rows}"
    if not log.exists():
        simulate(log.with_suffix(".unfinished"), rows)
        log.with_suffix(".unfinished").rename(log)
    return str(log)


def run_executor(which: str, log: str, out: pathlib.Path) -> dict:
    """Runs the real executor of one of the two and counts what it made; its output lies below ``out``."""
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri = str(out / "examples")
    outputs = {"examples": [examples]}
    if which == "click_log":
        from tfx.proto import example_gen_pb2
        from tfx.utils import proto_utils

        from components.artifacts import Quarantine
        from components.click_log_example_gen.component import ClickLogExampleGen as Component
        from components.click_log_example_gen.config import DataConfig
        from components.click_log_example_gen.executor import Executor

        component = Component(DataConfig(path=log, files="impressions-*.csv"), _SCHEMA)
        quarantine = Quarantine()
        quarantine.uri = str(out / "quarantine")
        outputs["quarantine"] = [quarantine]
        split = example_gen_pb2.Input.Split(name="log", pattern="impressions-*.csv")
        properties = dict(component.exec_properties)
        properties["input_config"] = proto_utils.proto_to_json(example_gen_pb2.Input(splits=[split]))
    else:
        from tfx.components import CsvExampleGen
        from tfx.components.example_gen.csv_example_gen.executor import Executor

        properties = dict(CsvExampleGen(log).exec_properties)
    for artifacts in outputs.values():
        pathlib.Path(artifacts[0].uri).mkdir(parents=True)
    context = Executor.Context(
        beam_pipeline_args=[],  # with any, TFX packs itself first for other machines: seconds
        tmp_dir=str(out / "tmp"),
        unique_id="1",
    )
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    Executor(context).Do({}, outputs, properties)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": seconds,
        "executor_cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "imports_mib": before.ru_maxrss / 1024,
        "written_mib": sum(path.stat().st_size for path in (out / "examples").rglob("*.gz")) / 2**20,
    }


def _measure(rows: int, log: str) -> dict[str, dict]:
    which = [_ONLY.value] if _ONLY.value else list(_NAMES)
    runs: dict[str, list] = {name: [] for name in which}
    for _ in range(1 if _TOY.value else _REPETITIONS.value):
        for name in which:
            command = [sys.executable, "-m", "benchmarks.ingest", f"--child={log}", f"--only={name}"]
            run = measure(command, _CORE.value)
            run["rows_a_second"] = rows / run["seconds"]
            run["rows_a_cpu_second"] = rows / run["executor_cpu_seconds"]
            runs[name].append(run)
    return {name: medians(measured) for name, measured in runs.items()}


def _child() -> None:
    with tempfile.TemporaryDirectory() as out:
        print(json.dumps(run_executor(_ONLY.value, _CHILD.value, pathlib.Path(out))))


def main(_) -> None:
    """Measures, prints and writes."""
    if _CHILD.value:
        _child()
        return
    results, table = {}, []
    for wanted in ["2000"] if _TOY.value else _ROWS.value:
        log = simulated_log(int(wanted), _LOGS.value)
        rows = sum(path.read_bytes().count(b"\n") - 1 for path in pathlib.Path(log).glob("*.csv"))
        results[wanted] = found = _measure(rows, log)
        for name, run in found.items():
            ratio = run["rows_a_second"] / found["csv"]["rows_a_second"] if "csv" in found else "-"
            of_cpu = run["rows_a_cpu_second"] / found["csv"]["rows_a_cpu_second"] if "csv" in found else "-"
            speed = [run["seconds"], int(run["rows_a_second"]), ratio, int(run["rows_a_cpu_second"]), of_cpu]
            table.append([rows, _NAMES[name], *speed, int(run["peak_mib"]), int(run["imports_mib"])])
    header = ["rows", "component", "seconds", "rows/s", "ratio", "rows/CPU s", "ratio", "peak MiB", "of it imports"]
    print(f"{machine()['cpu']}, one core\n\n{markdown_table(header, table)}")
    write(_OUT.value, {"rows": results})


if __name__ == "__main__":
    app.run(main)
