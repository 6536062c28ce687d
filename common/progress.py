"""Progress of long work: a line every 15 seconds for a log, and the share that is done for a progress bar.

Imports neither TensorFlow nor TFX. Trainings, executors and the simulator report their progress here.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

# The only logger of progress; displays, log files and `keep_warnings` are its handlers.
LOGGER = "aislerank.progress"
progress = logging.getLogger(LOGGER)

# Between two records of level INFO, for a log, and of level DEBUG, for a display.
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_BETWEEN_TICKS = 0.5
# The attributes that `record_fields` takes from a record.
_FIELDS = ("share", "kept")
_within: list[tuple[int, int, str]] = []


class Meter:
    """Reports how much of a piece of work is done, and the time left at the mean speed so far.

    Its records on the logger `progress` have the attribute ``share``: the finished part of the work in [0, 1], or None
    if the total is unknown. Calls are cheap, and may come from any thread.

    Args:
      unit: the unit that is counted, in the plural.
      total: the number of units; None if unknown.
      doing: the activity, if the unit does not name it.

    Example::

        meter = Meter("features", len(features))
        for feature in features:
            process(feature)
            meter.add()
    """

    def __init__(self, unit: str, total: int | None = None, doing: str = ""):
        self._unit, self._total, self._doing = unit, total, doing
        self._done = 0.0
        self._lock = threading.Lock()
        self._began = time.monotonic()
        # The speed leaves out the first unit, which may include the tracing of a graph.
        self._first: tuple[float, float] | None = None
        self._next_line, self._next_tick = self._began + _SECONDS_BETWEEN_LINES, self._began

    @property
    def seconds(self) -> float:
        """Seconds since the meter was made."""
        return time.monotonic() - self._began

    @property
    def due(self) -> bool:
        """Whether `reach` would report now. A caller computes expensive figures only if this is True."""
        now = time.monotonic()
        return now >= self._next_line or (now >= self._next_tick and progress.isEnabledFor(logging.DEBUG))

    def add(self, count: float = 1, *figures: str) -> None:
        """Adds ``count`` finished units. ``figures`` are appended to the report, for example "loss 0.4213"."""
        with self._lock:
            self._done += count
        self._say(figures)

    def reach(self, done: float, *figures: str, at_once: bool = False) -> None:
        """Sets the number of finished units. ``at_once`` reports to a display without waiting for the next tick."""
        self._done = done
        self._say(figures, at_once)

    def _say(self, figures: tuple[str, ...], at_once: bool = False) -> None:
        with self._lock:
            now, done = time.monotonic(), self._done
            if self._first is None:
                self._first = (done, now)
            if not (self.due or at_once):
                return
            level = logging.INFO if now >= self._next_line else logging.DEBUG
            if level == logging.INFO:
                self._next_line = now + _SECONDS_BETWEEN_LINES
            self._next_tick = now + _SECONDS_BETWEEN_TICKS
            said = f"{done:,.0f} of {self._total:,.0f} {self._unit}" if self._total else f"{done:,.0f} {self._unit}"
            left = self._left(done, now)
        share = min(1.0, done / self._total) if self._total else None
        for place, total, _ in reversed(_within):
            share = (place - 1 + (share or 0.0)) / total
        parts = [*(title for *_, title in _within), f"{self._doing} {said}".strip(), *figures, *left]
        progress.log(level, "%s", ", ".join(parts), extra={"share": share})

    def _left(self, done: float, now: float) -> list[str]:
        first, began = self._first
        if not self._total or done <= first or done >= self._total:
            return []
        return [f"{minutes((self._total - done) * (now - began) / (done - first))} left"]


@contextlib.contextmanager
def part(place: int, total: int, title: str) -> Iterator[None]:
    """Makes the meters of the block report as part ``place`` (from 1) of ``total`` parts, after the part's title."""
    _within.append((place, total, title))
    try:
        yield
    finally:
        _within.pop()


def keep(what: str) -> None:
    """Reports what a process that is killed now goes on from, for example "the checkpoint of step 1,200".

    The record has it as its attribute ``kept``.
    """
    kept = ", ".join([what, *(title for *_, title in _within)])
    progress.info("kept: %s", kept, extra={"kept": kept})


def record_fields(record: logging.LogRecord) -> dict:
    """The attributes of a record of progress, as the ``extra`` with which another process logs the record again."""
    return {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}


def speed(count: float, seconds: float, unit: str) -> str:
    """A speed as text, for example "63,000 items a second"."""
    return f"{count / max(seconds, 1e-9):,.0f} {unit} a second"


def minutes(seconds: float) -> str:
    """A duration as text: "0:38", "2:03:15"."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
