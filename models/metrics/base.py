"""What the metrics share: a quotient of two sums as state."""

import tensorflow as tf


class Quotient(tf.keras.metrics.Metric):
    """A metric that is one sum divided by another; a subclass says in `terms` what is summed.

    The sums are float64: a float32 sum stops growing at 2^24 items.
    """

    def __init__(self, name: str, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.numerator = self.add_weight("numerator", initializer="zeros", dtype=tf.float64)
        self.denominator = self.add_weight("denominator", initializer="zeros", dtype=tf.float64)

    def terms(self, grades: tf.Tensor, scores: tf.Tensor, valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What to add to the numerator and to the denominator, tensors of any one shape.

        Args:
          grades: [B, n] int32, -1 where padded.
          scores: [B, n] float32.
          valid: [B, n] bool, False where padded.
        """
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch; see the package's documentation."""
        del sample_weight
        numerator, denominator = self.terms(*padded_lists(y_true, y_pred))
        self.numerator.assign_add(tf.reduce_sum(tf.cast(numerator, tf.float64)))
        self.denominator.assign_add(tf.reduce_sum(tf.cast(denominator, tf.float64)))

    def result(self):
        """The quotient, float32; NaN if nothing counted."""
        quotient = tf.where(self.denominator > 0.0, self.numerator / self.denominator, float("nan"))
        return tf.cast(quotient, tf.float32)


def padded_lists(y_true, y_pred) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The grades [B, n] int32, the scores [B, n] float32 and where they are items, not padding, [B, n] bool."""
    grades = tf.cast(y_true, tf.int32)
    return grades, tf.cast(y_pred, tf.float32), grades >= 0


def counts_above(scores: tf.Tensor, among: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """How many items of its list score more than each item, and how many at least as much.

    By sorting, O(n log n) a list: the n^2 pairs of a batch of long lists would not fit into memory.

    Args:
      scores: [B, n] float32.
      among: which items are counted, [B, n] bool.

    Returns:
      Two tensors [B, n] int32.
    """
    # searchsorted wants rising values; those that are not counted go to the end, past all that are.
    descending = tf.sort(tf.where(among, -scores, float("inf")), axis=-1)
    number = tf.reduce_sum(tf.cast(among, tf.int32), axis=-1, keepdims=True)
    more = tf.searchsorted(descending, -scores, side="left")
    at_least = tf.minimum(tf.searchsorted(descending, -scores, side="right"), number)
    return tf.minimum(more, number), at_least
