"""The gates of a mixture of experts over a category path: the leaf's, and the constraint gates above it."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.layers.gates import Gate, GateLogits, top_k_gate
from models.layers.request_encoder import EncodedRequests
from models.layers.routing import CategoryTable, Gates, Routing


class CategoryGates(Gates):
    """Gates that look at the query's category only.

    The inference gate takes the leaf c^L, h^L = W v(c^L) + b. With ``constrained``, each level l < L
    has a constraint gate h^l of the same form, noise-free and used in the loss only [A] (but for back-off), with
    weights of its own [D]. The embeddings v belong to the gates alone [D], so that no loss on the experts' output but
    the ranking loss reaches a gate.

    With ``back_off``, where a level's category is unknown, the gate of the level above stands in, which
    the constraint has trained for just that; where there is none, the mean gate, W E[v] + b over the
    training requests [D]. Training does the same, where it has requests of unknown categories. Without it
    the unknown id has an embedding like any other.

    Args:
      category_traffic: training requests of each id of each level, top first; the unknown category is id 0.
      experts: N.
      top_k: K.
      embedding_size: the width of v.
      noisy: noise on the inference gate in training.
      constrained: with constraint gates.
      back_off: see above.
      speed: v = speed * (a row of the table): under Adam, whose steps do not grow with the gradient, the embeddings
        learn that many times as fast as the rest. A category that few requests have would keep the experts it started
        with otherwise [D].
      spread: of v at the start, the standard deviation of a normal that is cut at two of them [D].
    """

    sees_category_alone = True

    def __init__(
        self,
        category_traffic: Sequence[Sequence[int]],
        experts: int,
        top_k: int,
        embedding_size: int,
        noisy: bool = True,
        constrained: bool = False,
        back_off: bool = True,
        speed: float = 30.0,
        spread: float = 0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.top_k = top_k
        self.back_off = back_off
        self.speed = speed
        # The levels that have a gate: all of them with constraint gates, else the leaf alone.
        self.first_level = 0 if constrained else len(category_traffic) - 1
        self.leaf_traffic = category_traffic[-1]
        self.embeddings = [
            tf.keras.layers.Embedding(
                len(traffic),
                embedding_size,
                tf.keras.initializers.TruncatedNormal(stddev=spread / speed),
                name=f"gate_embedding_level_{level}",
            )
            for level, traffic in enumerate(category_traffic, start=1)
        ][self.first_level :]
        self.leaf_gate = Gate(experts, noisy=noisy, name="leaf_gate")
        self.constraint_gates = [
            Gate(experts, noisy=False, name=f"constraint_gate_level_{level}")
            for level in range(1, len(self.embeddings))
        ]

    @property
    def levels(self) -> range:
        """Places of the levels that route, from 0 at the top: the leaf's or, with back-off, all that have a gate."""
        leaf = self.first_level + len(self.embeddings) - 1
        return range(self.first_level if self.back_off else leaf, leaf + 1)

    @property
    def category_tables(self) -> list[CategoryTable]:
        """See `Gates`."""
        return [
            CategoryTable(
                self.first_level + place + 1,
                table,
                functools.partial(self._like_parents, place) if place else None,
            )
            for place, table in enumerate(self.embeddings)
        ]

    def route(self, encoded: EncodedRequests, categories: list, training: bool = False, seed=None) -> Routing:
        """See `Gates`."""
        del encoded
        return self(categories, training=training, seed=seed)

    def route_categories(self, categories: list[tf.Tensor]) -> Routing:
        """See `Gates`."""
        return self(categories)

    def call(self, categories: list[tf.Tensor], training: bool = False, seed: tf.Tensor | None = None) -> Routing:
        """Sends requests to the K experts with the largest gates.

        Args:
          categories: [B] int64 ids of each level, top first.
          training: whether noise is drawn.
          seed: [2] int32, of the noise.
        """
        logits, level_logits = self.logits(categories, training, seed)
        return Routing(*top_k_gate(logits.noisy, self.top_k), logits, level_logits)

    def logits(
        self, categories: list[tf.Tensor], training: bool = False, seed: tf.Tensor | None = None
    ) -> tuple[GateLogits, tuple[tf.Tensor, ...]]:
        """The leaf's logits, and the noise-free ones of all gated levels, [B, N] each, top first."""
        *parents, leaf = categories[self.first_level :]
        *parent_embeddings, leaf_embedding = self.embeddings
        leaf_logits = self.leaf_gate(self.speed * leaf_embedding(leaf), training=training, seed=seed)
        levels = [
            gate(self.speed * embedding(parent), training=False).clean
            for gate, embedding, parent in zip(self.constraint_gates, parent_embeddings, parents, strict=True)
        ]
        levels.append(leaf_logits.clean)
        if self.back_off:
            above = self._mean_logits()
            for place, ids in enumerate((*parents, leaf)):
                above = levels[place] = tf.where((ids > 0)[:, tf.newaxis], levels[place], above)
            noise = leaf_logits.noisy - leaf_logits.clean
            leaf_logits = GateLogits(levels[-1], levels[-1] + noise, leaf_logits.noise_scale)
        return leaf_logits, tuple(levels)

    def _like_parents(self, place: int, parents: np.ndarray) -> np.ndarray:
        """[C] ids -> [C, E], the embeddings of least norm at ``place`` whose gates are those of the ids above it.

        The gate W v + b is nearest to the logits h of the parent's gate with v = pinv(W) (h - b).
        """
        of_level = [*self.constraint_gates, self.leaf_gate]
        parent, child = of_level[place - 1], of_level[place]
        embeddings = self.embeddings[place - 1].embeddings.numpy()[parents]
        logits = self.speed * embeddings @ parent.kernel.numpy() + parent.bias.numpy()
        return (logits - child.bias.numpy()) @ np.linalg.pinv(child.kernel.numpy()) / self.speed

    def _mean_logits(self) -> tf.Tensor:
        """The gate of the mean category, [1, N], without a gradient: few requests are to move all categories."""
        traffic = tf.constant(self.leaf_traffic, tf.float32)
        share = tf.math.divide_no_nan(traffic, tf.reduce_sum(traffic))
        mean = self.speed * tf.linalg.matvec(self.embeddings[-1].embeddings, share, transpose_a=True)
        return tf.stop_gradient(self.leaf_gate(mean[tf.newaxis], training=False).clean)
