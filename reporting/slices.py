"""The slices of the test split beside its categories; the summary, the model report and the ablation show these."""

import dataclasses

import numpy as np

_TRAFFIC = {"0": 0, "1-9": 1, "10-99": 10, "100-999": 100, "1,000-9,999": 1000, "10,000 or more": 10_000}


@dataclasses.dataclass(frozen=True)
class Slicing:
    """A division of requests into buckets of a whole number.

    Attributes:
      key: name of the slicing in summary.json and in TFMA's slices.
      title: name of the slicing in tables.
      note: one sentence that explains the number.
      column: attribute of `components.split_scorer.request_scores.RequestScores` that holds the number, [R]; None if
        the number is computed elsewhere.
      least: the least value of each bucket by the bucket's name, rising.
    """

    key: str
    title: str
    note: str
    column: str | None
    least: dict[str, int]

    @property
    def names(self) -> list[str]:
        """Names of the buckets, in their order."""
        return list(self.least)

    def places(self, values: np.ndarray) -> np.ndarray:
        """The bucket of each value, [R]; -1 for a value below the first bucket."""
        return np.searchsorted(list(self.least.values()), values, side="right") - 1


HISTORY_LENGTH = Slicing(
    "history_length",
    "length of history",
    "past items of the user",
    "history",
    {"0": 0, "1-2": 1, "3-9": 3, "10-49": 10, "50 or more": 50},
)
LIST_LENGTH = Slicing(
    "list_length",
    "length of the list",
    "items of the request",
    "lengths",
    {"1": 1, "2-4": 2, "5-9": 5, "10-19": 10, "20-49": 20, "50-99": 50, "100 or more": 100},
)
CATEGORY_REQUESTS = Slicing(
    "category_requests",
    "leaf category in training",
    "requests of the training split in the request's leaf category",
    "category_requests",
    _TRAFFIC,
)
# Only the model report counts the items of the training split.
CLICKED_ITEM = Slicing(
    "clicked_item",
    "clicked item in training",
    "how often the training split shows the clicked item, of several the rarest; a request without is left out",
    None,
    _TRAFFIC,
)
SLICINGS = (HISTORY_LENGTH, LIST_LENGTH, CATEGORY_REQUESTS)
