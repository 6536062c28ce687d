"""The gate of a mixture of experts: which experts score a request, and with what weight."""

from typing import Literal, NamedTuple

import tensorflow as tf

from models.distributed.replicas import draw


class GateLogits(NamedTuple):
    """What a gate says of each expert, before the top k are chosen.

    Attributes:
      clean: h, [B, N] float32.
      noisy: h~ in training, h elsewhere, [B, N] float32.
      noise_scale: the standard deviation of the noise, [B, N] float32; None where no noise was drawn.
    """

    clean: tf.Tensor
    noisy: tf.Tensor
    noise_scale: tf.Tensor | None


class Gate(tf.keras.layers.Layer):
    """Scores the experts from the embedding of a category [A; noise: C, after Shazeer et al. 2017].

    h = W v + b; in training h~ = h + eps * softplus(W_n v), eps ~ N(0, 1) for each request and expert. W_n starts at
    zero, so that all experts start with noise of the same scale, ln 2.

    The noise is a function of ``seed`` alone: a run that resumes from a checkpoint at the same step draws the same.

    Args:
      experts: N, the number of experts.
      noisy: whether training adds noise.
    """

    def __init__(self, experts: int, noisy: bool = True, **kwargs):
        super().__init__(**kwargs)
        if experts < 1:
            raise ValueError(f"`experts` must be at least 1. Received: experts={experts}")
        self.experts = experts
        self.noisy = noisy

    def build(self, input_shape):
        """Makes W, b and, if noisy, W_n."""
        size = input_shape[-1]
        self.kernel = self.add_weight("kernel", (size, self.experts), initializer="glorot_uniform")
        self.bias = self.add_weight("bias", (self.experts,), initializer="zeros")
        if self.noisy:
            self.noise_kernel = self.add_weight("noise_kernel", (size, self.experts), initializer="zeros")
        super().build(input_shape)

    def call(self, category, training: bool = False, seed=None) -> GateLogits:
        """Scores the experts.

        Args:
          category: embeddings v of the requests' categories, [B, E] float32.
          training: whether to draw noise.
          seed: [2] int32 or a `SharedSeed`, needed where noise is drawn.

        Raises:
          ValueError: noise is to be drawn and ``seed`` is None.
        """
        clean = tf.matmul(category, self.kernel) + self.bias
        if not (training and self.noisy):
            return GateLogits(clean, clean, None)
        if seed is None:
            raise ValueError("`seed` must be given to a noisy gate in training. Received: seed=None")
        noise_scale = tf.math.softplus(tf.matmul(category, self.noise_kernel))
        noise = draw(tf.random.stateless_normal, tf.shape(clean), seed)
        return GateLogits(clean, clean + noise * noise_scale, noise_scale)


class TopK(NamedTuple):
    """The k best of N experts.

    Attributes:
      weights: [B, N] float32, 0 but for the active ones.
      active: which they are, [B, N] bool.
      experts: the same as indices, [B, k] int32, the best first.
      expert_weights: the weights of these, [B, k] float32.
    """

    weights: tf.Tensor
    active: tf.Tensor
    experts: tf.Tensor
    expert_weights: tf.Tensor


def top_k_gate(logits: tf.Tensor, k: int) -> TopK:
    """Gives the k best experts of each request weights that add up to 1, and all others exactly 0 [C].

    w_e = exp(h_e) / sum over j in T of exp(h_j) for e in T, the indices of the k largest logits. Of equal logits the
    one with the smaller index is taken: a threshold at the k-th logit would keep more than k.

    Args:
      logits: [B, N].
      k: how many experts are active.

    Returns:
      See `TopK`. Gradients reach active logits only.

    Raises:
      ValueError: k is not in [1, N].
    """
    experts = logits.shape[-1]
    if not 1 <= k <= experts:
        raise ValueError(f"`k` must be in [1, experts={experts}]. Received: k={k}")
    logits = tf.cast(logits, tf.float32)
    indices = tf.math.top_k(logits, k).indices
    # [B, k] distinct indices -> [B, N] bool, True at the indices.
    active = tf.reduce_any(tf.one_hot(indices, experts, on_value=True, off_value=False, dtype=tf.bool), axis=-2)
    weights = tf.nn.softmax(tf.where(active, logits, logits.dtype.min))
    return TopK(weights, active, indices, tf.gather(weights, indices, batch_dims=1))


def pick_disagreeing(
    logits: tf.Tensor, active: tf.Tensor, count: int, pick: Literal["random", "lowest"], seed=None
) -> tf.Tensor:
    """Picks the idle experts that the active ones are to disagree with. No gradient flows.

    Args:
      logits: the gate's, [B, N].
      active: which experts score the request, [B, N] bool; at least ``count`` of a row must be False.
      count: D, how many are picked of each row.
      pick: "random", uniformly without replacement [A], or "lowest", those with the smallest logits [C].
      seed: [2] int32 or a `SharedSeed`, needed for "random".

    Returns:
      [B, D] int32, distinct indices in a row, none of them active.

    Raises:
      ValueError: ``count`` is not in [1, N - 1], ``pick`` is unknown, or ``seed`` is missing.
    """
    experts = logits.shape[-1]
    if not 1 <= count < experts:
        raise ValueError(f"`count` must be in [1, experts - 1 = {experts - 1}]. Received: count={count}")
    if pick == "random":
        if seed is None:
            raise ValueError("`seed` must be given to pick at random. Received: seed=None")
        preference = draw(tf.random.stateless_uniform, tf.shape(logits), seed)
    elif pick == "lowest":
        preference = -tf.cast(logits, tf.float32)
    else:
        raise ValueError(f'`pick` must be "random" or "lowest". Received: pick={pick!r}')
    preference = tf.where(active, preference.dtype.min, preference)
    return tf.math.top_k(preference, count).indices
