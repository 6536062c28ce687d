"""The whole pipeline: seconds by component of `python -m pipeline run` on logs of several sizes, and what is overhead.

    python -m benchmarks.pipeline --rows=10000,100000,1000000

Each run reads a simulated log that is there already, and ends with a pushed model or a refused one. `outside` is the
process' time outside of all components, of which `imports` (measured in a process of its own) are a part. What the
smallest log takes is taken for what every run takes, of time and of the processor's time: the share that is overhead.
"""

import json
import pathlib
import shutil
import sys

from absl import app, flags

from benchmarks.harness import machine, markdown_table, measure_process, write

_ROWS = flags.DEFINE_list("rows", ["10000", "100000", "1000000"], "Impressions of each log, the smallest first.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in train.epochs=1.")
_LOGS = flags.DEFINE_string("logs", "runs/benchmarks/logs", "Where the simulated logs are kept.")
_RUNS = flags.DEFINE_string("runs", "runs/benchmarks/pipeline", "Where the runs go; removed before and after.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/pipeline.json", "The figures.")
_TOY = flags.DEFINE_bool("toy", False, "Two thousand impressions, one epoch: does it run at all?")

_IMPORTS = "import pipeline.runners.local, pipeline.summary"


def _measure(rows: int) -> dict:
    log = pathlib.Path(_LOGS.value) / f"demo-{rows}"
    if not log.exists():
        measure_process([sys.executable, "-m", "pipeline", "simulate", f"--out={log}", f"--rows={rows}"])
    shutil.rmtree(_RUNS.value, ignore_errors=True)
    sets = ["name=benchmark", *(["train.epochs=1"] if _TOY.value else []), *_SET.value]
    command = [sys.executable, "-m", "pipeline", "run", f"--data={log}", f"--runs={_RUNS.value}"]
    took, _ = measure_process([*command, *(f"--set={override}" for override in sets)])
    summary = json.loads(pathlib.Path(_RUNS.value, "benchmark", "summary.json").read_text("utf-8"))
    shutil.rmtree(_RUNS.value)
    imports, _ = measure_process([sys.executable, "-c", _IMPORTS])
    return {
        "rows": summary["rows_read"],
        "components": summary["seconds"],
        "outside": took["process_seconds"] - sum(summary["seconds"].values()),
        "imports": imports["process_seconds"],
        "train_items_per_second": summary["train_items_per_second"],
        **took,
    }


def main(_) -> None:
    """Measures, prints and writes."""
    runs = [_measure(rows) for rows in ([2000] if _TOY.value else map(int, _ROWS.value))]
    for run in runs:
        run["overhead_share"] = runs[0]["process_seconds"] / run["process_seconds"]
        run["overhead_share_of_cpu"] = runs[0]["process_cpu_seconds"] / run["process_cpu_seconds"]
    table = [[name, *(float(run["components"][name]) for run in runs)] for name in runs[0]["components"]]
    whole = ("process_seconds", "process_cpu_seconds", "overhead_share", "overhead_share_of_cpu", "peak_mib")
    for name in ("outside", "imports", *whole):
        table.append([name.replace("_", " "), *(float(run[name]) for run in runs)])
    header = ["seconds", *(f"{run['rows']:,} rows" for run in runs)]
    print(f"{machine()['cpu']}, {machine()['cores']} cores\n\n{markdown_table(header, table)}")
    write(_OUT.value, {"runs": runs})


if __name__ == "__main__":
    app.run(main)
