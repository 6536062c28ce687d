"""Adversarial regularisation: active experts are rewarded for disagreeing with idle ones."""

from typing import Literal

import tensorflow as tf


def adversarial_disagreement(
    expert_logits: tf.Tensor,
    active: tf.Tensor,
    disagreeing: tf.Tensor,
    space: Literal["probability", "logit"] = "probability",
) -> tf.Tensor:
    """Mean squared difference between the active experts' outputs and the disagreeing ones' [A].

    Adv = mean over items of 1/(K D) sum over e in T, j in U of (f(E_e) - f(E_j))^2

    It is positive and to be subtracted from the objective. In the space of logits it has no upper bound.

    Computed as var(f over T) + var(f over U) + (mean over T - mean over U)^2, which is the same, needs no tensor of
    pairs, and, being a sum of positive terms, cancels nothing.

    Args:
      expert_logits: E, [T, N]; only the active and the disagreeing experts' are read and get a gradient.
      active: T, the K experts that score the item, [T, N] bool.
      disagreeing: U, the D experts to disagree with, [T, N] bool.
      space: f, the logistic function [D] or the identity [C].

    Returns:
      A float32 scalar.

    Raises:
      ValueError: unknown ``space``.
    """
    if space not in ("probability", "logit"):
        raise ValueError(f'`space` must be "probability" or "logit". Received: space={space!r}')
    outputs = tf.cast(expert_logits, tf.float32)
    if space == "probability":
        outputs = tf.math.sigmoid(outputs)
    active_mean, active_variance = _moments(outputs, active)
    disagreeing_mean, disagreeing_variance = _moments(outputs, disagreeing)
    return tf.reduce_mean(
        active_variance + disagreeing_variance + tf.math.squared_difference(active_mean, disagreeing_mean)
    )


def _moments(values: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each row's masked values, both [T]."""
    count = tf.reduce_sum(tf.cast(mask, values.dtype), axis=-1)
    mean = tf.reduce_sum(tf.where(mask, values, 0.0), axis=-1) / count
    squares = tf.where(mask, tf.math.squared_difference(values, mean[:, tf.newaxis]), 0.0)
    return mean, tf.reduce_sum(squares, axis=-1) / count
