"""Routing: how requests are sent to experts, and what all gates have in common."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.layers.gates import GateLogits
from models.layers.request_encoder import EncodedRequests

_PATHS_AT_ONCE = 65_536


class Routing(NamedTuple):
    """How B requests are sent to N experts.

    Attributes:
      weights: of the experts, [B, N] float32; [T, N] from gates that weigh items; None from folded gates.
      active: the K experts with the largest gates, [B, N] bool; None from a gate that makes no choice.
      experts: their indices, [B, K] int32, the best first; None likewise.
      expert_weights: their weights, [B, K] float32; None likewise.
      logits: of the leaf category; None from a gate without noise.
      level_logits: noise-free logits of the gated levels of the category path, [B, N] each, top first.
      gate, masked_gate: AW-MoE's gate before it becomes weights, centred, and the same with some of the behaviours
        masked, [B, N] each; the latter in training only.
      has_behaviours: [B] bool; None, as the two above, from a gate that looks at the category alone.
    """

    weights: tf.Tensor | None
    active: tf.Tensor | None = None
    experts: tf.Tensor | None = None
    expert_weights: tf.Tensor | None = None
    logits: GateLogits | None = None
    level_logits: tuple = ()
    gate: tf.Tensor | None = None
    masked_gate: tf.Tensor | None = None
    has_behaviours: tf.Tensor | None = None


class CategoryTable(NamedTuple):
    """A gate's embeddings of the categories of one level.

    Attributes:
      level: number of the level, from 1 at the top.
      table: a row for each category id.
      like_parents: gives embeddings whose gates are those of categories of the level above, ids [C] -> [C, E]; None if
        the level above has no gate.
    """

    level: int
    table: tf.keras.layers.Embedding
    like_parents: Callable[[np.ndarray], np.ndarray] | None = None


class Gates(tf.keras.layers.Layer):
    """The gates of one task. Whoever needs to know something about a gate asks these attributes and methods.

    Attributes:
      sees_category_alone: whether the routing follows from the category path alone, so that tables can stand in for
        the gate.
      weighs_items: whether each item has weights of its own, instead of one row of weights for each request.
      levels: places of the category levels that route, from 0 at the top.
      category_tables: the embeddings by category.
      input_kernels: weights whose first axis is the columns of the experts' input.
    """

    sees_category_alone = False
    weighs_items = False
    levels = range(0)
    category_tables: list[CategoryTable] = []
    input_kernels: list[tf.Variable] = []

    def route(
        self, encoded: EncodedRequests, categories: list[tf.Tensor], training: bool = False, seed=None
    ) -> Routing:
        """Sends requests to the experts.

        Args:
          encoded: B requests.
          categories: [B] int64 ids of each level of the category path, top first.
          training: whether noise or masks are drawn.
          seed: [2] int32 or a `SharedSeed`, of what is drawn.
        """
        raise NotImplementedError

    def route_categories(self, categories: list[tf.Tensor]) -> Routing | None:
        """Sends requests to the experts of which just the category path is known, without noise.

        A gate that sees behaviours routes them as requests of a user without any. None from gates that see items.
        """
        return None

    def routings(self, paths: np.ndarray) -> Iterator[Routing | None]:
        """`route_categories` of many paths, [C, L] int64, some ten thousands at a time; at least once."""
        for at in range(0, max(1, len(paths)), _PATHS_AT_ONCE):
            yield self.route_categories(list(tf.constant(paths[at : at + _PATHS_AT_ONCE].T)))

    def category_vectors(self, paths: np.ndarray) -> np.ndarray | None:
        """[C, N] float32, the experts' weights for requests of which just the category path is known.

        Args:
          paths: [C, L] int64, ids of the categories, top first, 0 for unknown.

        Returns:
          None from gates that see items.
        """
        parts = list(self.routings(paths))
        return None if parts[0] is None else np.concatenate([routing.weights.numpy() for routing in parts])

    def mean_weights(
        self, weights: np.ndarray, top_category: np.ndarray, lengths: np.ndarray
    ) -> tuple[list[str], np.ndarray]:
        """Of gates that see items: names of groups of requests, and the mean weights, [groups, N], of a sample's items
        in each; NaN where a group has none.

        Args:
          weights: of the sample's items, [T, N].
          top_category: ids, [B].
          lengths: the requests' numbers of items, [B].
        """
        raise NotImplementedError
