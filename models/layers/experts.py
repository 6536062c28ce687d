"""The experts of a mixture: N towers of the same form, each with weights of its own."""

import bisect
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

from models.layers.segments import segments_of


class Experts(tf.keras.layers.Layer):
    """N towers over the same input, E_e(x) = Dense 1 . ReLU Dense 64 . ReLU Dense 128 [C].

    Tasks share the hidden layers; each has an output of its own.

    An item's input is its own part and its request's, x = [x_item, x_request], and so the first layer is
    W x + b = W_item x_item + (W_request x_request + b). What stands in brackets is computed once a request [D].

    The weights of a layer are stacked over the experts, kernels [N, in, out] and biases [N, out], and start as those
    of N independent Dense layers would (Glorot, the fans of one expert). The towers are computed one after the other:
    one product over the stack would need as many rows of every expert, and pads the idle ones to the busiest.

    There is no normalisation here: x is normalised once for all experts.

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
        self.sizes = [shape[-1] for shape in input_shape]
        size = sum(self.sizes)
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

    def call(self, x, lengths, chosen=None, training: bool = False, one_request: bool = False) -> tf.Tensor:
        """Computes the experts' logits.

        Args:
          x: the items' part [T, d_item], the items of a request together, and the requests' part [B, d_request].
          lengths: [B] int64, how many items each request has.
          chosen: [B, S] int32, the experts that each request wants for its items; None for all N.
          training: whether ``bfloat16`` holds.
          one_request: B is 1, for serving. Its experts are computed by one product a layer then, without dispatch, and
            the time does not depend on N.

        Returns:
          [T, S, tasks] float32 in the order of ``chosen``, or [T, N, tasks].
        """
        items, requests = x
        if one_request and chosen is not None:
            return self._of_one_request(items, requests, chosen[0])
        dtype = tf.bfloat16 if training and self.bfloat16 else tf.float32
        towers = _Towers(self.kernels, self.biases, self.sizes, dtype)
        if chosen is not None and self.dispatch == "sparse":
            return self._chosen(items, requests, lengths, chosen, towers)
        request_of_item = segments_of(tf.RaggedTensor.from_row_lengths(items, lengths, validate=False))
        logits = [
            towers.logits(expert, items, tf.gather(towers.of_requests(expert, requests), request_of_item))
            for expert in range(self.experts)
        ]
        logits = tf.stack(logits, axis=1)
        return logits if chosen is None else tf.gather(logits, tf.gather(chosen, request_of_item), batch_dims=1)

    def _of_one_request(self, items, request, chosen) -> tf.Tensor:
        """[n, d_item], [1, d_request], [S] -> [n, S, tasks]."""
        (of_both, *kernels), (of_first, *biases) = (
            [tf.gather(stack, chosen) for stack in stacks] for stacks in (self.kernels, self.biases)
        )
        of_items, of_request = tf.split(of_both, self.sizes, axis=1)
        # Expert by expert along the first axis: [S, n, units] everywhere.
        x = tf.matmul(items[tf.newaxis], of_items)
        x += tf.matmul(request[tf.newaxis], of_request) + of_first[:, tf.newaxis]
        for kernel, bias in zip(kernels, biases, strict=True):
            x = tf.matmul(tf.nn.relu(x), kernel) + bias[:, tf.newaxis]
        return tf.transpose(x, [1, 0, 2])

    def _chosen(self, items, requests, lengths, chosen, towers: "_Towers") -> tf.Tensor:
        """Sparse dispatch: one gather and one scatter for all experts, and a tower for the rows of each."""
        slots = chosen.shape[1]
        # A pair is a request and one of its slots. Pairs are sorted by expert, not items: they are fewer, and the items
        # of a request lie side by side.
        expert = tf.reshape(chosen, [-1])
        pair = tf.concat(tf.dynamic_partition(tf.range(tf.size(expert)), expert, self.experts), axis=0)
        expert, request = tf.gather(expert, pair), pair // slots
        counts = tf.gather(lengths, request)
        first = tf.gather(tf.cumsum(lengths, exclusive=True), request)
        items_of_pair = tf.ragged.range(first, first + counts)
        item = items_of_pair.flat_values
        pairs_of_expert = tf.math.unsorted_segment_sum(tf.ones_like(expert), expert, self.experts)
        items_of_expert = tf.math.unsorted_segment_sum(counts, expert, self.experts)

        # Where the pair of a row stands, among all and among those of its expert.
        place = segments_of(items_of_pair)
        of_expert = tf.range(tf.size(pair)) - tf.gather(tf.cumsum(pairs_of_expert, exclusive=True), expert)
        pieces = zip(
            tf.split(tf.gather(requests, request), pairs_of_expert, num=self.experts),
            tf.split(tf.gather(of_expert, place), items_of_expert, num=self.experts),
            tf.split(tf.gather(items, item), items_of_expert, num=self.experts),
            strict=True,
        )
        logits = [
            towers.logits(number, rows, tf.gather(towers.of_requests(number, of_requests), pair_of_row))
            for number, (of_requests, pair_of_row, rows) in enumerate(pieces)
        ]

        slot = tf.gather(tf.cast(pair % slots, tf.int64), place)
        size = tf.shape(items, tf.int64)[0] * slots
        shape = tf.stack([size, tf.constant(self.tasks, tf.int64)])
        logits = tf.scatter_nd((item * slots + slot)[:, tf.newaxis], tf.concat(logits, axis=0), shape)
        return tf.reshape(logits, [-1, slots, self.tasks])


class _Towers:
    """The weights apart by expert; ``dtype`` is that of what is computed for items, but for the output."""

    def __init__(self, kernels: list, biases: list, sizes: list[int], dtype: tf.DType):
        self._dtype = dtype
        of_items, of_requests = tf.split(kernels[0], sizes, axis=1)
        self._of_requests = tf.unstack(of_requests), tf.unstack(biases[0])
        self._of_items = tf.unstack(tf.cast(of_items, dtype))
        self._hidden = [
            (tf.unstack(tf.cast(kernel, dtype)), tf.unstack(tf.cast(bias, dtype)))
            for kernel, bias in zip(kernels[1:-1], biases[1:-1], strict=True)
        ]
        self._output = tf.unstack(kernels[-1]), tf.unstack(biases[-1])

    def of_requests(self, expert: int, requests: tf.Tensor) -> tf.Tensor:
        """What requests add to the first layer, W_request x_request + b: [B, d_request] -> [B, units] float32."""
        if not requests.shape[-1]:  # oneDNN's fused product would end the process
            return tf.repeat(self._of_requests[1][expert][tf.newaxis], tf.shape(requests)[0], axis=0)
        return _dense(requests, expert, self._of_requests)

    def logits(self, expert: int, items: tf.Tensor, of_requests: tf.Tensor) -> tf.Tensor:
        """[n, d_item] and what each item's request adds, [n, units] -> [n, tasks] float32."""
        # A sum by + would ask on the way back which of the two was broadcast.
        x = tf.add_n(
            [tf.matmul(tf.cast(items, self._dtype), self._of_items[expert]), tf.cast(of_requests, self._dtype)]
        )
        for layer in self._hidden:
            x = _dense(tf.nn.relu(x), expert, layer)
        return _dense(tf.cast(tf.nn.relu(x), tf.float32), expert, self._output)


def _dense(x: tf.Tensor, expert: int, layer: tuple[list, list]) -> tf.Tensor:
    kernels, biases = layer
    return tf.nn.bias_add(tf.matmul(x, kernels[expert]), biases[expert])


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
