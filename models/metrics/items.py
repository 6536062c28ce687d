"""Metrics over items, whichever request they stand in."""

import tensorflow as tf

from models.metrics.base import Quotient, padded_lists

_EPSILON = 1e-7
_LARGEST_LOGIT = 16.0
_BUCKETS = 4000


class ItemLogLoss(Quotient):
    """Mean over items of - ln p(whether the grade is > 0), probabilities cut to [1e-7, 1 - 1e-7]."""

    def __init__(self, name: str = "log_loss", dtype=None):
        super().__init__(name, dtype)

    def terms(self, grades, scores, valid):
        """Each item's loss and whether it is one."""
        probability = tf.clip_by_value(scores, _EPSILON, 1.0 - _EPSILON)
        loss = -tf.where(grades > 0, tf.math.log(probability), tf.math.log1p(-probability))
        return tf.where(valid, loss, 0.0), valid


class ItemCalibration(Quotient):
    """Mean predicted probability / observed rate of positive grades; 1 is calibrated, more is too sure."""

    def __init__(self, name: str = "calibration", dtype=None):
        super().__init__(name, dtype)

    def terms(self, grades, scores, valid):
        """Each item's probability and whether it is positive."""
        return tf.where(valid, scores, 0.0), grades > 0


class ItemAUC(tf.keras.metrics.Metric):
    """P(score of a positive > score of a negative) + 0.5 P(they are equal) over all pairs of items.

    Scores are counted in buckets of equal width in the logit, from -16 to 16: click probabilities crowd near 0, where
    buckets of equal width in the probability, as `tf.keras.metrics.AUC` has them, are too wide. Scores of one bucket
    count as equal. With 4000 buckets, 0.008 wide, the error is far below 1e-3 unless all logits are within 0.1.
    """

    def __init__(self, name: str = "auc", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.positives = self.add_weight("positives", (_BUCKETS,), initializer="zeros", dtype=tf.float64)
        self.negatives = self.add_weight("negatives", (_BUCKETS,), initializer="zeros", dtype=tf.float64)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch; see the package's documentation."""
        del sample_weight
        grades, scores, valid = padded_lists(y_true, y_pred)
        probability = tf.clip_by_value(scores, _EPSILON, 1.0 - _EPSILON)
        logit = tf.math.log(probability) - tf.math.log1p(-probability)
        share = (tf.clip_by_value(logit, -_LARGEST_LOGIT, _LARGEST_LOGIT) + _LARGEST_LOGIT) / (2.0 * _LARGEST_LOGIT)
        bucket = tf.minimum(tf.cast(share * _BUCKETS, tf.int32), _BUCKETS - 1)
        for counts, mask in ((self.positives, grades > 0), (self.negatives, grades == 0)):
            counts.assign_add(tf.math.unsorted_segment_sum(tf.cast(mask & valid, tf.float64), bucket, _BUCKETS))

    def result(self):
        """The AUC, float32; NaN without a positive or without a negative item."""
        below = tf.cumsum(self.negatives, exclusive=True)
        won = tf.reduce_sum(self.positives * (below + 0.5 * self.negatives))
        pairs = tf.reduce_sum(self.positives) * tf.reduce_sum(self.negatives)
        return tf.cast(won / pairs, tf.float32)

    def reset_state(self):
        """Forgets all batches."""
        for counts in (self.positives, self.negatives):
            counts.assign(tf.zeros_like(counts))
