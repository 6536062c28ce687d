"""The experts of a mixture: N towers of the same form, each with weights of its own."""

import bisect
import itertools
import math
from collections.abc import Sequence

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="aislerank")
class Experts(tf.keras.layers.Layer):
    """N towers over the same input, E_e(x) = Dense 1 . ReLU Dense 64 . ReLU Dense 128 [C].

    Tasks share the hidden layers; each has an output of its own.

    The weights of a layer are stacked over the experts, kernels [N, in, out] and biases [N, out], and start as those
    of N independent Dense layers would (Glorot, the fans of one expert). The towers are computed one after the other:
    on a CPU one einsum over the stack is no faster. What pays is to leave out the idle ones, see ``needed``.

    There is no normalisation here: the ranker normalises x once for all experts.

    Args:
      experts: N, the number of towers.
      hidden: units of the hidden layers.
      tasks: how many outputs a tower has.
      as_large_as: widens all hidden layers by one factor, until the towers have about the parameters that this number
        of them would have had: the one tower of `dnn_wide`, by which a gain of experts is told from one of size.
    """

    def __init__(self, experts: int, hidden: Sequence[int] = (128, 64), tasks: int = 1, as_large_as: int = 0, **kwargs):
        super().__init__(**kwargs)
        if experts < 1:
            raise ValueError(f"`experts` must be at least 1. Received: experts={experts}")
        if not hidden or min(hidden) < 1:
            raise ValueError(f"`hidden` must hold numbers of at least 1. Received: hidden={hidden}")
        self.experts = experts
        self.hidden = tuple(hidden)
        self.tasks = tasks
        self.as_large_as = as_large_as

    def build(self, input_shape):
        """Makes the stacked kernels and biases."""
        self.kernels, self.biases = [], []
        size = input_shape[-1]
        hidden = self.hidden
        if self.as_large_as > self.experts:
            hidden = widened(size, hidden, self.tasks, self.as_large_as / self.experts)
        for layer, units in enumerate((*hidden, self.tasks)):
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
          [T, N, tasks] float32; 0 where not needed, and no gradient from there. Where needed, value and gradient are
          those of the dense computation.
        """
        kernels = [tf.unstack(kernel) for kernel in self.kernels]
        biases = [tf.unstack(bias) for bias in self.biases]
        if needed is None:
            logits = [self._tower(expert, x, kernels, biases) for expert in range(self.experts)]
            return tf.cast(tf.stack(logits, axis=1), tf.float32)
        # One gather and one scatter for all experts: rows sorted by expert, cut into one piece an expert.
        expert_and_row = tf.where(tf.transpose(needed))
        rows = tf.gather(x, expert_and_row[:, 1])
        counts = tf.math.count_nonzero(needed, axis=0)
        pieces = tf.split(rows, counts, num=self.experts)
        logits = [self._tower(expert, piece, kernels, biases) for expert, piece in enumerate(pieces)]
        logits = tf.cast(tf.concat(logits, axis=0), tf.float32)
        shape = tf.stack([tf.cast(self.experts, tf.int64), tf.shape(needed, tf.int64)[0], self.tasks])
        return tf.transpose(tf.scatter_nd(expert_and_row, logits, shape), [1, 0, 2])

    def _tower(self, expert: int, x: tf.Tensor, kernels: list, biases: list) -> tf.Tensor:
        """One expert's logits, [n, d] -> [n, tasks], by the unstacked kernels and biases of all layers."""
        for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            x = tf.matmul(x, kernel[expert]) + bias[expert]
            if layer < len(self.hidden):
                x = tf.nn.relu(x)
        return x

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {
            "experts": self.experts,
            "hidden": list(self.hidden),
            "tasks": self.tasks,
            "as_large_as": self.as_large_as,
        }


def widened(size: int, hidden: Sequence[int], outputs: int, factor: float) -> tuple[int, ...]:
    """Hidden layers, all wider by one factor, of a tower with at most ``factor`` times the parameters.

    Args:
      size: of the input.
      hidden: units of the hidden layers.
      outputs: of the tower.
      factor: at least 1.
    """

    def parameters(layers):
        return sum((before + 1) * after for before, after in itertools.pairwise((size, *layers, outputs)))

    widest = hidden[0] * math.ceil(factor)
    # By the first layer's units, the others in proportion: the parameters grow with it.
    candidates = [
        tuple(max(1, round(units * first / hidden[0])) for units in hidden) for first in range(hidden[0], widest + 1)
    ]
    return candidates[bisect.bisect_right(candidates, factor * parameters(hidden), key=parameters) - 1]
