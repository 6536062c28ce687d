"""Ingestion: rows a second and peak memory of ClickLogExampleGen and of TFX's CsvExampleGen, on the same CSV log.

    python -m benchmarks.ingest --rows=100000,1000000 --repetitions=3
    python -m benchmarks.ingest --rows=1000000,10000000 --only=ClickLogExampleGen

Each runs its component's executor in a process of its own on one core, in turns. Both read the demo's simulated log
and write gzipped TFRecords of tf.Examples: CsvExampleGen one a row, ClickLogExampleGen one a request, its rows checked
against the schema, grouped and split by time. Seconds are of the executor alone, without imports; where others use
the cores too, the processor's seconds are what to compare.
"""

import json
import pathlib
import sys
import tempfile

from absl import app, flags

from benchmarks.harness import machine, markdown_table, medians, take_turns, timed, write

_NAMES = ("ClickLogExampleGen", "CsvExampleGen")
_ROWS = flags.DEFINE_list("rows", ["100000", "1000000"], "Impressions of each log.")
_REPETITIONS = flags.DEFINE_integer("repetitions", 3, "Runs of each, in turns; medians are shown.", lower_bound=1)
_ONLY = flags.DEFINE_enum("only", None, _NAMES, "Measure this one alone.")
_LOGS = flags.DEFINE_string("logs", "runs/benchmarks/logs", "Where the simulated logs are kept.")
_CORE = flags.DEFINE_integer("core", 0, "The core that all runs share.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/ingest.json", "The figures.")
_TOY = flags.DEFINE_bool("toy", False, "Two thousand rows, once: does it run at all?")
_CHILD = flags.DEFINE_string("child", None, "Used by the benchmark itself: ingest this log with --only.")


def _run_csv_example_gen(log: str, out: pathlib.Path) -> None:
    from tfx.components import CsvExampleGen
    from tfx.components.example_gen.csv_example_gen.executor import Executor
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri = str(out / "examples")
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(out / "tmp"), unique_id="1")
    Executor(context).Do({}, {"examples": [examples]}, dict(CsvExampleGen(log).exec_properties))


def _child(log: str, name: str) -> None:
    from benchmarks.logs import ingest

    run = ingest if name == "ClickLogExampleGen" else _run_csv_example_gen
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        with timed() as took:
            run(log, out)
        took["written_mib"] = sum(path.stat().st_size for path in (out / "examples").rglob("*.gz")) / 2**20
    print(json.dumps(took))


def _measure(log: str, rows: int) -> dict[str, dict]:
    names = [_ONLY.value] if _ONLY.value else _NAMES
    child = [sys.executable, "-m", "benchmarks.ingest", f"--child={log}"]
    commands = {name: [*child, f"--only={name}"] for name in names}
    runs = take_turns(commands, 1 if _TOY.value else _REPETITIONS.value, _CORE.value)
    found = {name: medians(measured) for name, measured in runs.items()}
    for run in found.values():
        run["rows_a_second"] = rows / run["seconds"]
        run["rows_a_cpu_second"] = rows / run["cpu_seconds"]
    return found


def main(_) -> None:
    """Measures, prints and writes."""
    if _CHILD.value:
        _child(_CHILD.value, _ONLY.value)
        return
    from benchmarks.logs import simulated_log

    results, table = {}, []
    for wanted in [2000] if _TOY.value else map(int, _ROWS.value):
        log = simulated_log(wanted, _LOGS.value)
        rows = sum(sum(1 for _ in path.open("rb")) - 1 for path in log.glob("*.csv"))
        results[rows] = found = _measure(str(log), rows)
        for name, run in found.items():
            slowest = found.get("CsvExampleGen", run)
            ratios = [run[rate] / slowest[rate] for rate in ("rows_a_second", "rows_a_cpu_second")]
            rates = [int(run["rows_a_second"]), ratios[0], int(run["rows_a_cpu_second"]), ratios[1]]
            table.append([rows, name, run["seconds"], *rates, int(run["peak_mib"]), int(run["imports_mib"])])
    header = ["rows", "component", "seconds", "rows/s", "times", "rows/CPU s", "times", "peak MiB", "of it imports"]
    print(f"{machine()['cpu']}, one core\n\n{markdown_table(header, table)}")
    write(_OUT.value, {"rows": results})


if __name__ == "__main__":
    app.run(main)
