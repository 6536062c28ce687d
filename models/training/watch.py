"""Checks a training while it runs, and stops a faulty one before it writes a checkpoint."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from common.progress import progress
from models.training.config import TrainConfig
from models.training.errors import LabelLeak, TrainingFault
from models.training.leaks import leaking_features
from models.training.outliers import describe_outliers


class Watch(tf.keras.callbacks.Callback):
    """Raises a `TrainingFault` if a training has one of these faults.

    ===========================================================  ======================================
    fault                                                        checked
    ===========================================================  ======================================
    a loss that is not finite                                    each 100 steps, before a validation
    disagreement that outweighs the ranking loss                 each 100 steps, before a validation
    an expert that scores too many requests                      before a validation
    weights, or a validation loss, that are not finite           after a validation
    a session AUC above `train.max_session_auc`                  after a validation
    ===========================================================  ======================================

    It must come before the callback that writes checkpoints, so that no checkpoint holds the weights of a fault.

    A step's losses stay on the device until they are checked. All workers check the same figures at the same steps, and
    all raise.

    Args:
      config: its thresholds and the settings that messages name.
      read_train, read_valid: give the batches of a split once more, to find the feature that causes the fault.
    """

    _STEPS_BETWEEN_CHECKS = 100
    # Fewer requests may be ranked without a mistake by chance.
    _FEWEST_REQUESTS = 30
    _NAMED = 3

    def __init__(self, config: TrainConfig, read_train: Callable, read_valid: Callable):
        super().__init__()
        self._supports_tf_logs = True  # or Keras waits for the numbers of every single step
        self._config = config
        self._read_train, self._read_valid = read_train, read_valid
        self._losses: list[tf.Tensor] = []
        self._warned_of_collapse = False

    @property
    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        """Keeps the losses; checks them after each hundred steps."""
        self._losses.append(logs["losses"])
        if len(self._losses) == self._STEPS_BETWEEN_CHECKS:
            self._check_losses()

    def on_test_begin(self, logs=None):
        """Checks the steps since the last check, and the experts' shares since the last validation."""
        if self._losses:
            self._check_losses()
        self._check_shares()

    def on_epoch_end(self, epoch, logs=None):
        """Checks all weights and the validation."""
        ranker, step = self.model, self._step
        # A moment of Adam's that is infinite lets its weight never move again.
        bad = [one.name for one in (*ranker.own_variables, *ranker.optimizer.variables) if not _is_finite(one)]
        if bad:
            more = f" and {len(bad) - self._NAMED} more" if len(bad) > self._NAMED else ""
            raise self._diverged(f"step {step}: weights are not finite: {', '.join(bad[: self._NAMED])}{more}")
        values = ranker.validation_means()
        if not np.isfinite(values["ranking_loss"]):
            raise self._diverged(f"step {step}: the loss of the validation split is {values['ranking_loss']}")
        if values["session_auc"] > self._config.max_session_auc:
            self._check_session_auc(step, values["session_auc"])

    def _check_losses(self) -> None:
        names, weights = self.model.loss_names, self.model.auxiliary_weights
        losses, first = tf.stack(self._losses).numpy(), self._step - len(self._losses) + 1
        self._losses = []
        bad = ~np.isfinite(losses)
        if bad.any():
            at = int(bad.any(axis=1).argmax())
            terms = ", ".join(f"{name} is {losses[at, place]}" for place, name in enumerate(names) if bad[at, place])
            before = [f"{name} {losses[at - 1, place]:.4g}" for place, name in enumerate(names)] if at else []
            raise self._diverged(
                f"step {first + at}: {terms}" + (f" (the step before: {', '.join(before)})" if before else "")
            )
        means = dict(zip(names, losses.mean(axis=0), strict=True))
        disagreement = -weights.get("adversarial_disagreement", 0.0) * means.get("adversarial_disagreement", 0.0)
        if disagreement > self._config.max_adversarial_ratio * abs(means["ranking_loss"]):
            raise self._outweighed(first, disagreement, means)

    def _outweighed(self, first: int, disagreement: float, means: dict[str, float]) -> TrainingFault:
        model, ratio = self.model.config, disagreement / max(1e-12, abs(means["ranking_loss"]))
        remedy = f"lower `model.adv_weight` (now {model.adv_weight:g})"
        if model.adv_space == "logit":
            remedy = f"set `model.adv_space: probability`: on logits disagreement has no upper bound; or {remedy}"
        return TrainingFault(
            f"the adversarial term has taken over: in the steps {first} to {self._step} disagreement, times "
            f"adv_weight, is {disagreement:.4g}, {ratio:.2g} times the ranking loss of {means['ranking_loss']:.4g}, "
            f"and `train.max_adversarial_ratio` allows {self._config.max_adversarial_ratio:g}.\nTo go on: {remedy}"
        )

    def _check_shares(self) -> None:
        ranker, model = self.model, self.model.config
        if ranker.gate_means is None or model.top_k >= model.experts or self._warned_of_collapse:
            return
        fair = model.top_k / model.experts
        limit = self._config.max_expert_share or (1.0 + fair) / 2.0
        shares = ranker.gate_means.result().numpy()[1 + model.experts :]
        if shares.max() <= limit:
            return
        stops = self._config.on_collapse == "stop"
        experts = [f"expert {expert} scores {shares[expert]:.1%}" for expert in np.flatnonzero(shares > limit)]
        idle = int((shares < 0.01).sum())
        remedy = f"raise `model.load_balance_weight` (now {model.load_balance_weight:g})"
        if not model.noisy_gate:
            remedy += ", set `model.noisy_gate: true`"
        message = (
            f"the gate has collapsed: since the last validation, up to step {self._step}, {', '.join(experts)} of the "
            f"requests, and `train.max_expert_share` is {limit:.1%}; evenly spread, each would score {fair:.1%}"
            f"{f'; {idle} of the {model.experts} score less than 1 %' if idle else ''}.\n"
            f"To mend it: {remedy}, or take fewer `model.experts`; or, if most requests are of one category, raise "
            f"`train.max_expert_share`"
        )
        if stops:
            raise TrainingFault(message)
        progress.warning("%s", message)
        self._warned_of_collapse = True

    def _check_session_auc(self, step: int, session_auc: float) -> None:
        ranker = self.model
        requests = int(tf.convert_to_tensor(ranker.validation_metrics[0].denominator))
        if requests < self._FEWEST_REQUESTS:
            return
        label = ranker.labels[0].name
        found = leaking_features(ranker.inputs, label, self._read_train(), self._read_valid())[: self._NAMED]
        alone, suspect = "No feature shows it by itself", "each feature"
        if found:
            alone = f"Session AUC by itself: {', '.join(f'{name} {auc:.4f}' for auc, name in found)}"
            suspect = found[0][1].split(" ")[0]
        raise LabelLeak(
            f"step {step}: the session AUC of the validation split is {session_auc:.4f} over {requests:,} requests, "
            f"and `train.max_session_auc` is {self._config.max_session_auc:g}: most likely the label {label} has "
            f"leaked into a feature.\n{alone}.\nTo go on: mend the log, so that {suspect} holds what was known before "
            "the request was shown; or tag the feature role:hidden in the schema; or, if it is true, set "
            "`train.max_session_auc: 1`"
        )

    def _diverged(self, found: str) -> TrainingFault:
        config = self._config
        outliers = describe_outliers(self._read_train(), sorted(self.model.features))
        clipped = "now none" if config.clip_norm is None else f"now {config.clip_norm:g}"
        return TrainingFault(
            f"the training has diverged at {found}.\n{f'{outliers}{chr(10)}' if outliers else ''}"
            f"To go on: lower `train.learning_rate` (now {config.learning_rate:g}), cut gradients by `train.clip_norm` "
            f"({clipped}), or let the rate rise over `train.warmup_steps` (now {config.warmup_steps})"
            f"{'; mend these features in the log' if outliers else ''}"
        )


def _is_finite(variable: tf.Variable) -> bool:
    return not variable.dtype.is_floating or bool(tf.reduce_all(tf.math.is_finite(variable)))
