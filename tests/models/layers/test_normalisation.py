import numpy as np
import pytest
import tensorflow as tf

from models.layers.normalisation import BatchNormalisation


@pytest.mark.parametrize("training", [True, False])
def test_weighted_rows_are_normalised_as_keras_normalises_them_repeated(training):
    rng = np.random.default_rng(0)
    x, weights = rng.normal(3.0, 2.0, size=(4, 3)).astype(np.float32), [3, 0, 1, 5]
    ours, keras = BatchNormalisation(0.8), tf.keras.layers.BatchNormalization(momentum=0.8, center=False, scale=False)
    for _ in range(2):
        ours(x, weights, training=True)
        keras(np.repeat(x, weights, axis=0), training=True)
    expected = keras(np.repeat(x, weights, axis=0), training=training)
    np.testing.assert_allclose(np.repeat(ours(x, weights, training=training), weights, axis=0), expected, atol=1e-5)
    for one, other in zip(ours.variables, keras.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
