import statistics

import numpy as np
import pytest
import tensorflow as tf

from models.layers.gates import GateLogits, top_k_gate
from models.losses.load_balance import importance, load, load_balance, squared_coefficient_of_variation


def noisy_logits(seed, requests=40, experts=6):
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(requests, experts)).astype(np.float32)
    scale = rng.uniform(0.3, 1.5, size=clean.shape).astype(np.float32)
    noisy = clean + scale * rng.normal(size=clean.shape).astype(np.float32)
    return GateLogits(tf.constant(clean), tf.constant(noisy), tf.constant(scale))


def test_squared_coefficient_of_variation():
    # mean 3, variance 8/3
    assert float(squared_coefficient_of_variation(tf.constant([1.0, 3.0, 5.0]))) == pytest.approx(8 / 27)


def test_the_gradient_is_finite_where_all_are_equal():
    x = tf.Variable([2.0, 2.0, 2.0])
    with tf.GradientTape() as tape:
        value = squared_coefficient_of_variation(x)
    np.testing.assert_allclose(tape.gradient(value, x), 0.0, atol=1e-7)


@pytest.mark.parametrize("k", [1, 3])
def test_load_is_the_probability_of_staying_among_the_top_k(k):
    logits = noisy_logits(seed=k)
    clean, noisy, scale = (values.numpy().tolist() for values in logits)
    expected = [0.0] * 6
    for request in range(40):
        for e in range(6):
            others = sorted((h for j, h in enumerate(noisy[request]) if j != e), reverse=True)
            distribution = statistics.NormalDist(clean[request][e], scale[request][e])
            expected[e] += 1.0 - distribution.cdf(others[k - 1])
    np.testing.assert_allclose(load(logits, k), expected, rtol=1e-4)


def test_load_without_noise_counts_requests():
    clean = noisy_logits(seed=5).clean
    active = top_k_gate(clean, 2).active
    np.testing.assert_array_equal(load(GateLogits(clean, clean, None), 2), np.sum(active, axis=0))


def test_load_is_constant_where_all_experts_are_active():
    logits = noisy_logits(seed=6)
    np.testing.assert_array_equal(load(logits, 6), 40.0)
    weights = top_k_gate(logits.noisy, 6).weights
    expected = squared_coefficient_of_variation(importance(weights))
    assert float(load_balance(weights, logits, 6)) == pytest.approx(float(expected), rel=1e-5)


def test_descending_the_loss_evens_out_the_load():
    clean = tf.Variable(tf.tile([[4.0, 1.0, 0.0, -3.0]], [64, 1]))
    noise = tf.random.stateless_normal([64, 4], [1, 1])

    def loss():
        logits = GateLogits(clean, clean + noise, tf.ones_like(clean))
        return load_balance(top_k_gate(logits.noisy, 2).weights, logits, 2)

    before = float(loss())
    optimizer = tf.keras.optimizers.Adam(0.1)
    for _ in range(60):
        optimizer.minimize(loss, [clean])
    assert np.all(np.isfinite(clean))
    assert float(loss()) < 0.2 * before
