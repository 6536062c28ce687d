"""What a run shows on the screen: the component at work, how far it is, and how long it took."""

import contextlib
import logging
import os
import sys
import time
import typing
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from components.names import printable

if typing.TYPE_CHECKING:
    # Imported for real, it would bring TFX in before `quiet` can send its noise elsewhere.
    from pipeline.lineage import NodeRun

PROGRESS_LOGGER = "aislerank.progress"
_WIDTH_OF_FILES = 120


class Display(logging.Handler):
    """Shows components and their progress: a live line on a terminal, plain lines elsewhere.

    Args:
      console: where to.
    """

    _SECONDS_BETWEEN_PLAIN_LINES = 15.0

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._status = console.status("") if console.is_terminal else None
        self._next_plain_line = 0.0
        self._title = ""

    def component_started(self, name: str, place: int, total: int) -> None:
        """Says which component is at work."""
        self._title = f"[{place}/{total}] {name}"
        if self._status:
            self._status.update(self._title)
            self._status.start()
        else:
            self._console.print(self._title, markup=False, highlight=False)
        self._next_plain_line = time.monotonic() + self._SECONDS_BETWEEN_PLAIN_LINES

    def component_finished(self, run: "NodeRun") -> None:
        """Says how long it took, or that nothing had changed."""
        self.finished("unchanged, reused" if run.cached else f"{run.seconds:.1f} s")

    def finished(self, outcome: str) -> None:
        """Says how what was started last ended."""
        if self._status:
            self._status.stop()
        title = self._title if self._status else " " * 4
        self._console.print(f"{title:<34} {outcome}", markup=False, highlight=False)

    def stop(self) -> None:
        """Gives the line back to the terminal, and its cursor."""
        if self._status:
            self._status.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a line of progress, which the next may replace unless it is above INFO."""
        message = printable(record.getMessage())
        if self._status and record.levelno <= logging.INFO:
            self._status.update(f"{self._title}  {escape(message)}")
        elif record.levelno > logging.INFO or time.monotonic() >= self._next_plain_line:
            self._next_plain_line = time.monotonic() + self._SECONDS_BETWEEN_PLAIN_LINES
            self._console.print(f"    {message}", markup=False, highlight=False)


@contextlib.contextmanager
def quiet(log: str) -> Iterator[tuple[Console, Console]]:
    """Sends all that libraries write to stdout and stderr, C++ included, to a file.

    Args:
      log: the file; what was in it stays.

    Yields:
      consoles for the real stdout and stderr.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    real = [os.dup(1), os.dup(2)]
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    out, err = (os.fdopen(descriptor, "w", encoding="utf-8") for descriptor in real)
    try:
        # Where there is no terminal to ask, rich would cut tables to 80 columns.
        width = None if os.isatty(out.fileno()) else _WIDTH_OF_FILES
        yield Console(file=out, width=width), Console(file=err, width=width)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        out.flush()
        err.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        out.close()
        err.close()
