"""Target attention: what of a user's history matters for the item at hand."""

import tensorflow as tf

from models.layers.segments import segment_sum


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
        # The part of the behaviours alone is computed once a request, that of the target once an item, and only what
        # needs both for their pairs. Histories are of very different lengths: pairs are listed, not padded.
        pairs = tf.where(tf.gather(present, request_of_item))
        item = pairs[:, 0]
        behaviour = tf.gather(request_of_item, item) * tf.shape(present, tf.int64)[1] + pairs[:, 1]
        behaviours = tf.reshape(behaviours, [-1, behaviours.shape[-1]])
        mine = tf.gather(behaviours, behaviour)
        hidden = tf.gather(self.of_behaviour(behaviours), behaviour) + tf.gather(self.of_target(targets), item)
        hidden += self.of_product(mine * tf.gather(targets, item))
        weights = self.activation(tf.nn.relu(hidden))
        return segment_sum(weights * mine, item, tf.shape(targets)[0])
