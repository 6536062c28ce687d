"""What a gate says of a batch of requests."""

from typing import NamedTuple

import tensorflow as tf

from models.layers.gates import GateLogits


class Routing(NamedTuple):
    """How B requests are sent to N experts.

    Attributes:
      weights: of the experts, [B, N] float32; from MMoE's gates [T, N], a row an item; None from folded gates.
      active: the K experts with the largest gates, [B, N] bool; None from a gate that makes no choice.
      experts: their indices, [B, K] int32, the best first; None likewise.
      expert_weights: their weights, [B, K] float32; None likewise.
      logits: of the leaf category; None from a gate without noise.
      level_logits: noise-free logits of the gated levels of the category path, [B, N] each, top first.
      gate, masked_gate: AW-MoE's gate before it becomes weights, centred, and the same with some of the behaviours
        masked, [B, N] each; the latter in training only.
      has_behaviours: [B] bool; None, as the two above, from a gate that looks at the category alone.
    """

    weights: tf.Tensor | None
    active: tf.Tensor | None = None
    experts: tf.Tensor | None = None
    expert_weights: tf.Tensor | None = None
    logits: GateLogits | None = None
    level_logits: tuple = ()
    gate: tf.Tensor | None = None
    masked_gate: tf.Tensor | None = None
    has_behaviours: tf.Tensor | None = None
