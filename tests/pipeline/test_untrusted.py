"""A log whose names are written by somebody who means harm, through the whole pipeline."""

import csv
import json
import pathlib

from benchmarks.attempts import few_features
from pipeline.simulation.simulate import simulate
from tests.pipeline.commands import DEMO, call

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


def hostile_log(folder: pathlib.Path) -> None:
    simulate(folder / "plain", rows=8_000, seed=1)
    [source] = (folder / "plain").glob("*.csv")
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    (folder / "log").mkdir()
    with (folder / "log" / "impressions-1.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            for column in RENAMED:
                row[column] = NAMES[hash_of(row[column]) % len(NAMES)] + row[column]
            row["history_item"] = ""
            writer.writerow(row)


def hash_of(name: str) -> int:
    return sum(name.encode())


def test_names_of_a_log_reach_no_file_name_no_command_and_no_terminal(tmp_path):
    hostile_log(tmp_path)
    sets = [
        f"schema={few_features(tmp_path)}",
        "train.epochs=1",
        "model.experts=4",
        "model.top_k=2",
        "model.disagreeing=1",
        "evaluation.min_session_auc=0.1",
        "evaluation.max_calibration_error=null",  # of a training as short as this
    ]
    before = set(tmp_path.iterdir())
    flags = [f"--config={DEMO}", f"--data={tmp_path / 'log'}", f"--runs={tmp_path / 'runs'}"]
    process = call("run", *flags, *(f"--set={override}" for override in sets), folder=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert set(tmp_path.iterdir()) == before | {tmp_path / "runs"}
    names = [path.name for path in (tmp_path / "runs").rglob("*")]
    assert not [name for name in names if any(part in name for part in ("escaped", "script", "drop", "HYPERLINK"))]
    assert not {"\x1b", "\x07", "\u202e", "\u0001"} & set(process.stdout + process.stderr)
    summary = json.loads((tmp_path / "runs" / "demo" / "summary.json").read_text(encoding="utf-8"))
    assert summary["rows_read"] == summary["rows_in_requests"]  # hostile or not, each is a name
    assert summary["pushed_model"]
    assert {name for name in summary["metrics_by_top_category"] if name.startswith("\x1b")}
