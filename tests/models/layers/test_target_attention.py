import numpy as np
import tensorflow as tf

from models.layers.target_attention import TargetAttention

REQUEST_OF_ITEM = [0, 0, 1]


def test_equals_the_formula_and_reads_what_is_there_only():
    rng = np.random.default_rng(1)
    attention = TargetAttention(hidden=4)
    behaviours = tf.Variable(rng.normal(size=(2, 3, 2)).astype(np.float32))
    present = np.array([[True, True, False], [False, False, False]])
    targets = rng.normal(size=(3, 2)).astype(np.float32)
    with tf.GradientTape() as tape:
        pooled = attention(behaviours, present, targets, tf.constant(REQUEST_OF_ITEM, tf.int64))
        value = tf.reduce_sum(pooled**2)
    for item, request in enumerate(REQUEST_OF_ITEM):
        expected = np.zeros(2)
        for j in range(3):
            if present[request, j]:
                b, t = behaviours.numpy()[request, j], targets[item]
                hidden = b @ attention.of_behaviour.kernel.numpy() + attention.of_behaviour.bias.numpy()
                hidden = hidden + t @ attention.of_target.kernel.numpy() + (b * t) @ attention.of_product.kernel.numpy()
                weight = np.maximum(hidden, 0) @ attention.activation.kernel.numpy() + attention.activation.bias.numpy()
                expected = expected + weight * b
        np.testing.assert_allclose(pooled[item], expected, rtol=1e-4, atol=1e-6)
    reached = np.any(tape.gradient(value, behaviours).numpy() != 0.0, axis=-1)
    np.testing.assert_array_equal(reached, present)
