import numpy as np
import tensorflow as tf

from models.layers.position_tower import PositionTower


def test_positions_have_logits_of_their_own_and_deep_ones_share_the_last():
    tower = PositionTower(positions=3, momentum=0.5)
    tower.table.assign([1.0, 2.0, 6.0])
    np.testing.assert_array_equal(tower(tf.constant([1, 2, 3, 99])), [1.0, 2.0, 6.0, 6.0])
    # The mean of the batch is 3.75; the moving mean started at 0.
    assert float(tower.mean) == 0.5 * 3.75
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tower(tf.constant([2, 2])))
    np.testing.assert_array_equal(tf.convert_to_tensor(tape.gradient(value, tower.table)), [0.0, 2.0, 0.0])
