"""The position tower: what the place in the shown list did to a click."""

import tensorflow as tf

from models.distributed.replicas import replicas, total


class PositionTower(tf.keras.layers.Layer):
    """A logit for each position, added to an item's in training and replaced by its mean elsewhere [D].

    Users look less at what stands lower, so a click rate mixes what an item is worth with where the last ranker put
    it. The tower takes the part of the position; a ranking is made without it. The mean over the impressions of
    training is what keeps the probabilities calibrated then: it is the same for all items and changes no order.

    Args:
      positions: how many have a logit of their own; deeper ones share the last.
      momentum: of the moving mean.
    """

    def __init__(self, positions: int = 100, momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        self.positions = positions
        self.momentum = momentum
        self.table = self.add_weight(f"{self.name}/logits", (positions,), initializer="zeros")
        self.mean = self.add_weight(f"{self.name}/mean", (), initializer="zeros", trainable=False)

    def call(self, positions) -> tf.Tensor:
        """The logits of positions, [T] int64 from 1 -> [T] float32; moves the mean."""
        logits = tf.gather(self.table, tf.clip_by_value(positions, 1, self.positions) - 1)
        mean = tf.stop_gradient(tf.reduce_mean(logits))
        if replicas() > 1:
            count = tf.cast(tf.size(logits), tf.float32)
            of_all = total(tf.stack([mean * count, count]))
            mean = of_all[0] / of_all[1]
        self.mean.assign(self.momentum * self.mean + (1.0 - self.momentum) * mean)
        return logits
