"""What verbs share: the flags that name a run, refusals, and the screen."""

import contextlib
import logging
import os
import pathlib
import sys

from absl import flags

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
    message where one of them fails or the user interrupts."""
    from pipeline.display import PROGRESS_LOGGER, Display, quiet
    from pipeline.names import printable

    folder = pathlib.Path(RUNS.value) / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with quiet(str(log)) as (out, err):
        display = Display(out)
        progress = logging.getLogger(PROGRESS_LOGGER)
        progress.setLevel(logging.INFO)
        progress.addHandler(display)
        try:
            yield out, display, folder
        except (RuntimeError, OSError) as error:  # ComponentFailed is one of them
            logging.getLogger(__name__).exception("the run failed")
            err.print(
                f"{printable(str(error))}\nThe whole story is in {log}", markup=False, highlight=False, soft_wrap=True
            )
            sys.exit(1)
        except KeyboardInterrupt:
            err.print(
                "\nInterrupted. The same command goes on from here: what is finished is reused, "
                "and training resumes from its last checkpoint.",
                highlight=False,
            )
            os._exit(130)  # Beam's and TensorFlow's threads would keep the process for minutes.
