"""TensorFlow's threads."""

import os

import tensorflow as tf

_CORES_AN_OPERATION = 8


def use_cores() -> None:
    """Runs many operations in parallel, each on one core in eight, instead of one operation on all cores.

    A mixture of experts has many small independent operations: splitting each over all cores costs more than it gains.
    On two cores a step of `adv_hsc_moe` takes 15 to 25 % less time, and a step of `dnn_wide`, which is one tower, 14 %
    more (docs/benchmarks.md).

    Call it before TensorFlow computes anything; a later call has no effect. It leaves TF_NUM_INTRAOP_THREADS alone.
    """
    if os.environ.get("TF_NUM_INTRAOP_THREADS"):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        tf.config.threading.set_intra_op_parallelism_threads(-(-cores // _CORES_AN_OPERATION))
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:
        pass  # TensorFlow has computed already
