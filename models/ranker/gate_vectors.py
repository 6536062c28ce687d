"""The gates of many categories at once."""

import numpy as np
import tensorflow as tf

from models.ranker.model import Ranker

_AT_ONCE = 65_536


def gate_vectors(ranker: Ranker, paths: np.ndarray, task: int = 0) -> np.ndarray:
    """[C, N] float32, the experts' weights for requests of which just the category path is known, see `Ranker.route`.

    Args:
      ranker: a mixture, but mmoe.
      paths: [C, L] int64, ids of the categories, top first, 0 for unknown.
      task: of the gate.
    """
    # At least once: of no path, [0, N].
    starts = range(0, max(1, len(paths)), _AT_ONCE)
    parts = [ranker.route(list(tf.constant(paths[at : at + _AT_ONCE].T)), task).weights.numpy() for at in starts]
    return np.concatenate(parts)
