"""The ranker: a tfrs.Model composed of layers and losses that stand alone."""

import tensorflow as tf
import tensorflow_recommenders as tfrs

from models.distributed.replicas import Share, SharedSeed, fold_in, replicas, share_of, total
from models.inputs.features import RankerInputs
from models.layers.experts import Experts
from models.layers.gates import pick_disagreeing
from models.layers.position_tower import PositionTower
from models.layers.request_encoder import EncodedRequests, RequestEncoder
from models.layers.routing import Routing
from models.losses.ranking import ranking_loss
from models.metrics import ItemLogLoss, SessionAUC
from models.ranker.auxiliary_losses import auxiliary_losses, auxiliary_weights
from models.ranker.config import ModelConfig
from models.ranker.gates import new_gates
from models.ranker.labels import check_features, trained_labels
from schemas.log_schema import LogSchema


class Ranker(tfrs.Model):
    """Scores the items of search requests; the variants of docs/method.md are a matter of ``config``.

    With T items, N experts and a gate w for each task: s = sum over e of w_e E_e(x), p = sigmoid(s), and the objective
    is the mean over tasks of the loss of s, plus the weighted auxiliary losses (`auxiliary_weights`). An item's score
    is p, or the weighted mean of the tasks' p. The rankers of one tower are one expert without a gate.

    Args:
      schema: for the labels, their gains, the items' weight and the position.
      inputs: the transformed features that are read.
      config: variant, sizes and weights of the losses.
      seed: of the gate's noise, the choice of disagreeing experts and the masked behaviours.

    Raises:
      ValueError: if the schema lacks what ``config`` asks for: a label, a history, a position.
    """

    def __init__(self, schema: LogSchema, inputs: RankerInputs, config: ModelConfig, seed: int = 0):
        super().__init__(name="ranker")  # begins the names of its weights
        self.config = config
        self.labels = trained_labels(schema, config)
        check_features(schema, config)
        self.weight = schema.weight
        self.position = schema.position
        self.inputs = inputs
        self.seed = seed
        self.encoder = RequestEncoder(
            inputs,
            config.embedding_size,
            config.batch_norm,
            config.target_attention,
            config.cross_layer_count,
            name="request_encoder",
        )
        self.experts = Experts(
            config.experts if config.mixture else 1,
            tuple(config.hidden),
            tasks=len(self.labels),
            as_large_as=config.experts if config.parts.wide else 0,
            dispatch=config.dispatch,
            bfloat16=config.bfloat16,
            name="experts",
        )
        self.gates = [new_gates(config, inputs, f"{label.name}_gates") for label in self.labels if config.mixture]
        self.position_towers = [
            PositionTower(name=f"{label.name}_position") for label in self.labels if config.position_tower
        ]
        self.auxiliary_weights = auxiliary_weights(config)
        # Means of training, each one vector: a metric for each number would cost as much as a layer.
        self.loss_names = ["ranking_loss", *self.auxiliary_weights]
        self.loss_means = tf.keras.metrics.MeanTensor(name="losses", shape=(len(self.loss_names),))
        self.gate_means = (
            tf.keras.metrics.MeanTensor(name="gate", shape=(1 + 2 * config.experts,)) if config.sparse else None
        )
        self.items = tf.keras.metrics.Sum(name="items")
        self.distribute_reduction_method = "first"  # what `train_step` gives is the same on all replicas
        self.validation_loss = tf.keras.metrics.Mean(name="ranking_loss")
        self.validation_metrics = [SessionAUC(name="session_auc"), ItemLogLoss(name="log_loss")]

    @property
    def features(self) -> set[str]:
        """The names of all transformed features that training reads."""
        others = [self.weight, self.position if self.position_towers else None]
        return self.inputs.names | {feature.name for feature in (*self.labels, *others) if feature}

    def call(
        self, features: dict, training: bool = False, gates: list | None = None, one_request: bool = False
    ) -> tf.RaggedTensor:
        """The items' scores in [0, 1], ragged [B, n] float32, without noise and whatever their position.

        Args:
          features: transformed.
          training: makes no difference; Keras asks for it.
          gates: one a task, `models.export.folded_gates.FoldedGates` that stand in for the ranker's own.
          one_request: B is 1, see `Experts`.
        """
        logits, _ = self._score(features, training=False, seed=None, gates=gates, one_request=one_request)
        return features[self.inputs.any_item_feature].with_flat_values(self._combined(logits))

    @property
    def own_variables(self) -> list[tf.Variable]:
        """Weights and moving statistics; those of the metrics are left out."""
        of_metrics = {id(variable) for metric in self.metrics for variable in metric.variables}
        return [variable for variable in self.variables if id(variable) not in of_metrics]

    def experts_of(self, features: dict) -> tuple[tf.Tensor, Routing]:
        """What every expert of a mixture says of each item, whether it is asked or not: the first task's logits,
        [T, N] float32; and how the requests are sent to them, without noise."""
        encoded = self.encoder(features, training=False)
        categories = [features[name] for name in self.inputs.categories]
        routing = self.gates[0].route(encoded, categories)
        return self.experts(encoded.parts, encoded.lengths, training=False)[..., 0], routing

    def training_means(self) -> dict[str, tf.Tensor]:
        """By TensorBoard's name, the means of the steps since the last validation.

        The losses; and of the first task's gate the entropy, each expert's weight, and the share of the requests whose
        items it scores.
        """
        means = dict(zip([f"loss/{name}" for name in self.loss_names], self.loss_means.result(), strict=True))
        if self.gate_means:
            means["gate/entropy"], *shares = tf.unstack(self.gate_means.result())
            experts = range(self.config.experts)
            names = [f"gate/{of}/expert_{expert}" for of in ("utilisation", "active") for expert in experts]
            means |= dict(zip(names, shares, strict=True))
        return means

    def validation_means(self) -> dict[str, float]:
        """The means of the last validation, by name; of replicas, all must ask."""
        return {metric.name: float(metric.result()) for metric in (self.validation_loss, *self.validation_metrics)}

    def train_step(self, features: dict) -> dict[str, tf.Tensor]:
        """One step of the optimizer; gives its losses, in the order of ``loss_names``, and items, of all replicas.

        TensorFlow Recommenders' would compute the result of every metric each time.
        """
        with tf.GradientTape() as tape:
            losses = self._terms(features, training=True)
            objective = self._objective(losses)
        self.optimizer.minimize(objective, self.trainable_variables, tape)
        items = tf.cast(tf.size(features[self.inputs.any_item_feature].flat_values), tf.float32)
        # Keras would add up the numbers of a vector as well.
        of_all = total(tf.stack([*(losses[name] for name in self.loss_names), items]))
        return {"losses": of_all[:-1], "items": of_all[-1]}

    def test_step(self, features: dict) -> dict:
        """Validates a batch; the figures are those of `validation_means`."""
        # A replica whose requests are through is fed a batch of none while others go on.
        requests = features[self.inputs.any_item_feature].nrows()
        tf.cond(requests > 0, lambda: self.compute_loss(features), lambda: 0.0)
        return {}

    def compute_loss(self, features: dict, training: bool = False) -> tf.Tensor:
        """The objective J of a batch; updates the metrics on the way.

        Of a replica that trains it is the part of its requests in that of the whole batch: the parts add up.
        """
        return self._objective(self._terms(features, training))

    def objective_of(self, losses: tf.Tensor) -> float:
        """The objective J of a step, by what `train_step` gives of its losses."""
        return float(self._objective(dict(zip(self.loss_names, tf.unstack(losses), strict=True))))

    def _objective(self, losses: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.add_n([self.auxiliary_weights.get(name, 1.0) * loss for name, loss in losses.items()])

    def _terms(self, features: dict, training: bool) -> dict[str, tf.Tensor]:
        """The losses of a batch by name; updates the metrics on the way."""
        seed = share = None
        if training:
            seed = tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32)])
            lists = features[self.inputs.any_item_feature]
            if share := share_of(tf.cast(lists.nrows(), tf.int32), tf.size(lists.flat_values)):
                seed = SharedSeed(seed, share)
        logits, terms = self._score(features, training, seed, share=share)
        losses = {"ranking_loss": tf.reduce_mean(self._ranking_losses(features, logits, share)), **terms}
        if training:
            # The metrics take the mean over steps and replicas, and these hold parts.
            self.loss_means.update_state(replicas() * tf.stack([losses[name] for name in self.loss_names]))
            self.items.update_state(tf.shape(logits)[0])
        else:
            self.validation_loss.update_state(losses["ranking_loss"])
            labels = features[self.labels[0].name]
            session_auc, log_loss = self.validation_metrics
            for metric, scores in ((session_auc, self._combined(logits)), (log_loss, tf.sigmoid(logits[:, 0]))):
                metric.update_state(labels.to_tensor(-1), labels.with_flat_values(scores).to_tensor(-1.0))
        return losses

    def _ranking_losses(self, features: dict, logits: tf.Tensor, share: Share | None) -> list[tf.Tensor]:
        weights = features[self.weight.name].flat_values if self.weight else None
        losses = []
        for label, scores in zip(self.labels, tf.unstack(logits, axis=1), strict=True):
            grades = features[label.name]
            losses.append(
                ranking_loss(
                    self.config.loss, grades.flat_values, scores, grades.row_lengths(), weights, label.gains, share
                )
            )
        return losses

    def _combined(self, logits: tf.Tensor) -> tf.Tensor:
        """[T, tasks] -> [T], the weighted mean of the tasks' probabilities."""
        weights = tf.constant(self.config.score_weights or [1.0] * len(self.labels))
        return tf.linalg.matvec(tf.sigmoid(logits), weights / tf.reduce_sum(weights))

    def _score(
        self,
        features: dict,
        training: bool,
        seed: tf.Tensor | SharedSeed | None,
        gates: list | None = None,
        one_request: bool = False,
        share: Share | None = None,
    ) -> tuple[tf.Tensor, dict]:
        """Logits [T, tasks], and the auxiliary losses by name, computed in training only."""
        encoded = self.encoder(features, training=training)
        if not self.gates:
            logits, terms = self.experts(encoded.parts, encoded.lengths, training=training)[:, 0], {}
        else:
            logits, terms = self._mixed(features, encoded, training, seed, gates or self.gates, one_request, share)
        if training:
            for task, tower in enumerate(self.position_towers):
                offset = tower(features[self.position.name].flat_values)
                logits += offset[:, tf.newaxis] * tf.one_hot(task, len(self.labels))
        elif self.position_towers:
            logits += tf.stack([tower.mean for tower in self.position_towers])
        return logits, terms

    def _mixed(
        self,
        features: dict,
        encoded: EncodedRequests,
        training: bool,
        seed,
        gates: list,
        one_request: bool,
        share: Share | None,
    ) -> tuple[tf.Tensor, dict]:
        """The mixture of experts of each task."""
        config = self.config
        categories = [features[name] for name in self.inputs.categories]
        routings, chosen = [], []
        for task, gate in enumerate(gates):
            # A seed for each draw: with one seed, a draw would follow the other.
            draws = None if seed is None else [fold_in(seed, 2 * task), fold_in(seed, 2 * task + 1)]
            routing = gate.route(encoded, categories, training, draws and draws[0])
            routings.append(routing)
            chosen.append(self._chosen(routing, draws[1]) if training and config.adversarial else routing.experts)
        if config.sparse:
            wanted = tf.concat(chosen, axis=1)
            logits = self.experts(encoded.parts, encoded.lengths, wanted, training=training, one_request=one_request)
            of_tasks = tf.split(logits, len(chosen), axis=1)
        else:
            of_tasks = [self.experts(encoded.parts, encoded.lengths, training=training)] * len(routings)
        scores, terms = [], {}
        for task, (gate, routing) in enumerate(zip(gates, routings, strict=True)):
            of_task = of_tasks[task][..., task]
            weights = routing.expert_weights if config.sparse else routing.weights
            if not (gate.weighs_items or one_request):
                weights = tf.gather(weights, encoded.request_of_item)
            scores.append(tf.reduce_sum(weights * of_task[:, : weights.shape[1]], axis=1))
            if not training:
                continue
            if config.adversarial and not config.sparse:
                of_task = tf.gather(of_task, tf.gather(chosen[task], encoded.request_of_item), batch_dims=1)
            for name, loss in auxiliary_losses(config, routing, of_task, share).items():
                terms[name] = terms.get(name, 0.0) + loss / len(routings)
        if training and config.sparse:
            self._watch(routings[0].weights, share)
        return tf.stack(scores, axis=1), terms

    def _chosen(self, routing: Routing, seed: tf.Tensor | SharedSeed) -> tf.Tensor:
        """The active experts, and those that they are to disagree with: [B, K + D] int32."""
        preference = routing.gate if routing.logits is None else routing.logits.noisy
        disagreeing = pick_disagreeing(preference, routing.active, self.config.disagreeing, self.config.adv_pick, seed)
        return tf.concat([routing.experts, disagreeing], axis=1)

    def _watch(self, weights: tf.Tensor, share: Share | None) -> None:
        """Keeps the first task's gate entropy, its experts' weights and how often each is active."""
        entropy = -tf.reduce_sum(tf.math.xlogy(weights, weights), axis=1, keepdims=True)
        active = tf.cast(weights > 0.0, weights.dtype)
        means = tf.reduce_mean(tf.concat([entropy, weights, active], axis=1), axis=0)
        self.gate_means.update_state(means * (replicas() * share.requests) if share else means)
