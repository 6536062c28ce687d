"""Adversarial regularisation: active experts are rewarded for disagreeing with idle ones."""

from typing import Literal

import tensorflow as tf


def adversarial_disagreement(
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
      active: E_e, the logits of the K experts that score the item, [items, K].
      disagreeing: E_j, those of the D experts to disagree with, [items, D].
      space: f, the logistic function [D] or the identity [C].

    Returns:
      A float32 scalar.

    Raises:
      ValueError: unknown ``space``.
    """
    if space not in ("probability", "logit"):
        raise ValueError(f'`space` must be "probability" or "logit". Received: space={space!r}')
    logits = [tf.cast(logits, tf.float32) for logits in (active, disagreeing)]
    outputs = [tf.math.sigmoid(of) for of in logits] if space == "probability" else logits
    (active_mean, active_variance), (disagreeing_mean, disagreeing_variance) = [_moments(of) for of in outputs]
    return tf.reduce_mean(
        active_variance + disagreeing_variance + tf.math.squared_difference(active_mean, disagreeing_mean)
    )


def _moments(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each row, both [items]."""
    mean = tf.reduce_mean(values, axis=-1)
    return mean, tf.reduce_mean(tf.math.squared_difference(values, mean[:, tf.newaxis]), axis=-1)
