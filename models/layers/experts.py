"""The experts of a mixture: N towers of the same form, each with weights of its own."""

import bisect
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="aislerank")
class Experts(tf.keras.layers.Layer):
    """N towers over the same input, E_e(x) = Dense 1 . ReLU Dense 64 . ReLU Dense 128 [C].

    Tasks share the hidden layers; each has an output of its own.

    The weights of a layer are stacked over the experts, kernels [N, in, out] and biases [N, out], and start as those
    of N independent Dense layers would (Glorot, the fans of one expert). The towers are computed one after the other:
    one product over the stack would need as many rows of every expert, and pads the idle ones to the busiest.

    There is no normalisation here: the ranker normalises x once for all experts.

    Args:
      experts: N, the number of towers.
      hidden: units of the hidden layers.
      tasks: how many outputs a tower has.
      as_large_as: widens all hidden layers by one factor, until the towers have about the parameters that this number
        of them would have had: the one tower of `dnn_wide`, by which a gain of experts is told from one of size.
      dispatch: "sparse" computes the chosen experts only; "dense" computes all and picks, for devices and compilers
        that want shapes which do not depend on values. Value and gradient are the same.
      bfloat16: training computes the hidden layers in bfloat16; weights, outputs and serving are float32.
    """

    def __init__(
        self,
        experts: int,
        hidden: Sequence[int] = (128, 64),
        tasks: int = 1,
        as_large_as: int = 0,
        dispatch: Literal["sparse", "dense"] = "sparse",
        bfloat16: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if experts < 1:
            raise ValueError(f"`experts` must be at least 1. Received: experts={experts}")
        if not hidden or min(hidden) < 1:
            raise ValueError(f"`hidden` must hold numbers of at least 1. Received: hidden={hidden}")
        self.experts = experts
        self.hidden = tuple(hidden)
        self.tasks = tasks
        self.as_large_as = as_large_as
        self.dispatch = dispatch
        self.bfloat16 = bfloat16

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

    def call(self, x, chosen=None, lengths=None, training: bool = False) -> tf.Tensor:
        """Computes the experts' logits.

        Args:
          x: the items, [T, d], those of a request together.
          chosen: [B, S] int32, the experts that each request wants for its items; None for all N.
          lengths: [B] int64, how many items each request has; needed with ``chosen``.
          training: whether ``bfloat16`` holds.

        Returns:
          [T, S, tasks] float32 in the order of ``chosen``, or [T, N, tasks].
        """
        dtype = tf.bfloat16 if training and self.bfloat16 else tf.float32
        layers = [
            (tf.unstack(tf.cast(kernel, dtype)), tf.unstack(tf.cast(bias, dtype)))
            for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True)
        ]
        layers.append((tf.unstack(self.kernels[-1]), tf.unstack(self.biases[-1])))
        x = tf.cast(x, dtype)
        if chosen is not None and self.dispatch == "sparse":
            return self._chosen(x, chosen, lengths, layers)
        logits = tf.stack([self._tower(expert, x, layers) for expert in range(self.experts)], axis=1)
        return logits if chosen is None else tf.gather(logits, tf.repeat(chosen, lengths, axis=0), batch_dims=1)

    def _chosen(self, x: tf.Tensor, chosen: tf.Tensor, lengths: tf.Tensor, layers: list) -> tf.Tensor:
        """Sparse dispatch: one gather and one scatter for all experts, and a tower for the rows of each."""
        slots = chosen.shape[1]
        # Requests are sorted by expert, not items: they are fewer, and their items lie side by side.
        expert = tf.reshape(chosen, [-1])
        order = tf.argsort(expert)
        request = order // slots
        counts = tf.gather(lengths, request)
        first = tf.gather(tf.cumsum(lengths, exclusive=True), request)
        item = tf.ragged.range(first, first + counts).flat_values
        slot = tf.repeat(tf.cast(order % slots, tf.int64), counts)
        rows_of_expert = tf.math.unsorted_segment_sum(counts, tf.gather(expert, order), self.experts)
        pieces = tf.split(tf.gather(x, item), rows_of_expert, num=self.experts)
        logits = tf.concat([self._tower(number, piece, layers) for number, piece in enumerate(pieces)], axis=0)
        items = tf.shape(x, tf.int64)[0]
        logits = tf.scatter_nd(
            (item * slots + slot)[:, tf.newaxis], logits, tf.stack([items * slots, tf.constant(self.tasks, tf.int64)])
        )
        return tf.reshape(logits, [-1, slots, self.tasks])

    def _tower(self, expert: int, x: tf.Tensor, layers: list) -> tf.Tensor:
        """One expert's logits, [n, d] -> [n, tasks] float32, by the unstacked kernels and biases of all layers."""
        *hidden, (kernels, biases) = layers
        for kernel, bias in hidden:
            x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, kernel[expert]), bias[expert]))
        return tf.nn.bias_add(tf.matmul(tf.cast(x, tf.float32), kernels[expert]), biases[expert])

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {
            "experts": self.experts,
            "hidden": list(self.hidden),
            "tasks": self.tasks,
            "as_large_as": self.as_large_as,
            "dispatch": self.dispatch,
            "bfloat16": self.bfloat16,
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
