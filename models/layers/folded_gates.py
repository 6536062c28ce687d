"""Gates that are looked up: what serving needs of gates that see the category alone."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.layers.category_gates import CategoryGates
from models.layers.routing import Routing

_ROWS_AT_ONCE = 65_536


class FoldedGates(tf.Module):
    """A `CategoryGates` as two constant tables: a row of K expert indices and one of their weights for each category.

    A path's row is that of its deepest known category among the levels that route; row 0 is for a path of which none
    is known. The levels that route are the leaf alone or, with back-off, all that have a gate.

    Args:
      gates: to fold, with the weights they have now.
      category_sizes: ids of each level of the category path, the unknown one included.
    """

    def __init__(self, gates: CategoryGates, category_sizes: Sequence[int]):
        super().__init__(name=f"folded_{gates.name}")
        self.levels = gates.levels
        paths = [np.zeros([1, len(category_sizes)], np.int64)]
        self.offsets = []  # of the row of a level's id 0, which no path is sent to
        for level in self.levels:
            self.offsets.append(sum(map(len, paths)) - 1)
            paths.append(np.zeros([category_sizes[level] - 1, len(category_sizes)], np.int64))
            paths[-1][:, level] = np.arange(1, category_sizes[level])
        paths = np.concatenate(paths)
        routings = [
            gates(list(tf.constant(paths[start : start + _ROWS_AT_ONCE].T)))
            for start in range(0, len(paths), _ROWS_AT_ONCE)
        ]
        experts, weights = (
            tf.concat([getattr(routing, name) for routing in routings], axis=0)
            for name in ("experts", "expert_weights")
        )
        # Variables, not constants: the graphs of all signatures share them.
        self.experts = tf.Variable(experts, trainable=False, name="folded_experts")
        self.weights = tf.Variable(weights, trainable=False, name="folded_weights")

    def __call__(self, categories: list[tf.Tensor], training: bool = False, seed=None) -> Routing:
        """Routes as the folded gates do without noise; ``experts`` and ``expert_weights`` alone are set."""
        row = tf.zeros_like(categories[0])
        for level, offset in zip(self.levels, self.offsets, strict=True):
            row = tf.where(categories[level] > 0, categories[level] + offset, row)
        experts, weights = tf.gather(self.experts, row), tf.gather(self.weights, row)
        return Routing(None, experts=experts, expert_weights=weights)
