"""The figures of a member on the test split: of each request, and over all items."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.split_scorer.request_scores import RequestScores
from reporting.metrics import SHOWN
from reporting.request_metrics import made, of_requests


@dataclasses.dataclass(frozen=True)
class MemberFigures:
    """The figures of one member.

    Attributes:
      by_request: `session_auc`, `ndcg_at_10` and `mrr` of each request, [R] float64; NaN where it does not count.
      overall: these as means over the requests that count, and `auc`, `log_loss` and `calibration` over items.
    """

    by_request: dict[str, np.ndarray]
    overall: dict[str, float]


def figures(scores: RequestScores, gains: Sequence[float]) -> MemberFigures:
    """The figures of a member's scores, by the classes of models/metrics.

    Args:
      scores: on the test split.
      gains: of the label's grades, for the NDCG.
    """
    by_request = of_requests(scores.lengths, scores.grades, scores.scores, gains)
    overall = {name: _mean(values[~np.isnan(values)]) for name, values in by_request.items()}
    for metric in (made(one, gains) for one in SHOWN.values() if not one.per_request):
        metric.update_state(scores.grades[np.newaxis], scores.scores[np.newaxis])
        overall[metric.name] = float(metric.result())
    return MemberFigures(by_request, overall)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
