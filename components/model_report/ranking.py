"""What a ranking of the test split is judged by, request by request."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.split_scorer.request_scores import RequestScores
from reporting.request_metrics import of_requests

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


def figures(part: RequestScores, scores: np.ndarray, gains: Sequence[float], probabilities: bool) -> dict:
    """What is known of some requests by themselves, for `ranking`.

    Args:
      part: the requests.
      scores: [T] float32, by which their items are ranked.
      gains: of the grades, for the NDCG.
      probabilities: whether the scores are click probabilities.
    """
    by_request = of_requests(part.lengths, part.grades, scores, gains)
    if not probabilities:
        return by_request
    return by_request | {"log_losses": part.sums(_losses(part.positive, scores)), "scores": part.sums(scores)}


def ranking(parts: Sequence[dict], auc: float, auc_influence: np.ndarray) -> Ranking:
    """The ranking of all requests, of what `figures` gives for each part of them."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    log_losses, scores = whole.pop("log_losses", None), whole.pop("scores", None)
    return Ranking(whole, log_losses, scores, auc, auc_influence)


def _losses(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[T], the log loss of each item."""
    probability = np.clip(scores.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return -np.where(positive, np.log(probability), np.log1p(-probability))
