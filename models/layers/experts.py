"""The experts of a mixture: N towers of the same form, each with weights of its own."""

import math
from collections.abc import Sequence

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="aislerank")
class Experts(tf.keras.layers.Layer):
    """N towers over the same input, E_e(x) = Dense 1 . ReLU Dense 64 . ReLU Dense 128 [C].

    The weights of a layer are stacked over the experts, kernels [N, in, out] and biases [N, out], and start as those
    of N independent Dense layers would (Glorot, the fans of one expert). The towers are computed one after the other:
    on a CPU one einsum over the stack is no faster. What pays is to leave out the idle ones, see ``needed``.

    There is no normalisation here: the ranker normalises x once for all experts.

    Args:
      experts: N, the number of towers.
      hidden: units of the hidden layers.
    """

    def __init__(self, experts: int, hidden: Sequence[int] = (128, 64), **kwargs):
        super().__init__(**kwargs)
        if experts < 1:
            raise ValueError(f"`experts` must be at least 1. Received: experts={experts}")
        if not hidden or min(hidden) < 1:
            raise ValueError(f"`hidden` must hold numbers of at least 1. Received: hidden={hidden}")
        self.experts = experts
        self.hidden = tuple(hidden)

    def build(self, input_shape):
        """Makes the stacked kernels and biases."""
        self.kernels, self.biases = [], []
        size = input_shape[-1]
        for layer, units in enumerate((*self.hidden, 1)):
            # Keras' Glorot initialiser would count the experts into the fans of a [N, in, out] kernel.
            limit = math.sqrt(6.0 / (size + units))
            initializer = tf.keras.initializers.RandomUniform(-limit, limit)
            self.kernels.append(self.add_weight(f"kernel_{layer}", (self.experts, size, units), None, initializer))
            self.biases.append(self.add_weight(f"bias_{layer}", (self.experts, units), None, "zeros"))
            size = units
        super().build(input_shape)

    def call(self, x, needed=None) -> tf.Tensor:
        """Computes the experts' logits.

        Args:
          x: the items, [T, d].
          needed: [T, N] bool, which experts are wanted for which item; None for all. Only wanted ones are computed.
            Not for XLA, the shapes depend on the values.

        Returns:
          [T, N] float32; 0 where not needed, and no gradient from there. Where needed, value and gradient are those
          of the dense computation.
        """
        kernels = [tf.unstack(kernel) for kernel in self.kernels]
        biases = [tf.unstack(bias) for bias in self.biases]
        if needed is None:
            logits = [self._tower(expert, x, kernels, biases) for expert in range(self.experts)]
            return tf.cast(tf.concat(logits, axis=-1), tf.float32)
        # One gather and one scatter for all experts: rows sorted by expert, cut into one piece an expert.
        expert_and_row = tf.where(tf.transpose(needed))
        rows = tf.gather(x, expert_and_row[:, 1])
        counts = tf.math.count_nonzero(needed, axis=0)
        pieces = tf.split(rows, counts, num=self.experts)
        logits = [self._tower(expert, piece, kernels, biases) for expert, piece in enumerate(pieces)]
        logits = tf.cast(tf.concat(logits, axis=0)[:, 0], tf.float32)
        shape = tf.stack([tf.cast(self.experts, tf.int64), tf.shape(needed, tf.int64)[0]])
        return tf.transpose(tf.scatter_nd(expert_and_row, logits, shape))

    def _tower(self, expert: int, x: tf.Tensor, kernels: list, biases: list) -> tf.Tensor:
        """One expert's logits, [n, d] -> [n, 1], by the unstacked kernels and biases of all layers."""
        for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            x = tf.matmul(x, kernel[expert]) + bias[expert]
            if layer < len(self.hidden):
                x = tf.nn.relu(x)
        return x

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"experts": self.experts, "hidden": list(self.hidden)}
