import math

import numpy as np
import pytest
import tensorflow as tf

from models.losses.adversarial import adversarial_disagreement


def reference(logits, active, disagreeing, space):
    """The sum over pairs in plain Python."""
    losses = []
    for row, chosen, others in zip(logits.tolist(), active, disagreeing, strict=True):
        values = [1 / (1 + math.exp(-v)) if space == "probability" else v for v in row]
        pairs = [(values[e] - values[j]) ** 2 for e in np.flatnonzero(chosen) for j in np.flatnonzero(others)]
        losses.append(sum(pairs) / len(pairs))
    return sum(losses) / len(losses)


def masks(rng, items, experts, k, d):
    order = np.argsort(rng.random((items, experts)), axis=1)
    return order < k, (order >= k) & (order < k + d)


@pytest.mark.parametrize("space", ["probability", "logit"])
@pytest.mark.parametrize(("k", "d"), [(4, 1), (1, 3), (3, 3)])
def test_equals_the_sum_over_pairs(space, k, d):
    rng = np.random.default_rng(k)
    logits = rng.normal(size=(20, 7)).astype(np.float32)
    active, disagreeing = masks(rng, 20, 7, k, d)
    loss = adversarial_disagreement(logits, active, disagreeing, space)
    assert float(loss) == pytest.approx(reference(logits, active, disagreeing, space), rel=1e-5)


def test_a_small_disagreement_of_large_logits_is_not_lost():
    # (2000.5 - 2000)^2: a form with sums of squares would subtract 4e6 from 4e6.
    logits = tf.constant([[2000.0, 2000.5, 2000.5, 7.0]])
    active, disagreeing = tf.constant([[True, False, False, False]]), tf.constant([[False, True, True, False]])
    assert float(adversarial_disagreement(logits, active, disagreeing, "logit")) == pytest.approx(0.25, rel=1e-6)


@pytest.mark.parametrize("space", ["probability", "logit"])
def test_gradients_reach_the_active_and_the_disagreeing_experts_only(space):
    rng = np.random.default_rng(3)
    logits = tf.Variable(rng.normal(size=(30, 8)).astype(np.float32))
    active, disagreeing = masks(rng, 30, 8, 3, 2)
    with tf.GradientTape() as tape:
        loss = adversarial_disagreement(logits, active, disagreeing, space)
    gradient = tape.gradient(loss, logits).numpy()
    np.testing.assert_array_equal(gradient != 0.0, active | disagreeing)
    # d/dE of the pairs' mean, where f is the identity: (2 / T) * sum over the partners of the difference / (K D).
    if space == "logit":
        values = logits.numpy()
        item = 0
        expert = np.flatnonzero(active[item])[0]
        partners = np.flatnonzero(disagreeing[item])
        expected = 2.0 / 30.0 * np.sum(values[item, expert] - values[item, partners]) / (3 * 2)
        assert gradient[item, expert] == pytest.approx(expected, rel=1e-4)
