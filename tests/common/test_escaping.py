import csv
import io
import logging

import pytest
from rich.console import Console

from common.escaping import cell, one_line, printable
from pipeline.ablation.report import tables
from pipeline.summary import table
from pipeline.terminal.live_display import LiveDisplay

NAMES = {
    "phones & 美妆 ‍👩": "phones & 美妆 ‍👩",
    "\x1b[2J\x1b]0;owned\x07": r"\x1b[2J\x1b]0;owned\x07",
    "two\nlines\tof it\r": r"two\nlines\tof it\r",
    "exe.\u202egpj": r"exe.\u202egpj",
    b"\xff\xfe".decode("utf-8", "surrogateescape"): r"\xff\xfe",
    "[/red] [link=file:///etc/passwd]x": "[/red] [link=file:///etc/passwd]x",
}


@pytest.mark.parametrize(("name", "shown"), NAMES.items())
def test_names_are_shown_and_not_acted_on(name, shown):
    assert one_line(name) == shown
    out = io.StringIO()
    metrics = dict.fromkeys(("session_auc", "ndcg_at_10", "mrr", "auc", "log_loss", "calibration"), 0.5)
    summary = {
        "name": "shop",
        **dict.fromkeys(("rows_read", "rows_quarantined", "items_cut", "train_items_per_second"), 1),
        **{"requests": {}, "items": {}, "categories": {}, "blessed": True, "pushed_model": None, "served_model": None},
        **{"blessing": {"reasons": [f"session_auc in top_category={name}: 0.1"]}, "warnings": [name]},
        "training": {"hyperparameters": {}, "warm_start": None, "parameters": 1, "steps": 1, "best_step": 1},
        "metrics": metrics,
        "metrics_by_top_category": {name: metrics},
        "metrics_by": {},
        "report": None,
        "config": {"report": {"note": None}},
        "negatives": {"mark": f"sampled from the same {name}", "items_sampled": {"train": 1200}, "requests_short": 7},
    }
    Console(file=out, width=200).print(table(summary))
    assert f"│ {shown} " in out.getvalue()
    assert f"Test split; sampled from the same {shown}" in out.getvalue()
    assert "1,200" in out.getvalue()
    assert all(character.isprintable() or character in "\n‍" for character in out.getvalue())


def test_a_line_of_progress_is_not_read_as_markup():
    out = io.StringIO()
    display = LiveDisplay(Console(file=out, force_terminal=True, width=120))
    display.component_started("Trainer", 1, 2)
    display.emit(logging.LogRecord("progress", logging.INFO, "", 1, "[/red] of \x1b[2J", None, None))
    Console(file=out, width=120).print(display)
    display.stop()
    assert r"[/red] of \x1b[2J" in out.getvalue()


def test_messages_keep_their_lines():
    assert printable("a\n\tb\x00") == "a\n\tb\\x00"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_spreadsheet_takes_no_name_for_a_formula(name, tmp_path):
    result = {
        "baselines": ["dnn"],
        "slices": {
            "top category": [{"name": name, "requests": 1, "session_auc": {"dnn": 0.5}, "differences": {"dnn": None}}]
        },
    }
    rows = list(tables._slice_rows(result))
    tables._write_csv(tmp_path / "slices.csv", rows)
    with (tmp_path / "slices.csv").open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert row["slice"] == f"'{name}" == cell(name)
