"""The table of metrics: everything that knows the name of a metric reads it here.

A new metric is a class in `models.metrics` and a row of this table. TFMA then measures the metric, and the summary of a
run and the ablation show it. A metric of single requests also appears in the model report and in the comparison of
runs, with its intervals; a metric over items needs an interval of its own there, see `reporting.headline`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric of the test split.

    Attributes:
      name: key in summary.json and in all other files.
      title: name in tables and charts.
      better: which figures are better.
      explanation: what the metric measures, in half a sentence.
      class_name: class in `models.metrics`.
      settings: arguments of the class.
      takes_gains: whether the class also takes the gains of the label's grades.
      per_request: whether the metric is a mean over requests; the class then has `terms`.
      compared: whether the ablation compares variants by the metric.
      shown: whether tables show the metric; the others serve the blessing alone.
    """

    name: str
    title: str
    better: Literal["higher", "lower", "near 1"]
    explanation: str
    class_name: str
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    takes_gains: bool = False
    per_request: bool = False
    compared: bool = False
    shown: bool = True

    @property
    def heading(self) -> str:
        """The title at the start of a line."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def direction(self) -> int:
        """1 if higher figures are better, -1 if lower ones are, 0 if neither."""
        return {"higher": 1, "lower": -1}.get(self.better, 0)

    def arguments(self, gains: Sequence[float]) -> dict[str, object]:
        """Arguments of the class for a label whose grades have these gains; JSON."""
        return {"name": self.name, **self.settings, **({"gains": list(gains)} if self.takes_gains else {})}


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "session_auc",
            "session AUC",
            "higher",
            "share of the pairs of a clicked and another item of a request that are in the right order",
            "SessionAUC",
            per_request=True,
            compared=True,
        ),
        Metric(
            "ndcg_at_10",
            "NDCG@10",
            "higher",
            "clicked items near the top of the first ten",
            "RequestNDCG",
            settings={"topn": 10},
            takes_gains=True,
            per_request=True,
            compared=True,
        ),
        Metric(
            "mrr",
            "MRR",
            "higher",
            "one over the position of the first clicked item",
            "RequestMRR",
            per_request=True,
        ),
        Metric(
            "auc",
            "AUC",
            "higher",
            "share of the pairs of a clicked and another item of all requests that are in the right order",
            "ItemAUC",
        ),
        Metric("log_loss", "log loss", "lower", "of the click probability; lower is better", "ItemLogLoss"),
        Metric("calibration", "calibration", "near 1", "predicted over actual clicks; 1 is best", "ItemCalibration"),
        Metric(
            "judged_requests",
            "judged requests",
            "higher",
            "requests with a clicked item and another, over which session AUC is a mean",
            "SessionCount",
            shown=False,
        ),
        Metric(
            "ties",
            "ties",
            "lower",
            "share of the pairs of a clicked and another item of a request that have the same score",
            "SessionTies",
            shown=False,
        ),
    )
}
# In the order of their columns.
SHOWN = {name: metric for name, metric in METRICS.items() if metric.shown}
PER_REQUEST = tuple(name for name, metric in METRICS.items() if metric.per_request)
COMPARED = tuple(name for name, metric in METRICS.items() if metric.compared)
