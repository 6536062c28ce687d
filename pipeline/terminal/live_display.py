"""The display on a terminal: the list of all steps with a bar for the running step, redrawn twice a second."""

import logging
import math
import threading
import time
from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from common.progress import minutes
from pipeline.terminal.console import measure
from pipeline.terminal.display import Display, Step

_SECONDS_BETWEEN_DRAWINGS = 0.5
_LINES_AROUND = 7  # for the text of the running step, the line of the remaining time, and the prompt
_SECONDS_OF_A_METER = 5.0  # so long after its last move, a bar is not replaced by a record without a share
_DONE, _AT_WORK, _STOPPED, _TO_COME = ("✓", "green"), ("▶", "cyan"), ("✗", "red"), (" ", "dim")


class LiveDisplay(Display):
    """Redraws the list of steps in place; records above INFO scroll above the list.

    Args:
      console: the console of a terminal.
    """

    records_from = logging.DEBUG

    def __init__(self, console: Console):
        super().__init__(console)
        self._began = time.monotonic()
        self._forget("starting")
        self._ended = None
        self._scrolled = 0  # so many first steps have scrolled into the text above the list
        self._live = Live(self, console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._stopped = threading.Event()
        self._live.start()
        threading.Thread(target=self._draw_now_and_then, daemon=True).start()

    def stop(self) -> None:
        """Draws for the last time, and shows the cursor again."""
        with self.showing:
            if not self._stopped.is_set():
                self._stopped.set()
                self._ended = time.monotonic()
                self._live.stop()

    def _draw_now_and_then(self) -> None:
        while not self._stopped.wait(_SECONDS_BETWEEN_DRAWINGS):
            with self.showing:
                if not self._stopped.is_set():
                    measure(self._console)
                    self._live.refresh()

    def _show_start(self, place: int, total: int) -> None:
        self._forget()
        self._live.refresh()

    def _show_end(self) -> None:
        self._forget()
        while len(self.steps) - self._scrolled > self._room and self.steps[self._scrolled].outcome is not None:
            step = self.steps[self._scrolled]
            self._scrolled += 1
            self._console.print(next(iter(self._lines([step], self._console.width))))
        self._live.refresh()

    def _show_line(self, message: str, record: logging.LogRecord) -> None:
        if record.levelno > logging.INFO:
            name = f"{self.at_work.name}: " if self.at_work else ""
            style = "yellow" if record.levelno >= logging.WARNING else ""
            self._console.print(Text(name + message, style))
        elif hasattr(record, "share"):
            self._message, self._share, self._metered = message, record.share, time.monotonic()
        elif time.monotonic() > self._metered + _SECONDS_OF_A_METER:
            self._forget(message)

    def _forget(self, message: str = "") -> None:
        self._message, self._share, self._metered = message, None, -math.inf

    @property
    def _room(self) -> int:
        return max(1, self._console.height - _LINES_AROUND)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        listed = self.steps[self._scrolled :]
        shown = listed[: self._room] if self._ended is None else listed
        yield from self._lines(shown, options.max_width)
        if more := len(listed) - len(shown):
            yield Text(f"  and {more} more", "dim")
        if self.at_work is None and self._ended is None:
            yield from self._line_at_work(options.max_width)
        yield Text(self._foot(), "dim")

    def _lines(self, steps: list[Step], width: int) -> Iterator[RenderableType]:
        longest = max((cell_len(step.name) for step in self.steps), default=0)
        for step in steps:
            (mark, style), said = self._state_of(step)
            dim = "dim" if step.began is None else ""
            name = set_cell_size(step.name, min(longest, width // 2))
            yield Text.assemble((mark, style), (f" {name} {said}", dim))
            if step is self.at_work and self._ended is None:
                yield from self._line_at_work(width)

    def _state_of(self, step: Step) -> tuple[tuple[str, str], str]:
        last = f"{minutes(step.last)} last time" if step.last else ""
        if step.outcome is not None:
            return _DONE, step.outcome
        if step is not self.at_work:
            return _TO_COME, last
        if self._ended is not None:
            return _STOPPED, f"stopped after {minutes(step.seconds)}"
        return _AT_WORK, ", ".join(filter(None, [minutes(step.seconds), last]))

    def _line_at_work(self, width: int) -> Iterator[RenderableType]:
        if self._share is not None:
            bar = Table.grid(padding=(0, 1))
            bar.add_row(
                ProgressBar(1.0, self._share, width=min(50, width - 8), complete_style="cyan"), f"{self._share:4.0%}"
            )
            yield Padding(bar, (0, 0, 0, 2))
        if self._message:
            yield Padding(Text(self._message), (0, 0, 0, 2))

    def _foot(self) -> str:
        said = f"{minutes((self._ended or time.monotonic()) - self._began)} since the start"
        left = [step for step in self.steps if step.outcome is None]
        if self._ended is not None or not left or any(step.last is None for step in left):
            return said
        return (
            f"{said}; what is left took {minutes(sum(max(0.0, step.last - step.seconds) for step in left))} last time"
        )
