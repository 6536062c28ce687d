"""The display of a run as plain lines: its components, the progress of the running one, the seconds of the others."""

import dataclasses
import logging
import threading
import time
import typing
from collections.abc import Mapping, Sequence

from rich.console import Console

from common.escaping import one_line, printable
from common.progress import minutes

if typing.TYPE_CHECKING:
    # A real import would load TFX before `quiet` has redirected the output of TFX.
    from pipeline.lineage import NodeRun


@dataclasses.dataclass
class Step:
    """One line of the list: a component, or a member of an ablation.

    Attributes:
      name: the name as the display shows it.
      last: seconds of the last time; None if unknown.
      began: start by time.monotonic; None before the start.
      outcome: the outcome in words; None before the end. A step with an outcome and without a start was left out.
      kept: what a killed step goes on from, for example "the checkpoint of step 1,200"; None if it starts anew.
    """

    name: str
    last: float | None = None
    began: float | None = None
    outcome: str | None = None
    kept: str | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began if self.began is not None else 0.0


class Display(logging.Handler):
    """Shows steps and their progress as plain lines.

    The display is a handler for the logger of `common.progress`.

    Args:
      console: the console that the lines go to.
    """

    records_from = logging.INFO  # the lowest level of the records that the display shows
    _SECONDS_BETWEEN_LINES = 15.0

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._next_line = 0.0
        self.steps: list[Step] = []
        self.at_work: Step | None = None
        # Each method that shows something holds this lock. The thread that ends the process never releases it, so that
        # nothing is shown afterwards.
        self.showing = threading.RLock()

    def expect(self, names: Sequence[str], last: Mapping[str, float] | None = None) -> None:
        """Adds the coming steps in their order, with the seconds of the last time by name."""
        with self.showing:
            self.steps += [Step(one_line(name), (last or {}).get(name)) for name in names]

    def component_started(self, name: str, place: int, total: int) -> None:
        """Shows that a step starts; ``place`` counts from 1."""
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
        """Shows the seconds of a component, or that its outputs were reused."""
        self.finished("unchanged, reused" if run.cached else f"{run.seconds:.1f} s")

    def finished(self, outcome: str) -> None:
        """Shows the outcome of the running step."""
        with self.showing:
            self.at_work.outcome = printable(outcome)
            self._show_end()
            self.at_work = None

    def stop(self) -> None:
        """Ends the display: it shows nothing from now on."""

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a record of progress; the next record may replace it, unless its level is above INFO."""
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
