"""Which test requests two runs have both judged."""

import dataclasses
import enum

import numpy as np
from pandas.util import hash_array

from reporting.judged_requests import JudgedRequests, part
from reporting.statistics import LEAST


class Kind(enum.Enum):
    """How far the test requests of two runs are the same."""

    SAME = "same"
    SHARED = "shared"
    OTHER = "other"


@dataclasses.dataclass(frozen=True)
class Paired:
    """The test requests of two runs, side by side.

    Attributes:
      kind: whether all are the same; some, and enough to compare by; or not.
      first, second: the requests that both have judged, in one order; of other requests, none.
      judged: how many of these session AUC is a mean over.
      altered: requests of the same id whose items or labels are not the same.
    """

    kind: Kind
    first: JudgedRequests
    second: JudgedRequests
    judged: int
    altered: int


def pair(first: JudgedRequests, second: JudgedRequests) -> Paired:
    """Finds the requests of the same id with the same items and labels: only of these are two figures of one thing."""
    keys = [hash_array(found.requests) ^ found.contents.view(np.uint64) for found in (first, second)]
    common, *places = np.intersect1d(*keys, return_indices=True)
    left = [np.delete(found.requests, place) for found, place in zip((first, second), places, strict=True)]
    altered = len(np.intersect1d(*left))
    judged = int((~np.isnan(first.ranking.by_request["session_auc"][places[0]])).sum())
    everything = all(len(np.unique(own)) == len(common) for own in keys) and first.whole == second.whole
    kind = Kind.SAME if everything and len(common) else Kind.SHARED if judged >= LEAST else Kind.OTHER
    if kind is Kind.OTHER:
        places = [place[:0] for place in places]
    return Paired(kind, part(first, places[0]), part(second, places[1]), judged, altered)
