import logging

import pytest

from common import progress
from common.progress import Meter, keep, minutes, part


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def records(caplog, level):
    return [(one.getMessage(), one.share) for one in caplog.records if one.levelno == level]


def test_a_log_gets_a_line_each_quarter_of_a_minute_and_a_display_two_a_second(caplog, clock):
    caplog.set_level(logging.DEBUG, progress.LOGGER)
    meter = Meter("steps", 1000)
    for step in range(1, 321):
        clock.now += 0.125
        meter.reach(step, f"loss {1 / step:.4f}")
    lines = records(caplog, logging.INFO)
    assert [message for message, _ in lines] == [
        "120 of 1,000 steps, loss 0.0083, 1:50 left",
        "240 of 1,000 steps, loss 0.0042, 1:35 left",
    ]
    assert [share for _, share in lines] == [0.12, 0.24]
    assert len(records(caplog, logging.DEBUG)) + len(lines) == pytest.approx(80, abs=1)


def test_who_does_not_listen_for_more_is_not_told_more(caplog, clock):
    caplog.set_level(logging.INFO, progress.LOGGER)
    meter = Meter("rows")
    clock.now += 14.9
    assert not meter.due
    meter.add(10)
    clock.now += 0.2
    assert meter.due
    meter.add(10)
    assert [(one.getMessage(), one.share) for one in caplog.records] == [("20 rows", None)]


def test_the_first_piece_says_nothing_of_the_speed(caplog, clock):
    caplog.set_level(logging.DEBUG, progress.LOGGER)
    meter = Meter("steps", 11)
    clock.now += 60  # a graph is traced
    meter.reach(1)
    clock.now += 1
    meter.reach(2)
    assert [message for message, _ in records(caplog, logging.DEBUG)] == ["2 of 11 steps, 0:09 left"]


def test_what_is_said_in_a_part_is_of_that_part_and_its_share_of_the_whole(caplog, clock):
    caplog.set_level(logging.DEBUG, progress.LOGGER)
    with part(3, 4, "trial 3 of 4"):
        meter = Meter("steps", 10)
        clock.now += 1
        meter.reach(5, at_once=True)
        keep("the checkpoint of step 5")
    said, kept = caplog.records
    assert (said.getMessage(), said.share) == ("trial 3 of 4, 5 of 10 steps", 0.625)
    assert kept.kept == "the checkpoint of step 5, trial 3 of 4"
    meter.reach(10, at_once=True)
    assert caplog.records[-1].share == 1.0


def test_minutes():
    assert [minutes(seconds) for seconds in (0.4, 59.6, 3599, 3661)] == ["0:00", "1:00", "59:59", "1:01:01"]
