"""One worker of a training by several: `python -m models.training.worker <job file>`, with TF_CONFIG set.

On the machines other than the chief's this is what is started, on the job file that the Trainer writes; it waits for
the file, and starts again, as the chief does, when one of the cluster dies. See docs/training.md.
"""

import json
import logging
import os
import sys
import threading
import traceback
import types

from common.progress import progress, record_fields
from models.distributed import cluster
from models.training.errors import TrainingFault


def main() -> None:
    """Trains in this process if `cluster` started it for that; else starts and watches the process that trains."""
    [job] = sys.argv[1:]
    if cluster.PROGRESS not in os.environ:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        cluster.wait_for(job)
        cluster.supervise(job, [json.loads(os.environ["TF_CONFIG"])], TrainingFault)
        return
    _say_progress(int(os.environ[cluster.PROGRESS]))
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    with open(job, encoding="utf-8") as file:
        fn_args = types.SimpleNamespace(**json.load(file))

    import tensorflow as tf

    from models.training.entry import train
    from models.training.settings import read_settings

    try:
        train(read_settings(fn_args.custom_config, fn_args.hyperparameters), fn_args)
    except BaseException as error:
        if isinstance(error, TrainingFault):
            progress.critical("%s", error)  # for the one that started this process to raise
        traceback.print_exc()
        sys.stderr.flush()
        # Not by the usual way out, on which TensorFlow would wait for the others.
        os._exit(cluster.LOST if isinstance(error, _of_a_lost_peer(tf.errors)) else cluster.FAILED)


def _of_a_lost_peer(errors) -> tuple:
    """What TensorFlow raises, by turns, where one of the cluster is gone."""
    return (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
        errors.InternalError,
    )


def _say_progress(descriptor: int) -> None:
    """Sends the lines of progress to the one that started this process: level, message and fields as JSON."""
    out = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")

    class Lines(logging.Handler):
        def emit(self, record):
            out.write(json.dumps([record.levelno, record.getMessage(), record_fields(record)]) + "\n")

    progress.setLevel(logging.DEBUG)  # the starter knows how much of it is shown
    progress.addHandler(Lines())


def _end_with_the_starter() -> None:
    """Ends this process when that one has died: a training that nobody watches would stand in the next one's way."""
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written
    os._exit(cluster.LOST)


if __name__ == "__main__":
    main()
