"""NDCG and MRR over the requests that have a positive item.

TF-Ranking's own count a request without a click as 0, which measures how often users click, and put items of equal
score into random order, so that two evaluations of a model differ. Here, ties count as the expectation over all their
orders: no order of the input flatters, and the figure is the same each time.
"""

from collections.abc import Sequence

import tensorflow as tf

from models.metrics.base import Quotient, counts_above


class RequestNDCG(Quotient):
    """Mean over requests of DCG / the best possible DCG, over the first ``topn`` places.

    DCG = sum over items of gain(grade) / log2(1 + place). An item that shares its score with others counts with the
    mean discount of the places they share, the expectation over their orders (McSherry and Najork 2008).
    Requests whose best DCG is 0, those without a positive grade, do not count.

    Args:
      topn: places that count.
      gains: the gain of each grade 0, 1, ..; 2^grade - 1 unless given.
    """

    def __init__(self, topn: int = 10, gains: Sequence[float] | None = None, name: str | None = None, dtype=None):
        if topn < 1:
            raise ValueError(f"`topn` must be at least 1. Received: topn={topn}")
        super().__init__(name or f"ndcg_at_{topn}", dtype)
        self.topn = topn
        self.gains = None if gains is None else [float(gain) for gain in gains]

    def terms(self, grades, scores, valid):
        """Each request's NDCG and whether it counts."""
        if self.gains is None:
            gains = tf.pow(2.0, tf.cast(grades, tf.float32)) - 1.0
        else:
            gains = tf.gather(tf.constant(self.gains), tf.maximum(grades, 0))
        gains = tf.where(valid, gains, 0.0)
        dcg = self._dcg(gains, scores, valid)
        best = self._dcg(gains, gains, valid)
        return tf.math.divide_no_nan(dcg, best), best > 0.0

    def _dcg(self, gains, scores, valid):
        more, at_least = counts_above(scores, among=valid)
        places = tf.range(1, tf.shape(scores)[1] + 1)
        discounts = tf.math.log(2.0) / tf.math.log(1.0 + tf.cast(places, tf.float32))
        discounts = tf.where(places <= self.topn, discounts, 0.0)
        # total[i] is the sum of the discounts of the first i places; ties share the places more+1 .. at_least.
        total = tf.concat([[0.0], tf.cumsum(discounts)], axis=0)
        shared = tf.gather(total, at_least) - tf.gather(total, more)
        discount = tf.math.divide_no_nan(shared, tf.cast(at_least - more, tf.float32))
        return tf.reduce_sum(tf.where(valid, gains * discount, 0.0), axis=-1)

    def get_config(self):
        """The arguments of the constructor."""
        return super().get_config() | {"topn": self.topn, "gains": self.gains}


class RequestMRR(Quotient):
    """Mean over requests of 1 / place of the first item of grade > 0.

    If that item shares its score with t - 1 others, p of the t being positive, and a items score more, it counts as
    the expectation over their orders, sum over j of P(the first positive is the j-th of the t) / (a + j),
    P = C(t - j, p - 1) / C(t, p). Requests without a positive grade do not count.
    """

    def __init__(self, name: str = "mrr", dtype=None):
        super().__init__(name, dtype)

    def terms(self, grades, scores, valid):
        """Each request's expected reciprocal rank and whether it counts."""
        positive = grades > 0
        best = tf.reduce_max(tf.where(positive, scores, scores.dtype.min), axis=-1, keepdims=True)

        def count(mask):
            # float64: the logarithms of C(500, 250) would lose three digits in float32.
            return tf.reduce_sum(tf.cast(mask & valid, tf.float64), axis=-1, keepdims=True)

        above = count(scores > best)
        tied = count(scores == best)
        tied_positive = count((scores == best) & positive)
        j = tf.range(1, tf.shape(scores)[1] + 1)[tf.newaxis, :]
        j = tf.cast(j, tf.float64)
        possible = j <= tied - tied_positive + 1.0
        log_probability = _log_binomial(tf.where(possible, tied - j, tied), tied_positive - 1.0)
        log_probability -= _log_binomial(tied, tied_positive)
        reciprocal = tf.where(possible, tf.exp(log_probability) / (above + j), 0.0)
        counts = tf.reduce_any(positive, axis=-1)
        return tf.where(counts, tf.reduce_sum(reciprocal, axis=-1), 0.0), counts


def _log_binomial(n, k):
    return tf.math.lgamma(n + 1.0) - tf.math.lgamma(k + 1.0) - tf.math.lgamma(n - k + 1.0)
