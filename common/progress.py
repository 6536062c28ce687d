"""How far a long piece of work is: a line now and then for a log, and the share that is done for who draws a bar.

Imports neither TensorFlow nor TFX: trainings, executors and the simulator all say it here.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

# The one logger of progress. Displays, logs and the keeper of warnings listen to it.
LOGGER = "aislerank.progress"
progress = logging.getLogger(LOGGER)

# A log gets a line at level INFO that often; who listens for DEBUG, as a display does, is told more often.
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_BETWEEN_TICKS = 0.5
# What `record_fields` takes of a record beside its text.
_FIELDS = ("share", "kept")
_within: list[tuple[int, int, str]] = []


class Meter:
    """Says how far a piece of work is, and the time that is left at the speed so far.

    Its records on the logger `aislerank.progress` have the attribute ``share``: what is done of all, from 0 to 1, None
    where that is not known. It may be called as often as one likes, from any thread.

    Args:
      unit: of what is counted, in the plural.
      total: how many there are; None if nobody knows.
      doing: what is done, where the unit does not tell.

    Example::

        meter = Meter("features", len(features))
        for feature in features:
            judge(feature)
            meter.add()
    """

    def __init__(self, unit: str, total: int | None = None, doing: str = ""):
        self._unit, self._total, self._doing = unit, total, doing
        self._done = 0.0
        self._lock = threading.Lock()
        self._began = time.monotonic()
        # The first piece may take its time, as where a graph is traced: it says nothing of the speed.
        self._first: tuple[float, float] | None = None
        self._next_line, self._next_tick = self._began + _SECONDS_BETWEEN_LINES, self._began

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began

    @property
    def due(self) -> bool:
        """Whether `reach` would say anything now, so that figures which cost something are made only then."""
        now = time.monotonic()
        return now >= self._next_line or (now >= self._next_tick and progress.isEnabledFor(logging.DEBUG))

    def add(self, count: float = 1, *figures: str) -> None:
        """So many more are done. ``figures`` are said with it, as "loss 0.4213"."""
        with self._lock:
            self._done += count
        self._say(figures)

    def reach(self, done: float, *figures: str, at_once: bool = False) -> None:
        """So many are done in all; ``at_once``: a display is told now, however short the last time is ago."""
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
    """What meters say in this block is of one part of ``total``, from 1, with its title before."""
    _within.append((place, total, title))
    try:
        yield
    finally:
        _within.pop()


def keep(what: str) -> None:
    """Says from where a process that is ended now will go on, as "the checkpoint of step 1,200".

    It is the attribute ``kept`` of the record.
    """
    kept = ", ".join([what, *(title for *_, title in _within)])
    progress.info("kept: %s", kept, extra={"kept": kept})


def record_fields(record: logging.LogRecord) -> dict:
    """What a record of progress has beside its text, to be sent to another process: the ``extra`` of its logger."""
    return {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}


def speed(count: float, seconds: float, unit: str) -> str:
    """As "63,000 items a second"."""
    return f"{count / max(seconds, 1e-9):,.0f} {unit} a second"


def minutes(seconds: float) -> str:
    """As "0:38" or "2:03:15"."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
