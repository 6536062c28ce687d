"""The test split divided by what a ranker's figures may depend on."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.model_report.categories import AUC_BOUNDS
from components.model_report.split import ScoredSplit
from reporting.content import CalibrationBin, PositionRow, Slice, Slices
from reporting.estimates import means, paired_differences, rates

_BINS = 20
_POSITIONS = 50
# By title: the least value of each slice, and its name.
_HISTORY = {"none": 0, "1-2": 1, "3-9": 3, "10-49": 10, "50 or more": 50}
_LENGTHS = {"1": 1, "2-4": 2, "5-9": 5, "10-19": 10, "20-49": 20, "50-99": 50, "100 or more": 100}
_SEEN = {"never": 0, "1-9": 1, "10-99": 10, "100-999": 100, "1,000 or more": 1000}


@dataclasses.dataclass(frozen=True)
class Division:
    """R requests divided by one thing.

    Attributes:
      title, note: as in `content.Slices`.
      names: of the slices, in an order that means something.
      place: [R] of each request's slice; -1 of one that is in none.
    """

    title: str
    note: str
    names: list[str]
    place: np.ndarray


def divisions(split: ScoredSplit, shown_in_training: np.ndarray) -> list[Division]:
    """By length of history, length of the list, and how much training has seen.

    Args:
      split: the scored test split.
      shown_in_training: [T] how often each item was shown in the training split.
    """
    clicked = np.full(len(split.lengths), np.iinfo(np.int64).max)
    np.minimum.at(clicked, split.request_of_item[split.positive], shown_in_training[split.positive])
    divided_by = [
        ("length of history", "past items of the user", split.history, _HISTORY),
        ("length of the list", "items of the request", split.lengths, _LENGTHS),
        (
            "clicked item in training",
            "how often the training split shows the clicked item, of several the rarest; a request without is left out",
            np.where(split.sums(split.positive) > 0, clicked, -1),
            _SEEN,
        ),
        (
            "leaf category in training",
            "requests of the training split in the request's leaf category",
            split.category_requests,
            _SEEN,
        ),
    ]
    return [
        # What is below the first bucket is in none.
        Division(title, note, list(least), np.searchsorted(list(least.values()), values, side="right") - 1)
        for title, note, values, least in divided_by
        if values is not None
    ]


def slices(
    divided: Sequence[Division], by_request: dict[str, np.ndarray], of_baseline: dict[str, np.ndarray] | None
) -> list[Slices]:
    """Figures of each slice; those without a request are left out.

    Args:
      divided: of `divisions`.
      by_request, of_baseline: see `categories.category_figures`.
    """
    return [_slices(division, by_request, of_baseline) for division in divided]


def _slices(division: Division, by_request, of_baseline) -> Slices:
    inside, size = division.place >= 0, len(division.names)
    place = division.place[inside]

    session_auc = by_request["session_auc"][inside]
    aucs = means(session_auc, place, size, AUC_BOUNDS)
    ndcgs = means(by_request["ndcg_at_10"][inside], place, size, AUC_BOUNDS)
    changes = [None] * size
    if of_baseline:
        changes = paired_differences(session_auc, of_baseline["session_auc"][inside], place, size)
    requests = np.bincount(place, minlength=size)
    judged = np.bincount(place[~np.isnan(session_auc)], minlength=size)
    return Slices(
        title=division.title,
        note=division.note,
        slices=[
            Slice(
                name=name,
                requests=int(requests[i]),
                judged_requests=int(judged[i]),
                session_auc=aucs[i],
                ndcg_at_10=ndcgs[i],
                change=changes[i],
            )
            for i, name in enumerate(division.names)
            if requests[i]
        ],
    )


def calibration_curve(split: ScoredSplit) -> list[CalibrationBin]:
    """Items by score in bins of equally many; none of scores that are not finite."""
    if not np.isfinite(split.scores).all():
        return []
    order = np.argsort(split.scores, kind="stable")
    bins = [of for of in np.array_split(order, _BINS) if len(of)]
    items = np.array([len(of) for of in bins])
    positives = np.array([split.positive[of].sum() for of in bins])
    return [
        CalibrationBin(mean_score=float(split.scores[of].mean(dtype=np.float64)), rate=rate, items=len(of))
        for of, rate in zip(bins, rates(positives, items), strict=True)
    ]


def position_rows(split: ScoredSplit) -> list[PositionRow]:
    """The first places of the lists as they were shown; none where the log does not say where an item stood."""
    if split.positions is None or not np.isfinite(split.scores).all():
        return []
    shown = (split.positions >= 1) & (split.positions <= _POSITIONS)
    place = split.positions[shown] - 1
    items = np.bincount(place)
    positives, scores = (np.bincount(place, of[shown]) for of in (split.positive, split.scores))
    found = zip(range(1, len(items) + 1), items, rates(positives, items), scores, strict=True)
    return [
        PositionRow(position=position, items=int(count), click_rate=rate, mean_score=float(score / count))
        for position, count, rate, score in found
        if count
    ]
