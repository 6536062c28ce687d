"""Rows that belong together: which they are, and their sums."""

import tensorflow as tf


def segment_sum(values: tf.Tensor, segments: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """`tf.math.unsorted_segment_sum` whose gradient is one gather; TensorFlow's guards against negative segments.

    Args:
      values: [n, ...].
      segments: where each row goes, [n], none negative.
      count: of segments; those without a row are 0.
    """

    @tf.custom_gradient
    def summed(values):
        return tf.math.unsorted_segment_sum(values, segments, count), lambda upstream: tf.gather(upstream, segments)

    return summed(values)


def segments_of(ragged: tf.RaggedTensor) -> tf.Tensor:
    """The row of each value, [n] int64: `value_rowids` in a third of its operations.

    A value's row is the number of rows that end before it.
    """
    ends = ragged.row_splits[1:]
    places = tf.shape(ragged.flat_values, tf.int64)[0] + 1
    return tf.cumsum(tf.scatter_nd(ends[:, tf.newaxis], tf.ones_like(ends), places[tf.newaxis]))[:-1]
