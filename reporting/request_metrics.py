"""The metrics of each request of a whole split, and each item's share in the AUC over all items."""

from collections.abc import Iterator, Sequence

import numpy as np

from models.metrics.base import padded_lists
from models.metrics.requests import RequestMRR, RequestNDCG
from models.metrics.session_auc import SessionAUC

_PLACES_AT_ONCE = 1_000_000


def of_requests(
    lengths: np.ndarray, grades: np.ndarray, scores: np.ndarray, gains: Sequence[float]
) -> dict[str, np.ndarray]:
    """`session_auc`, `ndcg_at_10` and `mrr` of each request, by the classes of this package.

    Args:
      lengths: [R] items of each request.
      grades: [T] of all items, request by request.
      scores: [T] float32.
      gains: of the grades, for the NDCG.

    Returns:
      [R] float64 each; NaN where the request does not count.
    """
    metrics = {"session_auc": SessionAUC(), "ndcg_at_10": RequestNDCG(10, gains), "mrr": RequestMRR()}
    found = {name: np.full(len(lengths), np.nan) for name in metrics}
    starts = np.cumsum(lengths) - lengths
    for requests in _of_like_length(lengths):
        width = max(1, lengths[requests].max())
        valid = np.arange(width) < lengths[requests, np.newaxis]
        items = np.where(valid, starts[requests, np.newaxis] + np.arange(width), 0)
        padded = padded_lists(np.where(valid, grades[items], -1), np.where(valid, scores[items], -1.0))
        for name, metric in metrics.items():
            values, counts = metric.terms(*padded)
            found[name][requests] = np.where(counts, values, np.nan)
    return found


def _of_like_length(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Places of requests, the longest first, in batches that are small tables even where one list is very long."""
    order, begin = np.argsort(-lengths, kind="stable"), 0
    while begin < len(order):
        end = begin + max(1, _PLACES_AT_ONCE // max(1, lengths[order[begin]]))
        yield order[begin:end]
        begin = end


def auc_placements(positive: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
    """For each positive item the share of negatives below it, for each negative that of positives above it; equal
    scores count half. The AUC over all items is the mean over the positives, and over the negatives likewise.

    Args:
      positive: [T] bool.
      scores: [T].

    Returns:
      [T] float64; None without a positive or without a negative.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    of_positives = np.bincount(place, positive, len(counts))
    of_negatives = counts - of_positives
    below = np.cumsum(of_negatives) - of_negatives / 2
    above = positives - np.cumsum(of_positives) + of_positives / 2
    return np.where(positive, below[place] / negatives, above[place] / positives)
