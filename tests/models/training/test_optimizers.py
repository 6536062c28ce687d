import math

import numpy as np
import pytest
import tensorflow as tf

from models.training.optimizers import Adam, LazyAdam, WarmUp


def reference(weight, gradients, learning_rate, lazy):
    """Adam in plain Python on one number; None is a step in which its row was not looked up."""
    m = v = 0.0
    for step, gradient in enumerate(gradients, start=1):
        if gradient is None and lazy:
            continue
        m = 0.9 * m + 0.1 * (gradient or 0.0)
        v = 0.999 * v + 0.001 * (gradient or 0.0) ** 2
        rate = learning_rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight -= rate * m / (math.sqrt(v) + 1e-7)
    return weight


@pytest.mark.parametrize(("optimizer", "lazy"), [(Adam, False), (LazyAdam, True)])
@pytest.mark.parametrize("graph", [False, True])
def test_a_lazy_row_takes_adams_step_only_when_it_is_looked_up(optimizer, lazy, graph):
    table, kernel = tf.Variable([[1.0], [2.0], [3.0]]), tf.Variable([[4.0]])
    optimizer = optimizer(0.1)

    def step(ids, slopes):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, ids)[:, 0] * slopes) + tf.reduce_sum(kernel * slopes[0])
        optimizer.minimize(loss, [table, kernel], tape)

    step = tf.function(step, reduce_retracing=True) if graph else step
    step(tf.constant([0, 1, 0]), tf.constant([0.5, 2.0, 1.0]))  # row 0 twice: its slopes add up
    step(tf.constant([1]), tf.constant([-3.0]))
    step(tf.constant([0, 1]), tf.constant([0.25, 1.0]))

    expected = [reference(1.0, [1.5, None, 0.25], 0.1, lazy), reference(2.0, [2.0, -3.0, 1.0], 0.1, lazy), 3.0]
    np.testing.assert_allclose(table[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(kernel, [[reference(4.0, [0.5, -3.0, 0.25], 0.1, lazy)]], rtol=1e-5)
    # A row that was left out tells the two apart.
    assert abs(reference(1.0, [1.5, None, 0.25], 0.1, True) - reference(1.0, [1.5, None, 0.25], 0.1, False)) > 0.01


def test_on_dense_weights_they_are_keras_adam():
    weights = [tf.Variable(tf.random.stateless_normal([4, 3], [1, 2])) for _ in range(2)]
    schedule = WarmUp(0.1, warmup_steps=2, total_steps=6, cosine=True)
    for optimizer, weight in zip((Adam(schedule), tf.keras.optimizers.Adam(schedule)), weights, strict=True):
        for number in range(6):
            optimizer.apply_gradients([(tf.random.stateless_normal([4, 3], [number, 3]), weight)])
    np.testing.assert_allclose(*weights, rtol=1e-5)


def test_the_learning_rate_warms_up_and_decays():
    schedule = WarmUp(0.1, warmup_steps=4, total_steps=12, cosine=True)
    rates = [float(schedule(step)) for step in range(13)]
    expected = [0.1 * (step + 1) / 4 for step in range(4)]
    expected += [0.05 * (1 + np.cos(np.pi * (step - 4) / 8)) for step in range(4, 13)]
    np.testing.assert_allclose(rates, expected, atol=1e-7)
