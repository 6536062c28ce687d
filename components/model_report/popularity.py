"""How often each item was shown and clicked in training: the ranking that a model must beat."""

import dataclasses

import numpy as np
import tensorflow as tf

from models.inputs.reading import name_hash, read_requests

_BATCH = 2048
_WAITING = 4_000_000  # rows that are counted together


@dataclasses.dataclass(frozen=True)
class ItemCounts:
    """Of I items of the training split.

    Attributes:
      hashes: [I] int64, rising.
      rows: [I], how often each was shown.
      positives: [I], how often it was clicked, or whatever the label is.
    """

    hashes: np.ndarray
    rows: np.ndarray
    positives: np.ndarray

    def of(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, positives) of other hashes; 0 for an item that training never saw."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.int64), np.zeros(len(hashes), np.int64)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        known = self.hashes[place] == hashes
        return np.where(known, self.rows[place], 0), np.where(known, self.positives[place], 0)


def count_items(files: list[str], item_id: str, label: str) -> ItemCounts:
    """Counts the items of requests as ClickLogExampleGen writes them.

    Args:
      files: glob patterns; [] gives no item.
      item_id: the feature that names the item.
      label: its grade; positive above 0.
    """
    files = [pattern for pattern in files if tf.io.gfile.glob(pattern)]
    total, waiting, rows = _add([]), [], 0
    spec = {
        name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)
        for name, dtype in ((item_id, tf.string), (label, tf.int64))
    }

    def hashed(batch: dict) -> dict:
        return {"hash": name_hash(batch[item_id].flat_values), "positive": batch[label].flat_values > 0}

    for batch in read_requests(files, spec, _BATCH).map(hashed).as_numpy_iterator() if files else ():
        waiting.append((batch["hash"], np.ones(len(batch["hash"]), np.int64), batch["positive"].astype(np.int64)))
        rows += len(batch["hash"])
        if rows >= _WAITING:
            total, waiting, rows = _add([total, *waiting]), [], 0
    return ItemCounts(*_add([total, *waiting]))


def _add(parts: list[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adds up the (rows, positives) of equal hashes."""
    hashes, rows, positives = (
        np.concatenate([np.zeros(0, np.int64), *(part[place] for part in parts)]) for place in range(3)
    )
    hashes, place = np.unique(hashes, return_inverse=True)
    add = (np.bincount(place, of, len(hashes)).astype(np.int64) for of in (rows, positives))
    return hashes, *add
