"""Hot keys: what one request, one user or one category of far too many rows costs, and what is cut.

    python -m benchmarks.hot_keys --hot_rows=1000000,3000000

Each log holds --rows ordinary rows, 20 a request, nine tenths of them in one category, and besides, by name:

* plain: nothing.
* request: one request of so many rows, which stand together.
* scattered: the same, all rows of the log in random order.
* bot: one user's requests, so many rows in all, each a click; histories are built from the log.

Ingestion, statistics, hierarchy and Transform run on it as `python -m pipeline run` runs them; peak is of that process.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
from absl import app, flags

from benchmarks.harness import machine, markdown_table, measure_process, write

KINDS = ("plain", "request", "scattered", "bot")

_ROWS = flags.DEFINE_integer("rows", 200_000, "Ordinary rows of each log.")
_HOT_ROWS = flags.DEFINE_list("hot_rows", ["1000000", "3000000"], "Rows of the hot request or user.")
_KINDS = flags.DEFINE_list("kinds", list(KINDS), "Some of the logs.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in data.max_items=50.")
_RUNS = flags.DEFINE_string("runs", "runs/benchmarks/hot_keys", "Where logs and runs go; removed before and after.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/hot_keys.json", "The figures.")
_TOY = flags.DEFINE_bool("toy", False, "A log of a few thousand rows: does it run at all?")

_HEADER = (
    "request_id,user_id,timestamp,top_category,sub_category,history_item,history_brand,item_id,brand,shop,price,sales,"
    "rating,age_days,position,click,purchase,true_click_probability\n"
)
_SIZE = 20  # items of an ordinary request
_BEGIN = 1_700_000_000


def write_log(folder: pathlib.Path, kind: str, rows: int, hot_rows: int) -> None:
    """Writes a log of one file."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    lines = [_line(random, i // _SIZE, f"u{i // _SIZE % 997}", i % _SIZE) for i in range(rows)]
    middle = rows // 2 // _SIZE * _SIZE
    if kind == "bot":
        first = rows // _SIZE
        lines += [_line(random, first + i // _SIZE, "bot", i % _SIZE, click=1) for i in range(hot_rows)]
    elif kind != "plain":
        hot = [_line(random, rows, "u0", i, request="hot") for i in range(hot_rows)]
        lines = lines[:middle] + hot + lines[middle:]
    if kind == "scattered":
        lines = [lines[i] for i in random.permutation(len(lines))]
    (folder / "impressions-00000.csv").write_text(_HEADER + "".join(lines), encoding="utf-8")


def _line(random, number: int, user: str, item: int, request: str | None = None, click: int | None = None) -> str:
    name = "phones" if number % 10 else f"top{number % 7}"
    draw = random.integers(1 << 30)
    click = int(draw % 10 == 0) if click is None else click
    return (
        f"{request or f'r{number}'},{user},{_BEGIN + number},{name},{name}/{number % 5},,,i{item * 1000 + draw % 997},"
        f"b{draw % 50},s{draw % 20},{draw % 500 / 7:.2f},{draw % 300},4.5,{draw % 400},{item + 1},{click},0,0.1\n"
    )


def _measure(kind: str, hot_rows: int) -> dict:
    runs = pathlib.Path(_RUNS.value)
    log, rows = runs / "log", 2000 if _TOY.value else _ROWS.value
    shutil.rmtree(runs, ignore_errors=True)
    write_log(log, kind, rows, hot_rows)
    sets = ["name=hot", "stop_after=transform", f"data.history.build={str(kind == 'bot').lower()}", *_SET.value]
    command = [sys.executable, "-m", "pipeline", "run", f"--data={log}", f"--runs={runs}"]
    took, _ = measure_process([*command, *(f"--set={override}" for override in sets)])
    summary = json.loads((runs / "hot" / "summary.json").read_text("utf-8"))
    shutil.rmtree(runs)
    names = ("rows_read", "rows_in_requests", "rows_quarantined", "items_cut", "seconds")
    reasons = {name: reason["rows"] for name, reason in summary["quarantine"].items()}
    return {"kind": kind, "hot_rows": hot_rows, "reasons": reasons, **{name: summary[name] for name in names}, **took}


def main(_) -> None:
    """Measures, prints and writes."""
    sizes = [4000] if _TOY.value else list(map(int, _HOT_ROWS.value))
    runs = [_measure(kind, size) for kind in _KINDS.value for size in ([0] if kind == "plain" else sizes)]
    components = ("ClickLogExampleGen", "CategoryHierarchyGen", "Transform")
    table = [
        [run["kind"], run["rows_read"], run["rows_in_requests"], run["items_cut"]]
        + [float(run["seconds"][name]) for name in components]
        + [int(run["peak_mib"])]
        for run in runs
    ]
    header = [
        "log",
        "rows",
        "in requests",
        "cut by max_items",
        *(f"seconds, {name}" for name in components),
        "peak MiB",
    ]
    print(f"{machine()['cpu']}, {machine()['cores']} cores\n\n{markdown_table(header, table)}")
    write(_OUT.value, {"runs": runs})


if __name__ == "__main__":
    app.run(main)
