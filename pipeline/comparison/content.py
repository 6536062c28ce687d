"""What a comparison says, apart from how it looks. Differences are the second run's figure minus the first's."""

import dataclasses

from pipeline.comparison.pairing import Kind
from reporting.estimates import Estimate


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of both runs; None where it cannot be had."""

    first: Estimate | None
    second: Estimate | None
    difference: Estimate | None

    @property
    def sign(self) -> int:
        """1 or -1 if the interval of the difference leaves 0 out, else 0."""
        return self.difference.sign if self.difference else 0


@dataclasses.dataclass(frozen=True)
class CategoryFigures:
    """A node of the second run's category tree, see `reporting.content.Category`; ``path`` holds the
    names from the top on."""

    path: tuple[str, ...]
    level: int
    parent: int | None
    requests: int
    judged_requests: int
    session_auc: Figure
    ndcg_at_10: Figure


@dataclasses.dataclass(frozen=True)
class SliceFigures:
    """A part of the test split; ``division`` is what it is divided by."""

    division: str
    name: str
    judged_requests: int
    session_auc: Figure


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table that has a column for each run; texts as they are shown."""

    name: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether there is something to look at."""
        return self.first != self.second


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All that is to be said of two runs.

    Attributes:
      labels: of the first and the second.
      kind: how far their test requests are the same.
      requests, judged: that both have judged; of other requests, 0.
      basis: on which requests they are compared, in a sentence or two.
      metrics: by name.
      categories: parents before their children.
      configuration: the keys that differ.
      data, training, experts, seconds: facts of both.
      marks: what everyone who quotes a figure must know.
    """

    labels: tuple[str, str]
    kind: Kind
    requests: int
    judged: int
    basis: str
    metrics: dict[str, Figure]
    categories: list[CategoryFigures]
    slices: list[SliceFigures]
    configuration: list[Row]
    data: list[Row]
    training: list[Row]
    experts: list[Row]
    seconds: list[Row]
    marks: list[str]

    @property
    def better(self) -> str | None:
        """The label of the run whose session AUC is higher beyond its interval, on requests that both have judged."""
        sign = self.metrics["session_auc"].sign if self.kind is not Kind.OTHER else 0
        return {1: self.labels[1], -1: self.labels[0], 0: None}[sign]
