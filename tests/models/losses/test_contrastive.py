import math

import numpy as np
import pytest
import tensorflow as tf

from models.losses.contrastive import contrastive


def reference(gates, masked, included, temperature):
    """The formula in plain Python."""

    def similarity(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return math.exp(dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b)) / temperature)

    requests = [q for q in range(len(gates)) if included[q]]
    losses = []
    for q in requests:
        positive = similarity(gates[q], masked[q])
        losses.append(
            -math.log(positive / (positive + sum(similarity(gates[q], gates[r]) for r in requests if r != q)))
        )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("without_history", [[], [0, 3]])
def test_equals_the_formula(temperature, without_history):
    gates, masked = np.random.default_rng(1).normal(size=(2, 6, 4)).astype(np.float32)
    included = [q not in without_history for q in range(6)]
    loss = contrastive(tf.constant(gates), tf.constant(masked), tf.constant(included), temperature)
    assert float(loss) == pytest.approx(reference(gates.tolist(), masked.tolist(), included, temperature), rel=1e-5)


def test_golden_value():
    # Two requests, gates at right angles, masked gates unchanged: -ln(e / (e + 1)) = ln(1 + 1/e) for both.
    gates = tf.constant([[2.0, 0.0], [0.0, 3.0]])
    loss = contrastive(gates, gates, tf.constant([True, True]), 1.0)
    assert float(loss) == pytest.approx(math.log(1 + 1 / math.e), rel=1e-6)


def test_requests_without_history_get_no_gradient_and_give_none():
    gates = tf.Variable(np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32))
    included = tf.constant([True, False, True, True])
    with tf.GradientTape() as tape:
        loss = contrastive(gates, tf.roll(gates, 1, 1), included, 0.5)
    gradient = tape.gradient(loss, gates).numpy()
    np.testing.assert_array_equal(np.any(gradient != 0.0, axis=1), included)


def test_no_history_at_all_costs_nothing():
    gates = tf.Variable([[1.0, 2.0], [0.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = contrastive(gates, gates, tf.constant([False, False]), 0.1)
    assert float(loss) == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, gates), np.zeros((2, 2)))
