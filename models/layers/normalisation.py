"""Normalisation by the statistics of a batch."""

import tensorflow as tf

from models.distributed.replicas import replicas, total

_EPSILON = 1e-3


class BatchNormalisation(tf.keras.layers.Layer):
    """Batch normalisation without an affine part, of rows that count for more than one.

    With weights w of the rows, for each column

        mean = sum(w x) / sum(w),  variance = sum(w (x - mean)^2) / sum(w),  y = (x - mean) / sqrt(variance + 0.001).

    With a request's number of items as its weight, the requests' part of the items' input is normalised as Keras'
    BatchNormalization would normalise it repeated for the items. Serving uses moving statistics. Replicas add up
    their sums: the batch is that of all of them.

    Args:
      momentum: share of the moving statistics that a step keeps. Keras' 0.99 leaves those of a training of few steps
        near where they started [D].
    """

    def __init__(self, momentum: float = 0.9, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, input_shape):
        """Makes the moving statistics."""
        size = input_shape[-1:]
        self.moving_mean = self.add_weight("moving_mean", size, initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight("moving_variance", size, initializer="ones", trainable=False)
        super().build(input_shape)

    def call(self, x, weights, training: bool = False) -> tf.Tensor:
        """Normalises.

        Args:
          x: [n, d] float32.
          weights: w, [n], of any numeric dtype.
          training: whether by the batch, which moves the moving statistics.
        """
        if not training:
            return (x - self.moving_mean) * tf.math.rsqrt(self.moving_variance + _EPSILON)
        weights = tf.cast(weights, x.dtype)
        if replicas() > 1:
            mean, variance = self._moments_of_all(x, weights)
            centred = x - mean
        else:
            weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights))
            mean = tf.linalg.matvec(x, weights, transpose_a=True)
            centred = x - mean
            variance = tf.linalg.matvec(tf.square(centred), weights, transpose_a=True)
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign_sub((1.0 - self.momentum) * (moving - of_batch))
        return centred * tf.math.rsqrt(variance + _EPSILON)

    def _moments_of_all(self, x, weights) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance of the replicas' rows, by sums that are exchanged once."""
        # About the moving mean, which all of them know: sums of squares far from the mean would cancel.
        shifted = x - self.moving_mean
        sums = [
            tf.linalg.matvec(shifted, weights, transpose_a=True),
            tf.linalg.matvec(tf.square(shifted), weights, transpose_a=True),
        ]
        size = x.shape[-1]
        sums = total(tf.concat([*sums, tf.reduce_sum(weights, keepdims=True)], axis=0))
        mean, square = tf.split(tf.math.divide_no_nan(sums[:-1], sums[-1]), [size, size])
        return mean + self.moving_mean, tf.maximum(square - tf.square(mean), 0.0)
