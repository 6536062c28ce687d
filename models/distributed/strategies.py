"""How a training is spread over devices: `train.strategy` as one of TensorFlow's strategies."""

import functools
import json
import os

import tensorflow as tf

from common.progress import progress
from models.distributed.cluster import PROGRESS


@functools.cache
def strategy_of(name: str) -> tf.distribute.Strategy:
    """The strategy of that name, one for the whole process.

    `multi_worker` must be asked for before TensorFlow computes anything, in a process that
    models/distributed/cluster.py has started.

    Args:
      name: a value of `train.strategy`.
    """
    if name == "multi_worker":
        if task() is None:
            raise ValueError("`train.strategy: multi_worker` needs processes that models/distributed/cluster.py starts")
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if len(devices) == 1:
            progress.warning("`train.strategy: mirrored` finds one device: the training is that of `default`")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def task() -> tuple[str, int] | None:
    """This process' type and index in the cluster of the environment's TF_CONFIG; None without one."""
    of_task = json.loads(os.environ.get("TF_CONFIG") or "{}").get("task")
    return (of_task["type"], int(of_task["index"])) if of_task else None


def is_chief() -> bool:
    """Whether this process writes what a training leaves: the chief, the first worker where there is none, or alone."""
    mine = task()
    if mine is None or PROGRESS not in os.environ:  # whatever cluster TF_CONFIG tells of, it trains alone
        return True
    has_chief = "chief" in json.loads(os.environ["TF_CONFIG"])["cluster"]
    return mine == (("chief", 0) if has_chief else ("worker", 0))
