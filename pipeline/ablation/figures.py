"""The figures of a member on the test split: of each request, and over all items."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.metrics import ItemAUC, ItemCalibration, ItemLogLoss, RequestMRR, RequestNDCG, SessionAUC
from models.metrics.base import padded_lists
from pipeline.ablation.members import MemberScores

_BATCH = 4096


@dataclasses.dataclass(frozen=True)
class MemberFigures:
    """The figures of one member.

    Attributes:
      by_request: `session_auc`, `ndcg_at_10` and `mrr` of each request, [R] float64; NaN where it does not count.
      overall: these as means over the requests that count, and `auc`, `log_loss` and `calibration` over items.
    """

    by_request: dict[str, np.ndarray]
    overall: dict[str, float]


def figures(scores: MemberScores, gains: Sequence[float]) -> MemberFigures:
    """The figures of a member's scores, by the classes of models/metrics.

    Args:
      scores: on the test split.
      gains: of the label's grades, for the NDCG.
    """
    request_metrics = {"session_auc": SessionAUC(), "ndcg_at_10": RequestNDCG(10, gains), "mrr": RequestMRR()}
    item_metrics = {"auc": ItemAUC(), "log_loss": ItemLogLoss(), "calibration": ItemCalibration()}
    parts = {name: [] for name in request_metrics}
    ends = np.concatenate([[0], np.cumsum(scores.lengths)])
    for first in range(0, len(scores.lengths), _BATCH):
        lengths = scores.lengths[first : first + _BATCH]
        items = slice(ends[first], ends[first + len(lengths)])
        grades = tf.RaggedTensor.from_row_lengths(scores.grades[items], lengths).to_tensor(-1)
        probabilities = tf.RaggedTensor.from_row_lengths(scores.probabilities[items], lengths).to_tensor(-1.0)
        for metric in (*request_metrics.values(), *item_metrics.values()):
            metric.update_state(grades, probabilities)
        for name, metric in request_metrics.items():
            values, counts = metric.terms(*padded_lists(grades, probabilities))
            parts[name].append(np.where(counts, values, np.nan))
    return MemberFigures(
        by_request={name: np.concatenate(part).astype(np.float64) for name, part in parts.items()},
        overall={name: float(metric.result()) for name, metric in (request_metrics | item_metrics).items()},
    )
