"""The gates of a mixture of experts over a category path: the leaf's, and the constraint gates above it."""

import tensorflow as tf

from models.layers.gates import Gate, GateLogits


class CategoryGates(tf.keras.layers.Layer):
    """Gates that look at the query's category only.

    The inference gate takes the leaf c^L, h^L = W v(c^L) + b. With ``constrained``, each level l < L
    has a constraint gate h^l of the same form, noise-free and used in the loss only [A], with weights
    of its own [D] or, with ``shared``, the inference gate's [C]. The embeddings v belong to the gates
    alone [D], so that no loss on the experts' output but the ranking loss reaches a gate.

    Args:
      category_sizes: ids a level, top first, the unknown category included.
      experts: N.
      embedding_size: the width of v.
      noisy: noise on the inference gate in training.
      constrained: with constraint gates.
      shared: constraint gates share the inference gate's weights.
    """

    def __init__(
        self,
        category_sizes: tuple[int, ...],
        experts: int,
        embedding_size: int,
        noisy: bool,
        constrained: bool,
        shared: bool,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # The levels that have a gate: all of them with constraint gates, else the leaf alone.
        self.first_level = 0 if constrained else len(category_sizes) - 1
        self.embeddings = [
            # Of unit variance [D]: Keras' default is so small that in training the noise alone would choose
            # the experts, for all categories alike, until the gate had grown.
            tf.keras.layers.Embedding(
                size,
                embedding_size,
                tf.keras.initializers.TruncatedNormal(stddev=1.0),
                name=f"gate_embedding_level_{level}",
            )
            for level, size in enumerate(category_sizes, start=1)
        ][self.first_level :]
        self.leaf_gate = Gate(experts, noisy=noisy, name="leaf_gate")
        self.constraint_gates = [
            self.leaf_gate if shared else Gate(experts, noisy=False, name=f"constraint_gate_level_{level}")
            for level in range(1, len(self.embeddings))
        ]

    def call(self, categories: list[tf.Tensor], training: bool = False, seed: tf.Tensor | None = None):
        """The leaf gate's logits, and the noise-free logits of all gated levels.

        Args:
          categories: [B] int64 ids of each level, top first.
          training: whether noise is drawn.
          seed: [2] int32, of the noise.

        Returns:
          GateLogits of the leaf, and a list of [B, N] float32, top level first, the leaf's last.
        """
        *parents, leaf = categories[self.first_level :]
        *parent_embeddings, leaf_embedding = self.embeddings
        leaf_logits: GateLogits = self.leaf_gate(_embed(leaf_embedding, leaf), training=training, seed=seed)
        parent_logits = [
            gate(_embed(embedding, parent)).clean
            for gate, embedding, parent in zip(self.constraint_gates, parent_embeddings, parents, strict=True)
        ]
        return leaf_logits, [*parent_logits, leaf_logits.clean]


def _embed(table: tf.keras.layers.Embedding, ids: tf.Tensor) -> tf.Tensor:
    """Embeddings [B, E]; zeros for the unknown category, whose row is hardly trained: its gate is the bias b."""
    return table(ids) * tf.cast(ids > 0, tf.float32)[:, tf.newaxis]
