"""Session AUC, the figure that the project's models are chosen by."""

import tensorflow as tf

from models.metrics.base import Quotient, counts_above


@tf.keras.utils.register_keras_serializable(package="aislerank")
class SessionAUC(Quotient):
    """Mean over requests of P(score of a positive > score of a negative) + 0.5 P(they are equal).

    A positive is an item of grade > 0. Requests with no positive or no negative do not count.
    """

    def __init__(self, name: str = "session_auc", dtype=None):
        super().__init__(name, dtype)

    def terms(self, grades, scores, valid):
        """Each request's AUC and whether it counts."""
        return request_aucs(grades, scores, valid)


def request_aucs(grades: tf.Tensor, scores: tf.Tensor, valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each request's AUC, 0 where it does not count, and whether it counts; arguments as `Quotient.terms` takes them.

    Returns:
      [B] float32, [B] bool.
    """
    positive = grades > 0
    negative = valid & ~positive
    more, at_least = counts_above(scores, among=negative)
    positives = tf.reduce_sum(tf.cast(positive, tf.float32), axis=-1)
    negatives = tf.reduce_sum(tf.cast(negative, tf.float32), axis=-1)
    # A positive loses to the negatives that score more and shares the pairs with those that score the same.
    lost = tf.reduce_sum(tf.where(positive, 0.5 * tf.cast(more + at_least, tf.float32), 0.0), axis=-1)
    counts = (positives > 0) & (negatives > 0)
    return tf.where(counts, 1.0 - tf.math.divide_no_nan(lost, positives * negatives), 0.0), counts
