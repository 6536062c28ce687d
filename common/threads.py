"""How TensorFlow spreads its work over the cores."""

import os

import tensorflow as tf

_CORES_AN_OPERATION = 8


def use_cores() -> None:
    """Runs operations side by side, each on one core of eight, instead of each on all.

    A mixture of experts is many operations that do not wait for each other, and small ones: to cut each up for all
    cores costs more than it gains. Two cores took 15 to 25 % less time for a step of `adv_hsc_moe`, see
    docs/benchmarks.md; of the one tower of `dnn_wide` 14 % more.

    To be called before TensorFlow computes anything; later it changes nothing. TF_NUM_INTRAOP_THREADS, if set, stands.
    """
    if os.environ.get("TF_NUM_INTRAOP_THREADS"):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        tf.config.threading.set_intra_op_parallelism_threads(-(-cores // _CORES_AN_OPERATION))
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:
        pass  # TensorFlow has computed already
