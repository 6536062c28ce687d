"""The contrastive loss of AW-MoE: a gate is to withstand the loss of behaviours."""

import tensorflow as tf


def contrastive(gates: tf.Tensor, masked: tf.Tensor, included: tf.Tensor, temperature: float) -> tf.Tensor:
    """Pulls a request's gate to that of its masked history, and pushes it from other requests' [A; form D].

    L = mean over requests q of - ln(exp(s(g_q, g'_q) / tau) / (exp(s(g_q, g'_q) / tau) + sum over r != q of
    exp(s(g_q, g_r) / tau))), s the cosine.

    Args:
      gates: g, [B, N].
      masked: g', [B, N].
      included: [B] bool; requests without history take no part, neither as q nor as r.
      temperature: tau.

    Returns:
      A float32 scalar; 0 if no request is included.
    """
    gates = tf.math.l2_normalize(tf.cast(gates, tf.float32), axis=1)
    masked = tf.math.l2_normalize(tf.cast(masked, tf.float32), axis=1)
    positive = tf.reduce_sum(gates * masked, axis=1)
    similarity = tf.matmul(gates, gates, transpose_b=True)
    # The request's own place in its row holds the positive pair.
    logits = tf.linalg.set_diag(similarity, positive) / temperature
    logits = tf.where(included[tf.newaxis, :], logits, logits.dtype.min)
    losses = tf.reduce_logsumexp(logits, axis=1) - positive / temperature
    count = tf.math.count_nonzero(included, dtype=tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.where(included, losses, 0.0)), count)
