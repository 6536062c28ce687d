"""The screen of a verb that runs components: console, display, log file, and the end by an error or a signal."""

import contextlib
import logging
import pathlib
import sys
from collections.abc import Iterator

from rich.console import Console

from common.escaping import printable
from common.progress import progress
from pipeline.terminal.console import quiet
from pipeline.terminal.display import Display
from pipeline.terminal.interrupts import end_by_signal
from pipeline.terminal.live_display import LiveDisplay


def display_on(console: Console) -> Display:
    """The display for a console: live on a terminal that can move its cursor, plain lines otherwise."""
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else Display(console)


@contextlib.contextmanager
def screen(folder: pathlib.Path) -> Iterator[tuple[Console, Display]]:
    """Shows the components that run in the block, and sends the output of libraries to ``run.log``.

    The process ends with a message if the block raises a RuntimeError or an OSError, and at SIGINT and SIGTERM.

    Args:
      folder: the run's folder; made if it is missing.

    Yields:
      the console and the display. Stop the display before you write to the console.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with quiet(str(log)) as (out, err):
        display = display_on(out)
        end_by_signal(display, err.file.fileno())
        progress.setLevel(display.records_from)
        progress.addHandler(display)
        for handler in logging.getLogger().handlers:  # records below INFO are for the display only
            handler.setLevel(max(handler.level, logging.INFO))
        try:
            yield out, display
        except (RuntimeError, OSError) as error:  # ComponentFailed is a RuntimeError
            logging.getLogger(__name__).exception("the run failed")
            display.stop()
            err.print(
                f"{printable(str(error))}\nThe whole story is in {log}", markup=False, highlight=False, soft_wrap=True
            )
            sys.exit(1)
        finally:
            display.stop()
