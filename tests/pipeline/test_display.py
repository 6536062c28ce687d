import io
import logging
import re
import signal
import types

import pytest
from rich.console import Console

from common.progress import LOGGER
from pipeline.terminal import display as module
from pipeline.terminal.display import Display
from pipeline.terminal.interrupts import how_to_go_on
from pipeline.terminal.live_display import LiveDisplay
from pipeline.terminal.screen import display_on

NAMES = ["ClickLogExampleGen", "StatisticsGen", "Transform", "Trainer", "Evaluator", "Pusher"]
PROGRESS = "1,200 of 8,000 steps, loss 0.4213, validation session AUC 0.8123, 63,000 items a second, 0:38 left"


def record(message, level=logging.INFO, **fields):
    return logging.makeLogRecord({"name": LOGGER, "levelno": level, "msg": message, **fields})


def at_work(console) -> Display:
    """Two components have come to their end, the third is at work."""
    display = display_on(console)
    display.expect(NAMES, {"Transform": 30.0, "Trainer": 90.0, "Evaluator": 20.0, "Pusher": 0.1})
    display.component_started(NAMES[0], 1, 6)
    display.component_finished(types.SimpleNamespace(cached=False, seconds=4.94))
    display.component_started(NAMES[1], 2, 6)
    display.component_finished(types.SimpleNamespace(cached=True, seconds=0.1))
    display.component_started(NAMES[2], 3, 6)
    return display


def terminal(width=100, height=24, **options) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, **options)


def drawn(display, console) -> list[str]:
    """What the display draws now, without colours."""
    paper = terminal(console.width, no_color=console.no_color)
    paper.print(display)
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", paper.file.getvalue()).splitlines()]


@pytest.mark.parametrize(("width", "options"), [(100, {}), (60, {}), (60, {"no_color": True})])
def test_a_terminal_shows_what_is_done_what_is_at_work_and_what_is_to_come(width, options):
    console = terminal(width, **options)
    display = at_work(console)
    display.emit(record(PROGRESS, share=0.15))
    lines = drawn(display, console)
    display.stop()
    assert lines[0].split() == ["✓", "ClickLogExampleGen", "4.9", "s"]
    assert lines[1].split() == ["✓", "StatisticsGen", "unchanged,", "reused"]
    assert lines[2].split() == ["▶", "Transform", "0:00,", "0:30", "last", "time"]
    assert "━━━━" in lines[3]
    assert lines[3].endswith("15%")
    assert " ".join(" ".join(lines[4:-4]).split()) == PROGRESS
    assert [line.split()[0] for line in lines[-4:-1]] == NAMES[3:]
    assert lines[-1] == "0:00 since the start; what is left took 2:20 last time"
    assert max(map(len, lines)) <= width


def test_warnings_stay_above_the_list_with_the_name_of_the_component():
    console = terminal()
    display = at_work(console)
    display.emit(record("[/red] 3 categories of unknown parent", logging.WARNING))
    display.stop()
    assert "Transform: [/red] 3 categories of unknown parent" in console.file.getvalue()
    assert not any("unknown parent" in line for line in drawn(display, console))


def test_a_bar_gives_way_to_a_line_without_one_when_it_does_not_move(monkeypatch):
    console = terminal()
    display = at_work(console)
    display.emit(record("5 of 10 parts", share=0.5))
    display.emit(record("writing"))
    assert any("5 of 10 parts" in line for line in drawn(display, console))
    now = module.time.monotonic() + 6
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    display.emit(record("writing"))
    assert any("writing" in line for line in drawn(display, console))
    display.stop()


def test_a_list_that_is_longer_than_the_terminal_scrolls():
    console = terminal(height=14)
    display = display_on(console)
    names = [f"moe, seed {seed}" for seed in range(30)]
    display.expect(names)
    for place, name in enumerate(names[:20], start=1):
        display.component_started(name, place, 30)
        display.finished(f"{place}.0 s")
    display.component_started(names[20], 21, 30)
    lines = drawn(display, console)
    display.stop()
    assert len(lines) < 14
    assert any(line.startswith("▶ moe, seed 20") for line in lines)
    assert "more" in lines[-2]
    assert "moe, seed 0" in console.file.getvalue()


@pytest.mark.parametrize(("height", "started"), [(40, range(9)), (12, range(9)), (12, [0, 2, 3, 5, 6, 7, 8])])
def test_ctrl_c_counts_what_ran_and_what_is_to_run_whatever_the_terminal_shows(height, started):
    display = display_on(terminal(height=height))
    names = [f"step {place}" for place in range(12)]
    display.expect(names)
    for place in started[:-1]:
        display.component_started(names[place], place + 1, 12)
        display.finished("1.0 s")
    display.component_started(names[started[-1]], started[-1] + 1, 12)
    said = how_to_go_on(display, signal.SIGINT, "again")
    display.stop()
    left_out = 9 - len(started)
    assert f"step 8 was at work. What is finished is kept: {8 - left_out} of {12 - left_out}." in said


def test_what_was_passed_over_is_not_waited_for():
    display = display_on(terminal())
    display.expect(["a", "b", "c"])
    display.component_started("c", 3, 3)
    display.stop()
    assert [step.outcome for step in display.steps] == ["left out", "left out", None]


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "unknown"}, {}])
def test_where_no_cursor_moves_there_are_plain_lines(environment, monkeypatch):
    console = terminal(_environ=environment) if environment else Console(file=io.StringIO(), width=120)
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    display = at_work(console)
    for _ in range(40):
        now += 1.0
        display.emit(record(PROGRESS, share=0.15))
    display.emit(record("not blessed", logging.WARNING))
    display.finished("30.0 s")
    display.stop()
    assert not isinstance(display, LiveDisplay)
    assert console.file.getvalue().splitlines() == [
        "[1/6] ClickLogExampleGen",
        "    done: 4.9 s",
        "[2/6] StatisticsGen",
        "    done: unchanged, reused",
        "[3/6] Transform (0:30 last time)",
        f"    {PROGRESS}",
        f"    {PROGRESS}",
        "    not blessed",
        "    done: 30.0 s",
    ]
