"""Warnings that a component keeps beside its outputs, for the summary of the run.

Imports no TensorFlow before a warning is written: `models.distributed.cluster` needs none.
"""

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from common.progress import LOGGER

WARNINGS_FILE = "warnings.json"
_T = TypeVar("_T")


@contextlib.contextmanager
def keep_warnings(folder: str) -> Iterator[None]:
    """Keeps what is said at level WARNING on the logger of progress for the run's summary, which looks for it here.

    Args:
      folder: the root of one of a component's output artifacts. When the block has ended without an error and
        something was said, it holds `WARNINGS_FILE`: a JSON list of texts, each once.
    """
    kept: dict[str, None] = {}

    class Keep(logging.Handler):
        def emit(self, record):
            kept[record.getMessage()] = None

    handler, logger = Keep(logging.WARNING), logging.getLogger(LOGGER)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if kept:
        import tensorflow as tf

        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(os.path.join(folder, WARNINGS_FILE), "w") as file:
            file.write(json.dumps(list(kept), indent=2, ensure_ascii=False) + "\n")


def attempt(what: str, make: Callable[..., _T], *arguments) -> _T | None:
    """What ``make`` gives of its arguments; None, and a warning, if it fails.

    For what is shown of a model, and is no part of it: neither a training nor a run fails for a picture.

    Args:
      what: names the optional output in the warning, for example "the training's curves".
      make: makes the output.
    """
    try:
        return make(*arguments)
    except Exception as error:  # whatever it is, the model is as good as it is
        logging.getLogger(__name__).exception("goes on without %s", what)
        logging.getLogger(LOGGER).warning("goes on without %s: %s: %s", what, type(error).__name__, error)
        return None


def read_warnings(folder: str) -> list[str]:
    """The warnings that were kept in a folder; [] if there were none."""
    import tensorflow as tf

    path = os.path.join(folder, WARNINGS_FILE)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())
