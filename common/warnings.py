"""Warnings that a component keeps beside its outputs, for the summary of the run.

TensorFlow is imported only to write and to read warnings: a process that starts workers needs no TensorFlow.
"""

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from common.progress import progress

WARNINGS_FILE = "warnings.json"
_T = TypeVar("_T")


@contextlib.contextmanager
def keep_warnings(folder: str) -> Iterator[None]:
    """Writes the warnings of the block to `WARNINGS_FILE`: a JSON list of texts, each once.

    A warning is a record of level WARNING on the logger of progress. Nothing is written if there is no warning, or if
    the block raises an error.

    Args:
      folder: the root of one of the component's output artifacts, where the summary of the run reads the file.
    """
    kept: dict[str, None] = {}

    class Keep(logging.Handler):
        def emit(self, record):
            kept[record.getMessage()] = None

    handler = Keep(logging.WARNING)
    progress.addHandler(handler)
    try:
        yield
    finally:
        progress.removeHandler(handler)
    if kept:
        import tensorflow as tf

        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(os.path.join(folder, WARNINGS_FILE), "w") as file:
            file.write(json.dumps(list(kept), indent=2, ensure_ascii=False) + "\n")


def attempt(what: str, make: Callable[..., _T], *arguments) -> _T | None:
    """Returns ``make(*arguments)``; if it raises an error, logs a warning and returns None.

    For outputs that are not part of the model: a missing picture must not fail a training or a run.

    Args:
      what: names the optional output in the warning, for example "the training curves".
      make: makes the output.
    """
    try:
        return make(*arguments)
    except Exception as error:  # no error of an optional output is fatal
        logging.getLogger(__name__).exception("goes on without %s", what)
        progress.warning("goes on without %s: %s: %s", what, type(error).__name__, error)
        return None


def read_warnings(folder: str) -> list[str]:
    """The warnings in an artifact's folder; [] if it has none."""
    import tensorflow as tf

    path = os.path.join(folder, WARNINGS_FILE)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())
