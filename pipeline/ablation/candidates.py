"""Candidates of the request's own kind: those whose item feature equals a feature of the request."""

import numpy as np
import tensorflow as tf

from models.inputs.reading import read_requests

_BATCH = 1024


def own_candidates(examples: str, item_feature: str, request_feature: str, label: str) -> list[tuple[np.ndarray, ...]]:
    """Which items of the test split have the request's own value, as of a query's category among all that is shown.

    Sampled negatives are often of another category, which makes them easy to tell from a click; the figure among the
    request's own says more of a ranker.

    Args:
      examples: folder of the Examples artifact.
      item_feature, request_feature: names of text features.
      label: the label that is trained.

    Returns:
      of each request, in the files' order, [n] bool; and the label [n], to check that order.
    """
    spec = {
        item_feature: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
        request_feature: tf.io.FixedLenFeature([], tf.string, ""),
        label: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
    }
    requests = []
    for batch in read_requests([f"{examples}/Split-test/*"], spec, _BATCH):
        items = batch[item_feature]
        own = (items.flat_values == tf.gather(batch[request_feature], items.value_rowids())).numpy()
        cuts = items.row_splits[1:-1].numpy()
        requests += zip(np.split(own, cuts), np.split(batch[label].flat_values.numpy(), cuts), strict=True)
    return requests
