"""Session AUC, the figure that the project's models are chosen by."""

import tensorflow as tf

from models.metrics.base import Quotient, counts_above


class SessionAUC(Quotient):
    """Mean over requests of P(score of a positive > score of a negative) + 0.5 P(they are equal).

    A positive is an item of grade > 0. Requests with no positive or no negative do not count.
    """

    def __init__(self, name: str = "session_auc", dtype=None):
        super().__init__(name, dtype)

    def terms(self, grades, scores, valid):
        """Each request's AUC and whether it counts."""
        return request_aucs(grades, scores, valid)


class SessionTies(Quotient):
    """Mean over requests of P(score of a positive = score of a negative); 1 of a ranker that knows nothing.

    Requests with no positive or no negative do not count.
    """

    def __init__(self, name: str = "ties", dtype=None):
        super().__init__(name, dtype)

    def terms(self, grades, scores, valid):
        """Each request's share and whether it counts."""
        _, tied, counts = _shares_of_pairs(grades, scores, valid)
        return tf.where(counts, tied, 0.0), counts


class SessionCount(SessionAUC):
    """How many requests the session AUC is the mean of."""

    def __init__(self, name: str = "judged_requests", dtype=None):
        super().__init__(name, dtype)

    def result(self):
        """The number, float64: float32 has not all above 2^24."""
        return tf.identity(self.denominator)


def request_aucs(grades: tf.Tensor, scores: tf.Tensor, valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each request's AUC, 0 where it does not count, and whether it counts; arguments as `Quotient.terms` takes them.

    Returns:
      [B] float32, [B] bool.
    """
    above, tied, counts = _shares_of_pairs(grades, scores, valid)
    return tf.where(counts, 1.0 - above - 0.5 * tied, 0.0), counts


def _shares_of_pairs(grades, scores, valid) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Of the pairs of a positive and a negative of each request, [B] each: the share in which the negative scores more,
    the share in which both score the same, and whether there is a pair."""
    positive = grades > 0
    negative = valid & ~positive
    more, at_least = counts_above(scores, among=negative)
    positives = tf.reduce_sum(tf.cast(positive, tf.float32), axis=-1)
    negatives = tf.reduce_sum(tf.cast(negative, tf.float32), axis=-1)

    def share(of_positives):
        pairs = tf.reduce_sum(tf.where(positive, tf.cast(of_positives, tf.float32), 0.0), axis=-1)
        return tf.math.divide_no_nan(pairs, positives * negatives)

    return share(more), share(at_least - more), (positives > 0) & (negatives > 0)
