"""Target attention: what of a user's history matters for the item at hand."""

import tensorflow as tf


class TargetAttention(tf.keras.layers.Layer):
    """Pools a history for each item: pooled_i = sum over j of a(b_j, t_i) b_j, a = MLP([b, t, b * t]).

    Deep Interest Network's activation unit, whose weights are not normalised, so that a strong interest counts for
    more than a weak one [Zhou et al. 2018]. DIN's difference b - t is left out: a linear layer makes it of b and t.

    Args:
      hidden: units of the hidden layer [D].
    """

    def __init__(self, hidden: int = 32, **kwargs):
        super().__init__(**kwargs)
        self.of_behaviour = tf.keras.layers.Dense(hidden, name="of_behaviour")
        self.of_target = tf.keras.layers.Dense(hidden, use_bias=False, name="of_target")
        self.of_product = tf.keras.layers.Dense(hidden, use_bias=False, name="of_product")
        self.activation = tf.keras.layers.Dense(1, name="activation")

    def call(self, behaviours, present, targets, request_of_item) -> tf.Tensor:
        """Pools.

        Args:
          behaviours: b, [B, M, E] float32.
          present: [B, M] bool, False where a history is shorter.
          targets: t, the items, [T, E] float32.
          request_of_item: [T] int64.

        Returns:
          [T, E] float32, zeros for the items of a request without history.
        """
        # The part of the behaviours alone is computed once a request, that of the target once an item.
        mine = tf.gather(behaviours, request_of_item)
        hidden = tf.gather(self.of_behaviour(behaviours), request_of_item) + self.of_target(targets)[:, tf.newaxis]
        hidden += self.of_product(mine * targets[:, tf.newaxis])
        weights = self.activation(tf.nn.relu(hidden))[..., 0]
        weights = tf.where(tf.gather(present, request_of_item), weights, 0.0)
        return tf.linalg.matvec(mine, weights, transpose_a=True)
