import math

import numpy as np
import pytest
import tensorflow as tf

from models.losses.adversarial import adversarial_disagreement


def reference(active, disagreeing, space):
    """The sum over pairs in plain Python."""

    def f(logit):
        return 1 / (1 + math.exp(-logit)) if space == "probability" else logit

    losses = []
    for row, others in zip(active.tolist(), disagreeing.tolist(), strict=True):
        pairs = [(f(e) - f(j)) ** 2 for e in row for j in others]
        losses.append(sum(pairs) / len(pairs))
    return sum(losses) / len(losses)


def logits(items, *counts):
    rng = np.random.default_rng(items)
    return [rng.normal(size=(items, count)).astype(np.float32) for count in counts]


@pytest.mark.parametrize("space", ["probability", "logit"])
@pytest.mark.parametrize(("k", "d"), [(4, 1), (1, 3), (3, 3)])
def test_equals_the_sum_over_pairs(space, k, d):
    active, disagreeing = logits(20, k, d)
    loss = adversarial_disagreement(active, disagreeing, space)
    assert float(loss) == pytest.approx(reference(active, disagreeing, space), rel=1e-5)


def test_a_small_disagreement_of_large_logits_is_not_lost():
    # (2000.5 - 2000)^2: a form with sums of squares would subtract 4e6 from 4e6.
    loss = adversarial_disagreement(tf.constant([[2000.0]]), tf.constant([[2000.5, 2000.5]]), "logit")
    assert float(loss) == pytest.approx(0.25, rel=1e-6)


def test_the_gradient_of_an_active_expert_is_its_distance_from_the_others():
    active, disagreeing = (tf.Variable(values) for values in logits(30, 3, 2))
    with tf.GradientTape() as tape:
        loss = adversarial_disagreement(active, disagreeing, "logit")
    # d/dE of the pairs' mean, where f is the identity: (2 / items) * sum over the partners of the difference / (K D).
    distances = active.numpy()[:, :, np.newaxis] - disagreeing.numpy()[:, np.newaxis]
    np.testing.assert_allclose(tape.gradient(loss, active), 2 / 30 * distances.sum(axis=2) / (3 * 2), atol=1e-6)


def test_an_unknown_space_is_refused():
    with pytest.raises(ValueError, match='`space` must be "probability" or "logit"'):
        adversarial_disagreement(tf.zeros([1, 1]), tf.zeros([1, 1]), "odds")
