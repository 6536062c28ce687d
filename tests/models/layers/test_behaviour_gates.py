import numpy as np
import pytest
import tensorflow as tf

from models.layers.behaviour_gates import BehaviourGates
from models.layers.category_gates import CategoryGates

TRAFFIC = [(0, 2, 2), (0, 1, 1, 2)]
PATH = [tf.constant([1, 2]), tf.constant([1, 3])]
SEED = tf.constant([1, 2])


def new_gates(hidden=5, form="topk") -> BehaviourGates:
    category_gates = CategoryGates(TRAFFIC, experts=3, top_k=2, embedding_size=2, noisy=False, constrained=True)
    return BehaviourGates(category_gates, (3, 4), experts=3, embedding_size=2, mask=0.5, form=form, hidden=hidden)


def behaviours(rng, count):
    return tf.Variable(rng.normal(size=(2, count, 4)).astype(np.float32))


def dense(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


@pytest.mark.parametrize("form", ["topk", "softmax"])
def test_equals_the_formula(form):
    """g = u_0(c) + sum over j of a_j u_j, a behaviour at a time in NumPy."""
    gates = new_gates(form=form)
    past = behaviours(np.random.default_rng(1), 3)
    present = np.array([[True, True, False], [False, False, False]])
    routing = gates(past, present, PATH)
    for request in range(2):
        ids = [int(level[request]) for level in PATH]
        query = np.concatenate(
            [table.embeddings.numpy()[i] for table, i in zip(gates.query_embeddings, ids, strict=True)]
        )
        query = dense(gates.query, query)
        leaf = gates.category_gates
        expected = leaf.speed * leaf.embeddings[-1].embeddings.numpy()[ids[-1]] @ leaf.leaf_gate.kernel.numpy()
        expected = expected + leaf.leaf_gate.bias.numpy()
        for j in range(3):
            if present[request, j]:
                b = past.numpy()[request, j]
                hidden = np.maximum(dense(gates.hidden, np.concatenate([b, query, b * query])), 0.0)
                expected = expected + dense(gates.activation_unit, hidden[5:]) * dense(gates.gate_unit, hidden[:5])
        np.testing.assert_allclose(routing.gate[request], expected - expected.mean(), rtol=1e-4, atol=1e-5)
        best, exponentials = np.argsort(-expected)[:2], np.exp(expected)
        weights = {
            "softmax": exponentials / exponentials.sum(),
            "topk": np.where(np.isin(range(3), best), exponentials / exponentials[best].sum(), 0.0),
        }
        np.testing.assert_allclose(routing.weights[request], weights[form], rtol=1e-4, atol=1e-5)
        assert set(np.flatnonzero(routing.active[request])) == set(best)
    np.testing.assert_array_equal(routing.has_behaviours, [True, False])
    assert routing.masked_gate is None


def test_absent_and_masked_behaviours_get_no_gradient():
    gates = new_gates(hidden=64)  # so many that no behaviour finds all units off
    past = behaviours(np.random.default_rng(2), 8)
    present = tf.sequence_mask([8, 5], 8)
    with tf.GradientTape(persistent=True) as tape:
        routing = gates(past, present, PATH, training=True, seed=SEED)
        whole, masked = tf.reduce_sum(routing.gate**2), tf.reduce_sum(routing.masked_gate**2)
    reached = np.any(tape.gradient(whole, past).numpy() != 0.0, axis=-1)
    np.testing.assert_array_equal(reached, present)
    kept = np.any(tape.gradient(masked, past).numpy() != 0.0, axis=-1)
    drawn = tf.random.stateless_uniform((2, 8), SEED) >= 0.5
    np.testing.assert_array_equal(kept, present & drawn)
    assert 0 < kept.sum() < np.sum(present)


def test_a_request_without_history_is_gated_by_its_category_alone():
    gates = new_gates()
    routing = gates(behaviours(np.random.default_rng(3), 0), tf.zeros((2, 0), tf.bool), PATH, training=True, seed=SEED)
    clean = gates.category_gates(PATH).logits.clean
    centred = clean - np.mean(clean, axis=1, keepdims=True)
    np.testing.assert_allclose(routing.gate, centred, atol=1e-6)
    np.testing.assert_allclose(routing.masked_gate, centred, atol=1e-6)
    assert not np.any(routing.has_behaviours)
