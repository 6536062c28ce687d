"""What a run shows on the screen: its components, how far the one at work is, and how long the others took."""

import contextlib
import dataclasses
import logging
import os
import sys
import threading
import time
import typing
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console

from common.escaping import one_line, printable
from common.progress import minutes

if typing.TYPE_CHECKING:
    # Imported for real, it would bring TFX in before `quiet` can send its noise elsewhere.
    from pipeline.lineage import NodeRun


_WIDTH_OF_FILES = 120


@dataclasses.dataclass
class Step:
    """One line of the list: a component, or a member of an ablation.

    Attributes:
      name: as shown.
      last: the seconds it took last time; None if nobody knows.
      began: when, by time.monotonic; None before.
      outcome: in words; None before its end. One that has an outcome and never began was left out.
      kept: from where it goes on if it is ended now, as "the checkpoint of step 1,200"; None if it begins anew.
    """

    name: str
    last: float | None = None
    began: float | None = None
    outcome: str | None = None
    kept: str | None = None

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began if self.began is not None else 0.0


class Display(logging.Handler):
    """Shows steps and their progress as plain lines; a terminal has a `pipeline.live.LiveDisplay` of it.

    It takes the records of the logger of progress, see `common.progress`.

    Args:
      console: where to.
    """

    records_from = logging.INFO  # the level of records that it wants
    _SECONDS_BETWEEN_LINES = 15.0

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._next_line = 0.0
        self.steps: list[Step] = []
        self.at_work: Step | None = None
        # Of whoever shows something; held for good by who ends the process, so that nothing is shown after that.
        self.showing = threading.RLock()

    def expect(self, names: Sequence[str], last: Mapping[str, float] | None = None) -> None:
        """Says which steps are to come, in their order, and the seconds that they took last time."""
        with self.showing:
            self.steps += [Step(one_line(name), (last or {}).get(name)) for name in names]

    def component_started(self, name: str, place: int, total: int) -> None:
        """Says which step is at work."""
        with self.showing:
            name = one_line(name)
            waiting = [step for step in self.steps if step.outcome is None]
            found = next((step for step in waiting if step.name == name), None)
            if found is None:
                self.steps.append(found := Step(name))
            else:
                for step in waiting[: waiting.index(found)]:
                    step.outcome = "left out"
            found.began = time.monotonic()
            self.at_work = found
            self._show_start(place, total)

    def component_finished(self, run: "NodeRun") -> None:
        """Says how long a component took, or that nothing had changed."""
        self.finished("unchanged, reused" if run.cached else f"{run.seconds:.1f} s")

    def finished(self, outcome: str) -> None:
        """Says how what was started last ended."""
        with self.showing:
            self.at_work.outcome = printable(outcome)
            self._show_end()
            self.at_work = None

    def stop(self) -> None:
        """Shows nothing from now on."""

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a line of progress; the next may replace it unless it is above INFO."""
        with self.showing:
            if self.at_work and (kept := getattr(record, "kept", None)):
                self.at_work.kept = kept
            self._show_line(printable(record.getMessage()), record)

    def _show_start(self, place: int, total: int) -> None:
        last = f" ({minutes(self.at_work.last)} last time)" if self.at_work.last else ""
        self._print(f"[{place}/{total}] {self.at_work.name}{last}")
        self._next_line = time.monotonic() + self._SECONDS_BETWEEN_LINES

    def _show_end(self) -> None:
        self._print(f"    done: {self.at_work.outcome}")

    def _show_line(self, message: str, record: logging.LogRecord) -> None:
        if record.levelno > logging.INFO or time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + self._SECONDS_BETWEEN_LINES
            self._print(f"    {message}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def display_on(console: Console) -> Display:
    """The display for a console: live on a terminal that can move its cursor."""
    from pipeline.live import LiveDisplay

    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else Display(console)


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
        yield _console(out), _console(err)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        out.flush()
        err.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        out.close()
        err.close()


def _console(file: typing.TextIO) -> Console:
    """On the real file: rich asks the descriptors 0, 1 and 2 for their width, which may be no terminal now."""
    if not os.isatty(file.fileno()):
        return Console(file=file, width=_WIDTH_OF_FILES)
    console = Console(file=file)
    measure(console)
    return console


def measure(console: Console) -> None:
    """Takes over the terminal's present size."""
    with contextlib.suppress(OSError, ValueError):  # no terminal
        columns, lines = os.get_terminal_size(console.file.fileno())
        if columns and lines:
            console.size = (columns, lines)
