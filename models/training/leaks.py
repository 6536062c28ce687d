"""The features that a label has leaked into, where a session AUC is too high. Reads transformed requests once more."""

import itertools
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from models.inputs.features import RankerInputs
from models.metrics.session_auc import request_aucs

_BATCHES = 2_000  # are enough, whatever the size of the log
_LOWEST_NAMED = 0.6  # an honest feature may well have a lower session AUC by itself


def leaking_features(
    inputs: RankerInputs, label: str, train: Iterable[dict], valid: Iterable[dict]
) -> list[tuple[float, str]]:
    """The session AUC that each input of the items has by itself on the validation split, the highest first.

    A number is taken as the score, high or low values first; an id by its share of positives in the train split; a
    history by whether it holds the item. Inputs of a whole request cannot tell its items apart.

    Args:
      inputs: of the ranker.
      label: the feature that the session AUC is computed with.
      train, valid: batches of transformed requests; the first 2,000 of each are read.

    Returns:
      (session AUC, feature) pairs, those of at least 0.6; the names are those of transformed features.
    """
    tables = dict(inputs.item_categorical)
    shares = _shares_of_positives(inputs, label, train)
    sums: dict[str, np.ndarray] = {}
    for batch in itertools.islice(valid, _BATCHES):
        grades = batch[label]
        scores = {name: batch[name].flat_values.numpy() for name in inputs.item_numeric}
        scores |= {name: shares[name][batch[name].flat_values.numpy()] for name in tables}
        scores |= {
            f"{history} (holds the item)": _in_history(batch[history], batch[name])
            for history, table in inputs.histories
            for name in tables
            if tables[name] == table
        }
        padded = tf.cast(grades.to_tensor(-1), tf.int32)
        for name, values in scores.items():
            by_request = grades.with_flat_values(tf.constant(values, tf.float32)).to_tensor()
            terms = request_aucs(padded, by_request, padded >= 0)
            sums[name] = sums.get(name, 0.0) + np.array([np.sum(term.numpy(), dtype=np.float64) for term in terms])
    aucs = {name: total / requests for name, (total, requests) in sums.items() if requests}
    found = sorted(((max(auc, 1.0 - auc), name) for name, auc in aucs.items()), reverse=True)
    return [(auc, name) for auc, name in found if auc >= _LOWEST_NAMED]


def _shares_of_positives(inputs: RankerInputs, label: str, batches: Iterable[dict]) -> dict[str, np.ndarray]:
    """By feature of ids, the share of positives of each id; that of all for an id without an item."""
    counts = {name: np.zeros((2, inputs.table_sizes[table])) for name, table in inputs.item_categorical}
    for batch in itertools.islice(batches, _BATCHES):
        positive = batch[label].flat_values.numpy() > 0
        for name, (all_items, positives) in counts.items():
            ids = batch[name].flat_values.numpy()
            all_items += np.bincount(ids, minlength=all_items.size)
            positives += np.bincount(ids[positive], minlength=positives.size)
    shares = {}
    for name, (all_items, positives) in counts.items():
        mean = positives.sum() / max(1.0, all_items.sum())
        shares[name] = np.where(all_items > 0, positives / np.maximum(1.0, all_items), mean)
    return shares


def _in_history(history: tf.RaggedTensor, items: tf.RaggedTensor) -> np.ndarray:
    """1.0 for each item, in one row after the other, whose id is in its request's history, else 0.0."""
    # Of sizes that a batch has, all pairs are few: [B, n, 1] against [B, 1, m]. No id is negative.
    pairs = items.to_tensor(-1)[:, :, tf.newaxis] == history.to_tensor(-2)[:, tf.newaxis, :]
    held = tf.cast(tf.reduce_any(pairs, axis=2), tf.float32)
    return tf.RaggedTensor.from_tensor(held, lengths=items.row_lengths()).flat_values.numpy()
