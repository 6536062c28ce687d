"""The auxiliary losses of a variant: which there are, and their weights in the objective."""

import tensorflow as tf

from models.distributed.replicas import Share
from models.layers.routing import Routing
from models.losses.adversarial import adversarial_disagreement
from models.losses.contrastive import contrastive
from models.losses.hierarchical_soft_constraint import hierarchical_soft_constraint
from models.losses.load_balance import load_balance
from models.ranker.config import ModelConfig


def auxiliary_weights(config: ModelConfig) -> dict[str, float]:
    """The factor of each auxiliary loss in the objective; a loss of weight 0 is not there, and not computed.

    J = loss + lambda_hsc HSC - lambda_adv Adv + lambda_lb (CV^2(importance) + CV^2(load)) + lambda_cl L_cl
    """
    weights = {}
    if config.constrained:
        weights["hierarchical_soft_constraint"] = config.hsc_weight
    if config.adversarial:
        weights["adversarial_disagreement"] = -config.adv_weight
    if config.balanced:
        weights["load_balance"] = config.load_balance_weight
    if config.contrastive:
        weights["contrastive"] = config.contrastive_weight
    return weights


def auxiliary_losses(
    config: ModelConfig, routing: Routing, chosen_logits: tf.Tensor, share: Share | None = None
) -> dict[str, tf.Tensor]:
    """The auxiliary losses of one gate, float32 scalars, under the names of `auxiliary_weights`.

    Args:
      config: of the ranker.
      routing: of B requests.
      chosen_logits: of the active experts for T items, and of those to disagree with, [T, K + D]; read by Adv alone.
      share: of this replica, if it is one of several: gives its parts of the losses, which add up to the batch's. The
        contrast alone is that of a replica's own requests with each other.
    """
    losses = {}
    of_requests, of_items = (share.requests, share.items) if share else (1.0, 1.0)
    if config.constrained:
        constraint = hierarchical_soft_constraint(
            routing.level_logits,
            routing.active,
            over=config.hsc_over,
            space=config.hsc_space,
            stop_parent_gradient=config.hsc_stop_parent_gradient,
        )
        losses["hierarchical_soft_constraint"] = of_requests * constraint
    if config.adversarial:
        active, disagreeing = tf.split(chosen_logits, [config.top_k, config.disagreeing], axis=1)
        losses["adversarial_disagreement"] = of_items * adversarial_disagreement(active, disagreeing, config.adv_space)
    if config.balanced:
        losses["load_balance"] = load_balance(routing.weights, routing.logits, config.top_k)
    if config.contrastive:
        contrast = contrastive(
            routing.gate, routing.masked_gate, routing.has_behaviours, config.contrastive_temperature
        )
        losses["contrastive"] = of_requests * contrast
    return losses
