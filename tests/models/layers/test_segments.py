import numpy as np
import pytest
import tensorflow as tf

from models.layers.segments import segment_sum, segments_of


@pytest.mark.parametrize("lengths", [[2, 1, 3], [0, 2, 0, 0, 1, 0], [0, 0], []])
def test_segments_are_the_rows_of_the_values(lengths):
    ragged = tf.RaggedTensor.from_row_lengths(tf.zeros([sum(lengths)]), tf.constant(lengths, tf.int64))
    np.testing.assert_array_equal(segments_of(ragged), ragged.value_rowids())
    assert segments_of(ragged).dtype == tf.int64


def test_a_segment_sum_sends_its_gradient_to_each_row():
    values = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape() as tape:
        sums = segment_sum(values, tf.constant([2, 0, 2]), 4)
        loss = tf.reduce_sum(sums * tf.constant([[1.0], [10.0], [100.0], [1000.0]]))
    np.testing.assert_array_equal(sums, [[3.0, 4.0], [0.0, 0.0], [6.0, 8.0], [0.0, 0.0]])
    np.testing.assert_array_equal(tape.gradient(loss, values), [[100.0] * 2, [1.0] * 2, [100.0] * 2])
