"""AW-MoE's gate: the user's behaviours and the query's category weigh the experts."""

from typing import Literal

import tensorflow as tf

from models.distributed.replicas import draw
from models.layers.category_gates import CategoryGates
from models.layers.gates import top_k_gate
from models.layers.request_encoder import EncodedRequests, known_embedding
from models.layers.routing import CategoryTable, Gates, Routing


class BehaviourGates(Gates):
    """g = u_0(c) + sum over behaviours j of a_j u_j in R^N; computed once a request.

    u_j = GateUnit(b_j, c) in R^N and a_j = ActivationUnit(b_j, c) in R, each a small MLP on [b_j, c, b_j * c]; u_0 is a
    `CategoryGates` without noise, the gate of users without history. The parts are AW-MoE's [A], their form is our
    choice [D]. So is what the experts are weighed with: by ``form``, the softmax of g over its K largest, as in the
    other mixtures ("topk"), or over all ("softmax").

    In training the gate is computed a second time, with each behaviour masked with probability ``mask``, as if the
    user's history were shorter; a contrastive loss holds the two together.

    Args:
      category_gates: u_0. The K experts that Adv and HSC look at are the largest of the whole g.
      category_sizes: ids of each level of the category path.
      experts: N.
      embedding_size: of each level's category in c.
      mask: probability that a behaviour is masked; 0 to compute no second gate.
      form: see above.
      hidden: units of the hidden layer of both MLPs [D].
    """

    def __init__(
        self,
        category_gates: CategoryGates,
        category_sizes: tuple[int, ...],
        experts: int,
        embedding_size: int,
        mask: float,
        form: Literal["topk", "softmax"] = "topk",
        hidden: int = 32,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.category_gates = category_gates
        self.mask = mask
        self.form = form
        self.query_embeddings = [
            tf.keras.layers.Embedding(size, embedding_size, name=f"query_embedding_level_{level}")
            for level, size in enumerate(category_sizes, start=1)
        ]
        self.hidden = tf.keras.layers.Dense(2 * hidden, "relu", name="hidden")
        self.gate_unit = tf.keras.layers.Dense(experts, name="gate_unit")
        self.activation_unit = tf.keras.layers.Dense(1, name="activation_unit")

    def build(self, behaviours_shape):
        """Makes the projection of the query to the width of the behaviours, for their product."""
        self.query = tf.keras.layers.Dense(behaviours_shape[-1], name="query")
        super().build(behaviours_shape)

    def call(self, behaviours, present, categories: list, training: bool = False, seed=None) -> Routing:
        """Weighs the experts.

        Args:
          behaviours: b, [B, M, E] float32.
          present: [B, M] bool, False where a history is shorter.
          categories: [B] int64 ids of each level, top first.
          training: whether the second gate is computed.
          seed: [2] int32, of the mask.
        """
        query = [known_embedding(table, ids) for table, ids in zip(self.query_embeddings, categories, strict=True)]
        query = tf.concat(query, axis=1)
        query = tf.broadcast_to(self.query(query)[:, tf.newaxis], tf.shape(behaviours))
        hidden = self.hidden(tf.concat([behaviours, query, behaviours * query], axis=-1))
        of_gate, of_activation = tf.split(hidden, 2, axis=-1)
        vectors = self.activation_unit(of_activation) * self.gate_unit(of_gate)
        logits, level_logits = self.category_gates.logits(categories)

        def gate(kept):
            return logits.clean + tf.reduce_sum(tf.where(kept[..., tf.newaxis], vectors, 0.0), axis=1)

        whole, masked = gate(present), None
        weights, active, experts, expert_weights = top_k_gate(whole, self.category_gates.top_k)
        if self.form == "softmax":
            weights = tf.nn.softmax(whole)
        if training and self.mask:
            kept = draw(tf.random.stateless_uniform, tf.shape(present), seed) >= self.mask
            masked = _centred(gate(present & kept))
        has_behaviours = tf.reduce_any(present, axis=1)
        # A shift of all logits changes no weight, and must change no contrast.
        gates = _centred(whole), masked
        return Routing(weights, active, experts, expert_weights, None, level_logits, *gates, has_behaviours)

    @property
    def levels(self) -> range:
        """See `Gates`."""
        return self.category_gates.levels

    @property
    def category_tables(self) -> list[CategoryTable]:
        """See `Gates`."""
        own = [CategoryTable(level, table) for level, table in enumerate(self.query_embeddings, start=1)]
        return own + self.category_gates.category_tables

    def route(self, encoded: EncodedRequests, categories: list, training: bool = False, seed=None) -> Routing:
        """See `Gates`."""
        return self(encoded.behaviours, encoded.present, categories, training=training, seed=seed)

    def route_categories(self, categories: list) -> Routing:
        """See `Gates`."""
        shape = tf.stack([tf.size(categories[0]), 1])
        width = self.query.units
        return self(tf.zeros([*tf.unstack(shape), width]), tf.zeros(shape, tf.bool), categories)


def _centred(logits: tf.Tensor) -> tf.Tensor:
    return logits - tf.reduce_mean(logits, axis=1, keepdims=True)
