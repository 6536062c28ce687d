"""The floor: the matrix products of a training step of `adv_hsc_moe`, and nothing else.

K + D towers, each over all items of the step: X W forward, and for each layer the two products of the way back, for
the layer's input and for its weights.
"""

import itertools
import time
from collections.abc import Callable

import tensorflow as tf

from benchmarks.workers import answer, use_threads

_STEPS_A_CALL = 4  # so that the call from Python does not count


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``towers``, ``size`` (of an item's input), ``hidden``, ``batch_items``, ``dtype``, ``seconds``,
    ``threads``."""
    use_threads(settings)
    dtype, items = tf.as_dtype(settings["dtype"]), settings["batch_items"]
    layers = list(itertools.pairwise([settings["size"], *settings["hidden"], 1]))

    def values(*shape):
        return tf.Variable(tf.cast(tf.random.normal(shape), dtype))

    kernels = [[values(*layer) for layer in layers] for _ in range(settings["towers"])]
    inputs = [[values(items, size) for size, _ in layers] for _ in range(_STEPS_A_CALL)]
    # Each product has an operand of its own, or TensorFlow would compute equal ones only once.
    gradients = [[values(items, units) for _, units in layers] for _ in itertools.product(inputs, kernels)]

    @tf.function(autograph=False)
    def products():
        results = []
        for (of_step, tower), of_tower in zip(itertools.product(inputs, kernels), gradients, strict=True):
            for x, kernel, gradient in zip(of_step, tower, of_tower, strict=True):
                results += [
                    tf.matmul(x, kernel),
                    tf.matmul(gradient, kernel, transpose_b=True),
                    tf.matmul(x, gradient, transpose_a=True),
                ]
        return results

    def measure():
        products()
        began, calls = time.monotonic(), 0
        while time.monotonic() - began < settings["seconds"]:
            products()
            calls += 1
        return {"items_per_second": calls * _STEPS_A_CALL * items / (time.monotonic() - began)}

    return measure


if __name__ == "__main__":
    answer(prepare)
