"""The ranker: a tfrs.Model composed of layers and losses that stand alone."""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_recommenders as tfrs

from models.config import ModelConfig
from models.features import RankerInputs
from models.labels import trained_label
from models.layers.category_gates import CategoryGates
from models.layers.experts import Experts
from models.layers.gates import pick_disagreeing, top_k_gate
from models.layers.request_encoder import RequestEncoder
from models.losses.adversarial import adversarial_disagreement
from models.losses.hierarchical_soft_constraint import hierarchical_soft_constraint
from models.losses.load_balance import load_balance
from models.losses.ranking import ranking_loss
from models.metrics import ItemLogLoss, SessionAUC
from schemas.reader import LogSchema


class Routing(NamedTuple):
    """How B requests are sent to N experts.

    Attributes:
      gate: GateLogits of the leaf.
      level_logits: noise-free logits of the gated levels, [B, N] each, top first.
      weights: [B, N] float32, the gate: sums to one over exactly K experts, zeros elsewhere.
      active: [B, N] bool, those K experts.
    """

    gate: tuple
    level_logits: list
    weights: tf.Tensor
    active: tf.Tensor


class Ranker(tfrs.Model):
    """Scores the items of search requests; the variants of docs/method.md are a matter of ``config``.

    With B requests, T items, N experts of which K are active: s = sum over e of w_e E_e(x), p = sigmoid(s),
    J = loss(s, grade) + lambda_hsc HSC - lambda_adv Adv + lambda_lb (CV^2(importance) + CV^2(load)).
    The single DNN is one expert without a gate.

    Args:
      schema: for the label, its gains, and the items' weight.
      inputs: the transformed features that are read.
      config: variant, sizes and weights of the losses.
      seed: of the gate's noise and the choice of disagreeing experts.

    Raises:
      ValueError: if ``config.label`` is no label of the schema.
    """

    def __init__(self, schema: LogSchema, inputs: RankerInputs, config: ModelConfig, seed: int = 0):
        super().__init__(name=config.variant)
        self.config = config
        self.label = trained_label(schema, config)
        self.weight = schema.weight
        self.inputs = inputs
        self.seed = seed
        self.encoder = RequestEncoder(inputs, config.embedding_size)
        self.experts = Experts(config.experts if config.mixture else 1, tuple(config.hidden), name="experts")
        self.gates = (
            CategoryGates(
                inputs.category_sizes,
                config.experts,
                config.embedding_size,
                noisy=config.noisy_gate,
                constrained=config.constrained and config.hsc_weight > 0,
                shared=config.gates == "shared",
                name="gates",
            )
            if config.mixture
            else None
        )
        self.means = {name: tf.keras.metrics.Mean(name=name) for name in self._loss_names()}
        self.items = tf.keras.metrics.Sum(name="items")
        self.validation_metrics = [SessionAUC(name="session_auc"), ItemLogLoss(name="log_loss")]
        if self.gates:
            self.utilisation = tf.keras.metrics.MeanTensor(name="expert_utilisation", shape=(config.experts,))
            self.gate_entropy = tf.keras.metrics.Mean(name="gate_entropy")

    def _loss_names(self) -> list[str]:
        config = self.config
        names = ["ranking_loss"]
        if config.constrained and config.hsc_weight > 0:
            names.append("hierarchical_soft_constraint")
        if config.adversarial and config.adv_weight > 0:
            names.append("adversarial_disagreement")
        if config.mixture and config.load_balance_weight > 0:
            names.append("load_balance")
        return names

    def call(self, features: dict, training: bool = False) -> tf.RaggedTensor:
        """The items' click probabilities p, ragged [B, n] float32, without noise and by the K active experts only."""
        scores, _ = self._score(features, training=False, seed=None)
        return features[self.inputs.any_item_feature].with_flat_values(tf.sigmoid(scores))

    def route(self, categories: list[tf.Tensor], training: bool = False, seed: tf.Tensor | None = None) -> Routing:
        """The gate of requests by their category ids, [B] int64 a level, top first."""
        gate, level_logits = self.gates(categories, training=training, seed=seed)
        weights, active = top_k_gate(gate.noisy, self.config.top_k)
        return Routing(gate, level_logits, weights, active)

    def compute_loss(self, features: dict, training: bool = False) -> tf.Tensor:
        """The objective J of a batch; updates the metrics on the way."""
        seed = tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32)]) if training else None
        scores, terms = self._score(features, training, seed)
        labels = features[self.label.name]
        weights = features[self.weight.name].flat_values if self.weight else None
        losses = {
            "ranking_loss": ranking_loss(
                self.config.loss, labels.flat_values, scores, labels.row_lengths(), weights, self.label.gains
            ),
            **terms,
        }
        for name, loss in losses.items():
            self.means[name].update_state(loss)
        self.items.update_state(tf.size(scores))
        if not training:
            probabilities = labels.with_flat_values(tf.sigmoid(scores)).to_tensor(-1.0)
            for metric in self.validation_metrics:
                metric.update_state(labels.to_tensor(-1), probabilities)
        factors = {
            "hierarchical_soft_constraint": self.config.hsc_weight,
            "adversarial_disagreement": -self.config.adv_weight,
            "load_balance": self.config.load_balance_weight,
        }
        return tf.add_n([factors.get(name, 1.0) * loss for name, loss in losses.items()])

    def _score(self, features: dict, training: bool, seed: tf.Tensor | None):
        """Flat logits [T], and the auxiliary losses by name, computed in training only."""
        items, request_of_item = self.encoder(features, training=training)
        if self.gates is None:
            return tf.squeeze(self.experts(items), axis=1), {}
        routing = self.route([features[name] for name in self.inputs.categories], training, seed)
        needed, terms = routing.active, {}
        disagreeing = None
        if training and "adversarial_disagreement" in self.means:
            # A seed of its own: from the noise's, the draw would follow the noise and so the gate.
            draw = tf.random.experimental.stateless_fold_in(seed, 1)
            disagreeing = pick_disagreeing(
                routing.gate.noisy, routing.active, self.config.disagreeing, self.config.adv_pick, draw
            )
            needed = needed | disagreeing
        expert_logits = self.experts(items, tf.gather(needed, request_of_item))
        scores = tf.reduce_sum(tf.gather(routing.weights, request_of_item) * expert_logits, axis=1)
        if training:
            terms = self._auxiliary_losses(routing, disagreeing, expert_logits, request_of_item)
            entropy = -tf.reduce_sum(tf.math.xlogy(routing.weights, routing.weights), axis=1)
            self.gate_entropy.update_state(entropy)
            self.utilisation.update_state(tf.reduce_mean(routing.weights, axis=0))
        return scores, terms

    def _auxiliary_losses(self, routing: Routing, disagreeing, expert_logits, request_of_item) -> dict:
        config, terms = self.config, {}
        if "hierarchical_soft_constraint" in self.means:
            terms["hierarchical_soft_constraint"] = hierarchical_soft_constraint(
                routing.level_logits,
                routing.active,
                over=config.hsc_over,
                space=config.hsc_space,
                stop_parent_gradient=config.hsc_stop_parent_gradient,
            )
        if disagreeing is not None:
            terms["adversarial_disagreement"] = adversarial_disagreement(
                expert_logits,
                tf.gather(routing.active, request_of_item),
                tf.gather(disagreeing, request_of_item),
                space=config.adv_space,
            )
        if "load_balance" in self.means:
            terms["load_balance"] = load_balance(routing.weights, routing.gate, config.top_k)
        return terms
