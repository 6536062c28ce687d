"""Rows a second of ingestion and of the category hierarchy on a simulated log.

    python benchmarks/ingestion.py --rows 1000000

Runs the pipeline up to validation on a fresh log, prints a table and writes it as JSON.
"""

import json
import pathlib
import shutil
import subprocess
import sys

from absl import app, flags

_ROWS = flags.DEFINE_integer("rows", 1_000_000, "Impressions.")
_RUNS = flags.DEFINE_string("runs", "runs/benchmarks", "Where the run goes, and the figures: ingestion.json.")


def main(_) -> None:
    """Runs, prints and writes."""
    folder = pathlib.Path(_RUNS.value)
    shutil.rmtree(folder / "ingestion", ignore_errors=True)
    overrides = ["name=ingestion", f"simulate.rows={_ROWS.value}", "stop_after=validation"]
    sets = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-m", "pipeline", "run", "--config", "pipeline/configs/demo.yaml"]
    subprocess.run([*command, "--runs", str(folder), *sets], check=True, stdout=sys.stderr)
    summary = json.loads((folder / "ingestion" / "summary.json").read_text(encoding="utf-8"))
    rates = {name: summary["rows_read"] / seconds for name, seconds in summary["seconds"].items()}
    print("| component | seconds | impressions a second |\n|---|---|---|")
    for name, seconds in summary["seconds"].items():
        print(f"| {name} | {seconds:.1f} | {rates[name]:,.0f} |")
    (folder / "ingestion.json").write_text(json.dumps({"seconds": summary["seconds"], "rates": rates}, indent=2))


if __name__ == "__main__":
    app.run(main)
