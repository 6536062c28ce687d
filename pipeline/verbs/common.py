"""What verbs share: the flags that name a run, refusals, and the screen."""

import contextlib
import logging
import os
import pathlib
import signal
import sys
import typing

from absl import flags

if typing.TYPE_CHECKING:
    from rich.console import Console

CONFIG = flags.DEFINE_string("config", "pipeline/configs/demo.yaml", "The run's YAML file.")
DATA = flags.DEFINE_string("data", None, "The folder of the log; stands in for `data.path`.")
SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in model.experts=16; repeatable.")
RUNS = flags.DEFINE_string("runs", "runs", "The folder that holds a folder for each run.")
OUT = flags.DEFINE_string("out", None, "simulate: the folder to write; compile: the file.")


class Refused(Exception):
    """Something the user can mend; its message is all that is shown."""


@contextlib.contextmanager
def screen(name: str):
    """What a verb that runs components shows: gives (console, display, the run's folder), and ends the process with a
    message where one of them fails or SIGINT or SIGTERM comes."""
    from components.names import printable
    from pipeline.display import PROGRESS_LOGGER, Display, quiet

    folder = pathlib.Path(RUNS.value) / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with quiet(str(log)) as (out, err):
        display = Display(out)
        _end_by_signal(out, err)
        progress = logging.getLogger(PROGRESS_LOGGER)
        progress.setLevel(logging.INFO)
        progress.addHandler(display)
        try:
            yield out, display, folder
        except (RuntimeError, OSError) as error:  # ComponentFailed is one of them
            logging.getLogger(__name__).exception("the run failed")
            display.stop()
            err.print(
                f"{printable(str(error))}\nThe whole story is in {log}", markup=False, highlight=False, soft_wrap=True
            )
            sys.exit(1)


def _end_by_signal(out: "Console", err: "Console") -> None:
    """Ends the process at SIGINT and SIGTERM, saying how to go on.

    At once, as SIGKILL would, which leaves nothing that the next run does not mend. An exception would be taken by Beam
    for one of the component's own, and the threads of Beam and TensorFlow would keep the process for minutes.
    """

    descriptor = os.dup(err.file.fileno())

    def end(number: int, _) -> None:
        show_cursor = "\x1b[?25h" if out.is_terminal else ""  # hidden while a component is at work
        message = (
            f"{show_cursor}\n{signal.Signals(number).name}: interrupted. The same command goes on from here: what is "
            "finished is reused, and training resumes from its last checkpoint.\n"
        )
        os.write(descriptor, message.encode())
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
