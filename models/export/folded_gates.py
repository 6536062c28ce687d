"""Gates that are looked up: what serving needs of gates that see the category alone."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.layers.request_encoder import EncodedRequests
from models.layers.routing import Gates, Routing


class FoldedGates(tf.Module):
    """Gates that see the category alone, as two constant tables.

    A category has a row of K expert indices in one table, and a row of their weights in the other. A path's row is that
    of its deepest known category among the levels that route; row 0 is for a path of which none is known. The levels
    that route are the leaf alone or, with back-off, all that have a gate.

    Args:
      gates: to fold, with the weights they have now; ``sees_category_alone``.
      category_sizes: ids of each level of the category path, the unknown one included.
    """

    weighs_items = False

    def __init__(self, gates: Gates, category_sizes: Sequence[int]):
        super().__init__(name=f"folded_{gates.name}")
        self.levels = gates.levels
        paths = [np.zeros([1, len(category_sizes)], np.int64)]
        self.offsets = []  # of the row of a level's id 0, which no path is sent to
        for level in self.levels:
            self.offsets.append(sum(map(len, paths)) - 1)
            paths.append(np.zeros([category_sizes[level] - 1, len(category_sizes)], np.int64))
            paths[-1][:, level] = np.arange(1, category_sizes[level])
        paths = np.concatenate(paths)
        routings = list(gates.routings(paths))
        experts, weights = (
            tf.concat([getattr(routing, name) for routing in routings], axis=0)
            for name in ("experts", "expert_weights")
        )
        # Variables, not constants: the graphs of all signatures share them.
        self.experts = tf.Variable(experts, trainable=False, name="folded_experts")
        self.weights = tf.Variable(weights, trainable=False, name="folded_weights")

    def route(self, encoded: EncodedRequests, categories: list, training: bool = False, seed=None) -> Routing:
        """See `Gates`; without noise."""
        return self.route_categories(categories)

    def route_categories(self, categories: list[tf.Tensor]) -> Routing:
        """Routes as the folded gates do without noise; ``experts`` and ``expert_weights`` alone are set."""
        row = tf.zeros_like(categories[0])
        for level, offset in zip(self.levels, self.offsets, strict=True):
            row = tf.where(categories[level] > 0, categories[level] + offset, row)
        experts, weights = tf.gather(self.experts, row), tf.gather(self.weights, row)
        return Routing(None, experts=experts, expert_weights=weights)
