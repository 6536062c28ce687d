"""What the experts do: how busy they are, and how far apart their outputs are."""

import dataclasses

import numpy as np
import tensorflow as tf

from components.model_report.sample import batches
from models.ranker.model import Ranker
from reporting.estimates import number


@dataclasses.dataclass(frozen=True)
class ExpertFigures:
    """As in `content.Experts`, from which they are taken."""

    top_k: int | None
    share_of_requests: list[float]
    mean_weight: list[float]
    active_idle_distance: float | None
    distance: list[list[float]]
    correlation: list[list[float | None]]
    items: int


def expert_figures(ranker: Ranker, features: dict, lengths: np.ndarray) -> ExpertFigures | None:
    """Looks at all experts of the first task, those that a request does not ask included.

    Outputs are what the adversarial loss compares: click probabilities, or logits with `adv_space: logit`.

    Args:
      ranker: as it was trained.
      features: transformed, of R requests.
      lengths: [R] their items.

    Returns:
      None of a ranker without a gate.
    """
    if not ranker.gates:
        return None
    config = ranker.config
    space = tf.sigmoid if config.adv_space == "probability" else tf.identity

    @tf.function(autograph=False, reduce_retracing=True)
    def look(batch):
        logits, routing = ranker.experts_of(batch)
        return (
            space(logits),
            routing.weights,
            routing.active if config.sparse else tf.ones_like(routing.weights, tf.bool),
        )

    experts = config.experts
    products, sums, weight, active_in = np.zeros((experts, experts)), *np.zeros((3, experts))
    apart, rows = 0.0, 0
    for batch in batches(features, lengths):
        of_items = batch[ranker.inputs.any_item_feature].row_lengths().numpy()
        outputs, weights, active = (tensor.numpy() for tensor in look(batch))
        outputs = outputs.astype(np.float64)
        products += outputs.T @ outputs
        sums += outputs.sum(axis=0)
        weight, active_in, rows = weight + weights.sum(axis=0), active_in + active.sum(axis=0), rows + len(weights)
        if config.sparse and config.top_k < experts:
            apart += _active_idle(outputs, np.repeat(active, of_items, axis=0)).sum()
    items = int(lengths.sum())
    squares = np.diag(products)
    distance = np.maximum(squares[:, np.newaxis] + squares - 2 * products, 0.0) / items
    covariance = products / items - np.outer(sums, sums) / items**2
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.clip(covariance / np.outer(deviation, deviation), -1.0, 1.0)
    return ExpertFigures(
        top_k=min(config.top_k, experts) if config.sparse else None,
        share_of_requests=(active_in / rows).tolist(),
        mean_weight=(weight / rows).tolist(),
        active_idle_distance=apart / items if config.sparse and config.top_k < experts else None,
        distance=distance.tolist(),
        correlation=[[number(value) for value in row] for row in correlation],
        items=items,
    )


def _active_idle(outputs: np.ndarray, active: np.ndarray) -> np.ndarray:
    """[T, N] and which are active -> [T], the mean squared difference of an active and an idle expert.

    mean (a - b)^2 = mean a^2 + mean b^2 - 2 mean a mean b.
    """
    chosen, idle = active.sum(axis=1), (~active).sum(axis=1)
    a, b = np.where(active, outputs, 0.0), np.where(active, 0.0, outputs)
    return (a**2).sum(axis=1) / chosen + (b**2).sum(axis=1) / idle - 2 * a.sum(axis=1) / chosen * b.sum(axis=1) / idle
