import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from models.losses.hierarchical_soft_constraint import hierarchical_soft_constraint


def reference(levels, active, over, space):
    """The formula in plain Python."""

    def output(logits):
        total = sum(math.exp(h) for h in logits)
        return [math.exp(h) / total for h in logits] if space == "probability" else list(logits)

    losses = []
    for request in range(len(active)):
        path = [output(level[request]) for level in levels]
        losses.append(
            sum(
                (child[e] - parent[e]) ** 2
                for parent, child in itertools.pairwise(path)
                for e in range(len(child))
                if over == "all" or active[request][e]
            )
        )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("over", ["topk", "all"])
@pytest.mark.parametrize("space", ["probability", "logit"])
def test_equals_the_formula(depth, over, space):
    rng = np.random.default_rng(depth)
    levels = rng.normal(size=(depth, 5, 6)).astype(np.float32)
    active = rng.random((5, 6)) < 0.5
    loss = hierarchical_soft_constraint(list(levels), active, over, space)
    assert float(loss) == pytest.approx(reference(levels.tolist(), active, over, space), rel=1e-5)


def test_golden_value():
    # softmax(0, ln 3) = (1/4, 3/4), softmax(0, 0) = (1/2, 1/2): (1/4)^2 for the active expert.
    parent, child = tf.constant([[0.0, 0.0]]), tf.constant([[0.0, math.log(3.0)]])
    loss = hierarchical_soft_constraint([parent, child], tf.constant([[False, True]]))
    assert float(loss) == pytest.approx(1 / 16)


@pytest.mark.parametrize("stop", [True, False])
def test_gradients_reach_both_gates_unless_the_parent_is_stopped(stop):
    parent, child = tf.Variable([[0.1, 0.2, 0.9]]), tf.Variable([[0.7, -0.3, 0.2]])
    with tf.GradientTape() as tape:
        loss = hierarchical_soft_constraint(
            [parent, child], tf.constant([[True, True, False]]), stop_parent_gradient=stop
        )
    to_parent, to_child = tape.gradient(loss, [parent, child])
    assert np.any(to_child != 0.0)
    assert to_parent is None if stop else np.any(to_parent != 0.0)


def test_equal_gates_cost_nothing_and_one_level_is_refused():
    logits = tf.random.normal([3, 4])
    assert float(hierarchical_soft_constraint([logits, logits], tf.fill([3, 4], True))) == 0.0
    with pytest.raises(ValueError, match=r"at least two levels\. Received: 1"):
        hierarchical_soft_constraint([logits], tf.fill([3, 4], True))
