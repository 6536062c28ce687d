"""What a ranking of the test split is evaluated by, request by request."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Ranking:
    """A ranking of R requests: two of them on the same requests are compared by these alone.

    Attributes:
      by_request: [R] float64 by the names of `reporting.metrics.PER_REQUEST`; NaN where a request does not count.
      log_losses, scores: [R] sums over the items of each; None where the scores are no probabilities.
      auc: over all items; NaN without a positive or a negative one, or where it is not known.
      auc_influence: [R], AUC is nearly the mean over requests of R psi, with psi the sum of a request's placements
        minus AUC, each divided by how many positives or negatives there are (DeLong, for clusters: Obuchowski 1997).
    """

    by_request: dict[str, np.ndarray]
    log_losses: np.ndarray | None
    scores: np.ndarray | None
    auc: float
    auc_influence: np.ndarray
