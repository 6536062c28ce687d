"""The metrics of each request of a split, and the AUC over all of its items."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

import models.metrics
from models.metrics.base import padded_lists
from reporting.metrics import METRICS, PER_REQUEST, Metric

_PLACES_AT_ONCE = 1_000_000
_BUCKET_BITS = 20
_BUCKETS = 1 << _BUCKET_BITS


def of_requests(
    lengths: np.ndarray, grades: np.ndarray, scores: np.ndarray, gains: Sequence[float]
) -> dict[str, np.ndarray]:
    """The metrics of each request, `reporting.metrics.PER_REQUEST`, by the classes of `models.metrics`.

    Args:
      lengths: [R] items of each request.
      grades: [T] of all items, request by request.
      scores: [T] float32.
      gains: of the grades, for the NDCG.

    Returns:
      [R] float64 each; NaN where the request does not count.
    """
    metrics = {name: made(METRICS[name], gains) for name in PER_REQUEST}
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


def made(metric: Metric, gains: Sequence[float]) -> tf.keras.metrics.Metric:
    """The metric's class, ready to be updated; ``gains`` of the label's grades."""
    return getattr(models.metrics, metric.class_name)(**metric.arguments(gains))


def _of_like_length(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Places of requests, the longest first, in batches that are small tables even where one list is very long."""
    order, begin = np.argsort(-lengths, kind="stable"), 0
    while begin < len(order):
        end = begin + max(1, _PLACES_AT_ONCE // max(1, lengths[order[begin]]))
        yield order[begin:end]
        begin = end


class ScoreHistogram:
    """Items by score, in a table of fixed size, for figures over all items of a split.

    A bucket is the first 20 bits of a float32 score: scores of one bucket differ by less than 0.05 % and count as
    equal. AUC over all items is then off by less than a quarter of the share of pairs that fall into one bucket.

    Attributes:
      positives, negatives: [2^20] items of each bucket.
      sums: [2^20] sum of their scores.
      finite: whether all scores are finite.
    """

    def __init__(self):
        self.positives, self.negatives = (np.zeros(_BUCKETS, np.int64) for _ in range(2))
        self.sums, self.finite = np.zeros(_BUCKETS), True

    def add(self, scores: np.ndarray, positive: np.ndarray) -> None:
        """Adds items: their scores [T] float32, and whether their grade is positive, [T] bool."""
        bucket = _buckets(scores)
        self.positives += np.bincount(bucket[positive], minlength=_BUCKETS)
        self.negatives += np.bincount(bucket[~positive], minlength=_BUCKETS)
        self.sums += np.bincount(bucket, scores, _BUCKETS)
        self.finite &= bool(np.isfinite(scores).all())

    @property
    def auc(self) -> float:
        """P(score of a positive > score of a negative) + 0.5 P(they are equal); NaN without a pair."""
        pairs = int(self.positives.sum()) * int(self.negatives.sum())
        return float(np.sum(self.positives * self._negatives_below) / pairs) if pairs else np.nan

    def auc_influences(self, scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """By how much each item's place moves the AUC, [T] float64: its placement minus AUC, divided by the number of
        positives or negatives. The placement of a positive is the share of negatives below it, that of a negative the
        share of positives above it. 0 without a pair.

        Args:
          scores, positive: of items that were added.
        """
        positives, negatives = int(self.positives.sum()), int(self.negatives.sum())
        if not positives or not negatives:
            return np.zeros(len(scores))
        above = positives - np.cumsum(self.positives) + self.positives / 2
        bucket = _buckets(scores)
        placements = np.where(positive, self._negatives_below[bucket] / negatives, above[bucket] / positives)
        return (placements - self.auc) / np.where(positive, positives, negatives)

    @property
    def _negatives_below(self) -> np.ndarray:
        return np.cumsum(self.negatives) - self.negatives / 2


def _buckets(scores: np.ndarray) -> np.ndarray:
    """The bits of floats rise with the floats, once those of negative ones are turned round."""
    bits = (np.asarray(scores, np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return (np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)) >> (32 - _BUCKET_BITS)).astype(np.int64)
