"""What a ranking of the test split is judged by, request by request."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.model_report.split import ScoredSplit
from reporting.request_metrics import auc_placements, of_requests

_EPSILON = 1e-7  # as in models/metrics/items.py


@dataclasses.dataclass(frozen=True)
class Ranking:
    """A ranking of R requests: two of them on the same requests are compared by these alone.

    Attributes:
      by_request: [R] float64 by ``session_auc``, ``ndcg_at_10`` and ``mrr``; NaN where a request does not count.
      log_losses, scores: [R] sums over the items of each; None where the scores are no probabilities.
      auc: over all items; NaN without a positive or a negative one, or where it is not known.
      auc_influence: [R], AUC is nearly the mean over requests of R psi, with psi the sum of a request's placements
        minus AUC, each divided by how many positives or negatives there are (DeLong, for clusters: Obuchowski 1997).
    """

    by_request: dict[str, np.ndarray]
    log_losses: np.ndarray | None
    scores: np.ndarray | None
    auc: float
    auc_influence: np.ndarray


def rankings(split: ScoredSplit, popularity: np.ndarray, gains: Sequence[float]) -> dict[str, Ranking]:
    """By ``model``, ``baseline`` (if there is one) and ``popularity``.

    Args:
      split: the scored test split.
      popularity: [T], the score of ranking by popularity.
      gains: of the grades, for the NDCG.
    """
    scores = {"model": split.scores, "baseline": split.baseline, "popularity": popularity}
    return {
        name: _ranking(split, of, gains, probabilities=name != "popularity")
        for name, of in scores.items()
        if of is not None
    }


def _ranking(split: ScoredSplit, scores: np.ndarray, gains: Sequence[float], probabilities: bool) -> Ranking:
    auc, influence = _auc(split, scores)
    return Ranking(
        by_request=of_requests(split.lengths, split.grades, scores, gains),
        log_losses=split.sums(_losses(split.positive, scores)) if probabilities else None,
        scores=split.sums(scores) if probabilities else None,
        auc=auc,
        auc_influence=influence,
    )


def _losses(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[T], the log loss of each item."""
    probability = np.clip(scores.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return -np.where(positive, np.log(probability), np.log1p(-probability))


def _auc(split: ScoredSplit, scores: np.ndarray) -> tuple[float, np.ndarray]:
    """P(score of a positive > score of a negative) + 0.5 P(equal) over all pairs of items, and its influences [R]."""
    positive = split.positive
    placements = auc_placements(positive, scores)
    if placements is None:
        return np.nan, np.zeros(len(split.lengths))
    auc = placements[positive].mean()
    number = np.where(positive, positive.sum(), len(positive) - positive.sum())
    return float(auc), split.sums((placements - auc) / number)
