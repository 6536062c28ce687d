"""What verbs share: the flags that name a run, refusals, and the screen."""

import contextlib
import logging
import pathlib
import sys

from absl import flags

CONFIG = flags.DEFINE_string("config", "pipeline/configs/demo.yaml", "The run's YAML file.")
DATA = flags.DEFINE_string("data", None, "The folder of the log; stands in for `data.path`.")
SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in model.experts=16; repeatable.")
RUNS = flags.DEFINE_string("runs", "runs", "The folder that holds a folder for each run.")
HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "Where the ports open; tensorflow_model_server opens them on all addresses of the machine.",
)
PORT = flags.DEFINE_integer("port", None, "The port; unless given, 8500 for gRPC, 6006 for TensorBoard.", 0, 65_535)
OUT = flags.DEFINE_string("out", None, "The folder or file to write.")


class Refused(Exception):
    """Something the user can mend; its message is all that is shown."""


@contextlib.contextmanager
def screen(name: str):
    """What a verb that runs components shows: gives (console, display, the run's folder), and ends the process with a
    message where one of them fails or SIGINT or SIGTERM comes. The display is to be stopped before anything else is
    written to the console."""
    from common.escaping import printable
    from common.progress import LOGGER
    from pipeline.display import display_on, quiet
    from pipeline.interrupts import end_by_signal

    folder = pathlib.Path(RUNS.value) / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with quiet(str(log)) as (out, err):
        display = display_on(out)
        end_by_signal(display, err.file.fileno())
        progress = logging.getLogger(LOGGER)
        progress.setLevel(display.records_from)
        progress.addHandler(display)
        for handler in logging.getLogger().handlers:  # the file does not want what a display alone does
            handler.setLevel(max(handler.level, logging.INFO))
        try:
            yield out, display, folder
        except (RuntimeError, OSError) as error:  # ComponentFailed is one of them
            logging.getLogger(__name__).exception("the run failed")
            display.stop()
            err.print(
                f"{printable(str(error))}\nThe whole story is in {log}", markup=False, highlight=False, soft_wrap=True
            )
            sys.exit(1)
        finally:
            display.stop()
