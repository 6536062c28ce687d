"""The hierarchical soft constraint: categories under one parent are to choose similar experts."""

import itertools
from collections.abc import Sequence
from typing import Literal

import tensorflow as tf


def hierarchical_soft_constraint(
    gate_logits: Sequence[tf.Tensor],
    active: tf.Tensor,
    over: Literal["topk", "all"] = "topk",
    space: Literal["probability", "logit"] = "probability",
    stop_parent_gradient: bool = False,
) -> tf.Tensor:
    """Distance between the gate of each level of the category path and the gate of the level above [A].

    HSC = mean over requests of sum over levels l = 2..L of sum over e in S of (P^l_e - P^{l-1}_e)^2,
    P^l = softmax over all N experts of h^l, or h^l itself.

    Args:
      gate_logits: the noise-free logits h^1 .. h^L, top level first, each [B, N].
      active: the experts that the leaf's gate chose, [B, N] bool.
      over: S, the active experts [D] or all of them [C].
      space: P, the softmax [D] or the logits [C].
      stop_parent_gradient: whether the child alone is moved [D: no].

    Returns:
      A float32 scalar.

    Raises:
      ValueError: fewer than two levels, or an unknown ``over`` or ``space``.
    """
    if len(gate_logits) < 2:
        raise ValueError(f"`gate_logits` must hold at least two levels. Received: {len(gate_logits)}")
    if over not in ("topk", "all"):
        raise ValueError(f'`over` must be "topk" or "all". Received: over={over!r}')
    if space not in ("probability", "logit"):
        raise ValueError(f'`space` must be "probability" or "logit". Received: space={space!r}')
    levels = [tf.cast(logits, tf.float32) for logits in gate_logits]
    if space == "probability":
        levels = [tf.nn.softmax(logits) for logits in levels]
    distance = 0.0
    for parent, child in itertools.pairwise(levels):
        distance += tf.math.squared_difference(child, tf.stop_gradient(parent) if stop_parent_gradient else parent)
    if over == "topk":
        distance = tf.where(active, distance, 0.0)
    return tf.reduce_mean(tf.reduce_sum(distance, axis=-1))
