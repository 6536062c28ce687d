"""Load balance: no expert is to be used much more than another."""

import math

import tensorflow as tf

from models.distributed.replicas import replicas, total
from models.layers.gates import GateLogits, top_k_gate


def load_balance(weights: tf.Tensor, gate_logits: GateLogits | None, k: int) -> tf.Tensor:
    """CV^2(importance) + CV^2(load), a float32 scalar [C; Shazeer et al. 2017, eqs. 6-11].

    A gate without noise has no load that a gradient could lower; of AW-MoE's the importance counts alone. The batch is
    that of all replicas, and each has an equal part of the loss.

    Args:
      weights: of the experts, from `top_k_gate`, [B, N].
      gate_logits: what the gate said, each [B, N]; None for AW-MoE's.
      k: how many experts are active.
    """
    used = [importance(weights)]
    if gate_logits is not None:
        used.append(load(gate_logits, k))
    used = tf.unstack(total(tf.stack(used)))
    return tf.add_n([squared_coefficient_of_variation(of_batch) for of_batch in used]) / replicas()


def squared_coefficient_of_variation(x: tf.Tensor) -> tf.Tensor:
    """var(x) / mean(x)^2 of a vector [N], a float32 scalar.

    No standard deviation is taken on the way, whose gradient is undefined where all are equal.
    """
    x = tf.cast(x, tf.float32)
    return tf.math.reduce_variance(x) / (tf.square(tf.reduce_mean(x)) + 1e-10)


def importance(weights: tf.Tensor) -> tf.Tensor:
    """The sum of each expert's weights over the batch, [B, N] -> [N] float32."""
    return tf.reduce_sum(tf.cast(weights, tf.float32), axis=0)


def load(gate_logits: GateLogits, k: int) -> tf.Tensor:
    """How many requests each expert scores, as a smooth function of the gate.

    load_e = sum over requests of P(e is among the top k if its noise alone is drawn again)
           = sum of Phi((h_e - the k-th largest of the other experts' h~) / scale_e)

    Without noise it is the count itself, which has no gradient.

    Args:
      gate_logits: each [B, N].
      k: how many experts are active.

    Returns:
      [N] float32; B for every expert if k == N.
    """
    active = top_k_gate(gate_logits.noisy, k).active
    if gate_logits.noise_scale is None or k == gate_logits.clean.shape[-1]:
        return tf.reduce_sum(tf.cast(active, tf.float32), axis=0)
    best = tf.math.top_k(tf.cast(gate_logits.noisy, tf.float32), k + 1).values
    # To stay in, an active expert must beat the first that is out; to get in, an idle one the last that is in.
    threshold = tf.where(active, best[:, k : k + 1], best[:, k - 1 : k])
    scale = tf.maximum(tf.cast(gate_logits.noise_scale, tf.float32), 1e-6)
    distance = (tf.cast(gate_logits.clean, tf.float32) - threshold) / scale
    return tf.reduce_sum(0.5 * tf.math.erfc(-distance / math.sqrt(2.0)), axis=0)
