"""What a ranking of the test split is judged by, request by request."""

from collections.abc import Sequence

import numpy as np

from components.split_scorer.request_scores import RequestScores
from reporting.ranking import Ranking
from reporting.request_metrics import of_requests

_EPSILON = 1e-7  # as in models/metrics/items.py


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
