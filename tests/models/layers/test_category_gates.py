import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.export.folded_gates import FoldedGates
from models.layers.category_gates import CategoryGates

# Three levels of 2, 3 and 4 known categories; id 0 is the unknown one.
TRAFFIC = [(0, 5, 3), (0, 4, 3, 1), (0, 4, 2, 1, 1)]


def logits_of(gates, level, category):
    """The gate of one level, W v(c) + b, in NumPy."""
    gate = ([*gates.constraint_gates, gates.leaf_gate])[level]
    return gates.speed * gates.embeddings[level].embeddings.numpy()[category] @ gate.kernel.numpy() + gate.bias.numpy()


def new_gates(**options) -> CategoryGates:
    gates = CategoryGates(TRAFFIC, experts=5, top_k=2, embedding_size=3, speed=2.0, **options)
    gates([tf.constant([0])] * 3)
    for number, variable in enumerate(gates.trainable_variables):
        variable.assign(tf.random.stateless_normal(variable.shape, [number, 1]))
    return gates


def mean_logits(gates):
    # The mean of the leaves' gates by traffic: (4 h_1 + 2 h_2 + h_3 + h_4) / 8.
    return sum(n * logits_of(gates, -1, leaf) for leaf, n in ((1, 4), (2, 2), (3, 1), (4, 1))) / 8


@pytest.mark.parametrize(
    ("path", "level", "category"),
    [
        ((1, 2, 3), 2, 3),
        ((1, 2, 0), 1, 2),
        ((1, 0, 0), 0, 1),
        ((2, 0, 4), 2, 4),
        ((0, 0, 4), 2, 4),
        ((0, 0, 0), None, 0),
    ],
)
def test_an_unknown_category_is_routed_by_the_nearest_known_level(path, level, category):
    gates = new_gates(constrained=True)
    routing = gates([tf.constant([id_]) for id_ in path])
    expected = mean_logits(gates) if level is None else logits_of(gates, level, category)
    np.testing.assert_allclose(routing.logits.clean[0], expected, rtol=1e-4, atol=1e-5)
    chosen = np.argsort(-expected)[:2]
    weights = np.zeros(5)
    weights[chosen] = np.exp(expected[chosen]) / np.exp(expected[chosen]).sum()
    np.testing.assert_allclose(routing.weights[0], weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("back_off", [True, False])
@pytest.mark.parametrize("constrained", [True, False])
def test_folded_gates_route_every_path_as_the_gates_do(back_off, constrained):
    gates = new_gates(constrained=constrained, back_off=back_off)
    paths = np.array(list(itertools.product(*(range(len(traffic)) for traffic in TRAFFIC))))
    categories = [tf.constant(ids) for ids in paths.T]
    expected = gates(categories)
    folded = FoldedGates(gates, [len(traffic) for traffic in TRAFFIC]).route_categories(categories)
    np.testing.assert_array_equal(folded.experts, expected.experts)
    np.testing.assert_allclose(folded.expert_weights, expected.expert_weights, rtol=1e-6)


@pytest.mark.parametrize(("back_off", "constrained"), [(True, False), (False, True), (False, False)])
def test_without_constraint_gates_the_mean_gate_stands_in_and_without_back_off_the_unknown_embedding(
    back_off, constrained
):
    gates = new_gates(constrained=constrained, back_off=back_off)
    logits = gates([tf.constant([1]), tf.constant([2]), tf.constant([0])]).logits.clean[0]
    expected = mean_logits(gates) if back_off else logits_of(gates, -1, 0)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_in_training_noise_is_added_to_the_gate_that_stands_in():
    gates = new_gates(constrained=True)
    path = [tf.constant([1, 1]), tf.constant([2, 2]), tf.constant([0, 3])]
    logits = gates(path, training=True, seed=tf.constant([1, 2])).logits
    np.testing.assert_allclose(logits.clean[0], logits_of(gates, 1, 2), rtol=1e-4, atol=1e-5)
    assert np.all(np.abs(logits.noisy - logits.clean) > 1e-6)
