"""What a report says, apart from how it looks: figures, names and texts, as JSON.

The executor fills it from artifacts, `page` draws it; neither knows the other. A figure that could not be
had is None: a shelf without a click has no session AUC. Intervals are of 95 %.
"""

from pydantic import BaseModel

from reporting.estimates import Estimate


class HeadlineMetric(BaseModel):
    """One metric of the test split.

    Attributes:
      name: as in summary.json, such as ``session_auc``.
      model, baseline, popularity: of this model, the last blessed one (None if there is none), and of ranking by the
        items' clicks in the training split.
      minus_baseline, minus_popularity: differences, paired by request.
    """

    name: str
    model: Estimate
    baseline: Estimate | None
    popularity: Estimate | None
    minus_baseline: Estimate | None
    minus_popularity: Estimate | None


class Headline(BaseModel):
    """The verdict.

    Attributes:
      blessed: whether the model is good enough to be pushed.
      reasons: why not, a line each.
      compared_with: the last blessed model, in words, or why it cannot be compared; None if there is none.
      requests: of the test split.
      judged_requests: those with a clicked item and another, which session AUC is a mean over.
    """

    blessed: bool
    reasons: list[str]
    compared_with: str | None
    requests: int
    judged_requests: int
    metrics: list[HeadlineMetric]


class Category(BaseModel):
    """A node of the category tree; parents stand before their children, children in order of traffic.

    Requests of a parent whose sub-category is unknown have a node of their own, its last child, if the test split has
    some: counts of children add up to their parent's. So have those whose top category is unknown.

    Attributes:
      name: as in the log, or "(unknown)".
      level: from 1.
      parent: its place in the list; None at the top.
      requests: in the training split.
      test_requests, judged_requests, items: in the test split.
      click_rate: positives per item in the test split.
      change: session AUC minus the last blessed model's, paired by request.
      gate: [experts] weights that serve; None without a gate or for nodes that it does not look at.
      x, y: place on the map of gate vectors; None where there is none.
    """

    name: str
    level: int
    parent: int | None
    requests: int
    test_requests: int
    judged_requests: int
    items: int
    click_rate: float | None
    session_auc: Estimate
    ndcg_at_10: Estimate
    calibration: Estimate
    change: Estimate | None
    gate: list[float] | None
    x: float | None = None
    y: float | None = None


class Experts(BaseModel):
    """What the experts do; of the first task's gate, on requests drawn from those of the test split that session AUC
    judges. Texts number the experts from 1.

    Attributes:
      top_k: how many are active in a request; None if all are.
      share_of_requests: [experts] the share of the requests in which each is active.
      mean_weight: [experts] over the requests; of mmoe, over the items.
      active_idle_distance: mean squared distance between the outputs of active and idle experts, as in the
        adversarial loss; None if none is idle.
      distance: [experts, experts] mean squared distance between their outputs.
      correlation: [experts, experts] of their outputs over the items; None for an output that is the same everywhere.
      silhouette: of leaf categories' gates by top category; None where there is none.
      shelves: sentences, which experts share which shelves.
      items: over how many this was measured.
    """

    top_k: int | None
    share_of_requests: list[float]
    mean_weight: list[float]
    active_idle_distance: float | None
    distance: list[list[float]]
    correlation: list[list[float | None]]
    silhouette: float | None
    shelves: list[str]
    items: int


class Importance(BaseModel):
    """Permutation importance: by how much session AUC falls when a feature is shuffled.

    Attributes:
      features: by importance over all requests, the greatest first.
      top_categories: those that it was measured in; of more than 40 those with most requests.
      overall: [features].
      by_category: [features][top categories].
      judged_requests: over how many it was measured; [top categories] in each.
      explanation: how it was shuffled and capped, in a sentence or two.
    """

    features: list[str]
    top_categories: list[str]
    overall: list[Estimate]
    by_category: list[list[Estimate]]
    judged_requests: int
    judged_by_category: list[int]
    explanation: str


class CalibrationBin(BaseModel):
    """Items whose scores are next to each other: equally many in each bin."""

    mean_score: float
    rate: Estimate
    items: int


class Slice(BaseModel):
    """A part of the test split."""

    name: str
    requests: int
    judged_requests: int
    session_auc: Estimate
    ndcg_at_10: Estimate
    change: Estimate | None


class Slices(BaseModel):
    """The test split divided by one thing, such as "length of history", in an order that means something.

    Attributes:
      title: what it is divided by.
      note: what must be known to read it, or "".
    """

    title: str
    note: str
    slices: list[Slice]


class PositionRow(BaseModel):
    """A place in the list as it was shown, from 1: its click rate, and what the model scores there."""

    position: int
    items: int
    click_rate: Estimate
    mean_score: float


class Curve(BaseModel):
    """One quantity over the steps of the training, such as ``train/hsc_loss`` or ``valid/session_auc``."""

    name: str
    split: str
    steps: list[int]
    values: list[float | None]


class QuarantineReason(BaseModel):
    """Rows of the log that are in no request, for one reason; ``examples`` say file, line and what was wrong."""

    reason: str
    rows: int
    examples: list[str]


class Data(BaseModel):
    """The log: what was read and what became of it.

    Attributes:
      requests, items: by split.
      categories: by level.
      anomalies, drift: a line each.
    """

    rows_read: int
    rows_in_requests: int
    rows_quarantined: int
    requests: dict[str, int]
    items: dict[str, int]
    categories: dict[str, int]
    quarantine: list[QuarantineReason]
    anomalies: list[str]
    drift: list[str]


class ArtifactLine(BaseModel):
    """An artifact that this report stands on.

    Attributes:
      seconds: that the component took to make it; None where the orchestrator does not keep times.
      code: fingerprint of the source that made it; None if nobody knows it.
    """

    component: str
    key: str
    type_name: str
    id: int
    uri: str
    seconds: float | None
    code: str | None


class ReportContent(BaseModel):
    """All that a report says.

    Attributes:
      name: of the run.
      marks: what everyone who quotes a figure must know: "simulated log ...", "negatives are sampled ...".
      experts, importance: None where the model has no gate, where it was not measured.
      configuration: YAML.
      seconds: by component, in the order of the run.
    """

    name: str
    marks: list[str]
    headline: Headline
    level_names: list[str]
    categories: list[Category]
    experts: Experts | None
    importance: Importance | None
    calibration: list[CalibrationBin]
    slices: list[Slices]
    positions: list[PositionRow]
    curves: list[Curve]
    training: dict[str, float | int | str | None]
    data: Data
    configuration: str
    seconds: dict[str, float]
    artifacts: list[ArtifactLine]
