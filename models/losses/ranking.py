"""Adapter to TF-Ranking's losses: the one module that trains with it; models/export/signatures.py parses by it."""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_ranking as tfr

from models.distributed.replicas import Share, total

_LIST_LOSSES = {
    "pairwise_logistic": tfr.keras.losses.PairwiseLogisticLoss,
    "softmax": tfr.keras.losses.SoftmaxLoss,
    "approx_ndcg": tfr.keras.losses.ApproxNDCGLoss,
}


def ranking_loss(
    name: str,
    grades: tf.Tensor,
    scores: tf.Tensor,
    row_lengths: tf.Tensor,
    weights: tf.Tensor | None = None,
    gains: Sequence[float] | None = None,
    share: Share | None = None,
) -> tf.Tensor:
    """The loss of a batch of requests, their items in one flat tensor after another.

    With y an item's relevance, s its score, w its weight, scaled to a mean of 1 over the batch:

    - "cross_entropy": mean over items of w CE(grade > 0, sigma(s)) [C]. Gains play no part.
    - "pairwise_logistic": sum over pairs of one request with y_i > y_j of w_i ln(1 + exp(s_j - s_i)), divided by the
      number of items.
    - "softmax": mean over requests of - sum over items of w_i y_i ln softmax(s)_i.
    - "approx_ndcg": mean over requests of - NDCG with the soft rank 0.5 + sum over j of sigma((s_j - s_i) / 0.1); the
      weight of a request is the relevance-weighted mean of its items' weights.

    The means over requests are over those that have a relevant item: the others have no loss, and no gradient.
    TF-Ranking divides by the size of the padded batch instead, which would make the loss depend on the longest list.

    The relevance y is the grade. If ``gains`` are given, it is the grade's gain; for "approx_ndcg", whose gain is
    2^y - 1, that which has this gain.

    Args:
      name: one of the four.
      grades: [T], whole numbers >= 0.
      scores: logits, [T] float32.
      row_lengths: the requests' numbers of items, [B], T in total.
      weights: [T] float32, or None for equal ones.
      gains: the gain of each grade 0, 1, ..
      share: of this replica, if it is one of several: gives its part of the loss, which add up to that of the batch.

    Returns:
      A float32 scalar.

    Raises:
      ValueError: unknown ``name``.
    """
    scores = tf.cast(scores, tf.float32)
    if weights is not None:
        weights = tf.cast(weights, tf.float32)
        mean = tf.reduce_mean(weights)
        weights = tf.math.divide_no_nan(weights, total(mean * share.items) if share else mean)
    if name == "cross_entropy":
        losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(grades > 0, tf.float32), scores)
        loss = tf.reduce_mean(losses if weights is None else weights * losses)
        return share.items * loss if share else loss
    if name not in _LIST_LOSSES:
        raise ValueError(f"`name` must be one of cross_entropy, {', '.join(_LIST_LOSSES)}. Received: name={name!r}")

    relevance = tf.cast(grades, tf.float32)
    if gains is not None:
        relevance = tf.gather(tf.constant(gains, tf.float32), tf.cast(grades, tf.int32))
        if name == "approx_ndcg":
            relevance = tf.math.log1p(relevance) / tf.math.log(2.0)

    def by_request(values):
        return tf.RaggedTensor.from_row_lengths(values, row_lengths, validate=False)

    # TF-Ranking gives padding the logit -23, which counts for nothing only where the list's own are far above.
    highest = tf.repeat(tf.reduce_max(by_request(tf.stop_gradient(scores)), axis=1), row_lengths)
    loss = _LIST_LOSSES[name](reduction=tf.keras.losses.Reduction.SUM, ragged=True)
    summed = loss(by_request(relevance), by_request(scores - highest), None if weights is None else by_request(weights))
    if name == "pairwise_logistic":
        loss = summed / tf.cast(tf.size(scores), tf.float32)
        return share.items * loss if share else loss
    relevant = tf.math.count_nonzero(tf.reduce_max(by_request(relevance), axis=1) > 0.0, dtype=tf.float32)
    return tf.math.divide_no_nan(summed, total(relevant) if share else relevant)
