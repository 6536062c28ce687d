"""MMoE's gates: one for each bucket of top categories, which see the whole input of an item."""

import heapq
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.layers.request_encoder import EncodedRequests
from models.layers.routing import Gates, Routing


class BucketGates(Gates):
    """g_m = softmax(W_m x + b_m) over all N experts, m the bucket of the request's top category [A; Ma et al. 2018].

    The papers' baseline takes buckets of top categories for the tasks of a multi-gate mixture of experts. The unknown
    category belongs to that of the busiest one.

    Args:
      top_traffic: training requests of each id of the top level; the unknown category is id 0.
      buckets: M. More than there are top categories leave some empty.
      experts: N.
    """

    weighs_items = True

    def __init__(self, top_traffic: Sequence[int], buckets: int, experts: int, **kwargs):
        super().__init__(**kwargs)
        self.bucket_of_category = buckets_of_equal_traffic(top_traffic, buckets)
        self.buckets = buckets
        self.experts = experts

    def build(self, input_shape):
        """Makes the M kernels and biases."""
        size = input_shape[-1]
        # All gates side by side: a product with all of them is cheaper than sorting the items by bucket.
        self.dense = tf.keras.layers.Dense(self.buckets * self.experts, name="gates")
        self.dense.build((None, size))
        super().build(input_shape)

    def call(self, items, top_category, request_of_item) -> tf.Tensor:
        """The weights of the experts.

        Args:
          items: x, [T, d] float32.
          top_category: [B] int64.
          request_of_item: [T] int64.

        Returns:
          [T, N] float32, each row sums to one.
        """
        bucket = tf.gather(tf.gather(tf.constant(self.bucket_of_category), top_category), request_of_item)
        logits = tf.reshape(self.dense(items), [-1, self.buckets, self.experts])
        return tf.nn.softmax(tf.gather(logits, bucket, batch_dims=1))

    @property
    def input_kernels(self) -> list[tf.Variable]:
        """See `Gates`."""
        return [self.dense.kernel]

    def route(self, encoded: EncodedRequests, categories: list, training: bool = False, seed=None) -> Routing:
        """See `Gates`; nothing is drawn."""
        return Routing(self(encoded.joined(), categories[0], encoded.request_of_item))

    def mean_weights(
        self, weights: np.ndarray, top_category: np.ndarray, lengths: np.ndarray
    ) -> tuple[list[str], np.ndarray]:
        """See `Gates`; the groups are the buckets."""
        bucket = np.repeat(np.array(self.bucket_of_category)[top_category], lengths)
        means = np.full((self.buckets, weights.shape[1]), np.nan)
        for one in np.unique(bucket):
            means[one] = weights[bucket == one].mean(axis=0)
        return [f"bucket {number}" for number in range(self.buckets)], means


def buckets_of_equal_traffic(traffic: Sequence[int], buckets: int) -> list[int]:
    """The bucket of each category: the busiest first, each into the bucket with least traffic so far.

    The unknown category goes with the busiest one.

    Args:
      traffic: of each category id.
      buckets: M.
    """
    load = [(0, bucket) for bucket in range(buckets)]
    chosen = [0] * len(traffic)
    for category in sorted(range(1, len(traffic)), key=lambda category: -traffic[category]):
        total, bucket = heapq.heappop(load)
        chosen[category] = bucket
        heapq.heappush(load, (total + traffic[category], bucket))
    return chosen
