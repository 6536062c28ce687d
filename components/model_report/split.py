"""The scored test split; apart from `scoring`, for whoever has no TFX to wait for."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ScoredSplit:
    """R requests of T items in all, in the order of the files.

    Attributes:
      requests: [R] int64, hashes of the requests' ids.
      lengths: [R] items of each request.
      grades: [T] of the label that the model is judged by.
      scores: [T] float32, of the model.
      baseline: [T] float32, of the last blessed model; None if there is none.
      categories: [R, L] ids of the category path, 0 for unknown.
      category_requests: [R] training requests in the leaf category.
      history: [R] length of the longest history; None if the log has none.
      items: [T] int64, hashes of the items' names.
      positions: [T] places as they were shown; None if the log does not say.
    """

    requests: np.ndarray
    lengths: np.ndarray
    grades: np.ndarray
    scores: np.ndarray
    baseline: np.ndarray | None
    categories: np.ndarray
    category_requests: np.ndarray
    history: np.ndarray | None
    items: np.ndarray
    positions: np.ndarray | None

    @property
    def positive(self) -> np.ndarray:
        """[T] bool."""
        return self.grades > 0

    def sums(self, values: np.ndarray) -> np.ndarray:
        """[T] -> [R] float64: of each request's items."""
        return np.bincount(self.request_of_item, values, len(self.lengths))

    @property
    def request_of_item(self) -> np.ndarray:
        """[T] places of the requests."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)
