"""The evaluated test split: what the report needs of each request, and sums over items.

The scores are read part by part, and nothing that is kept grows with the number of items: a split of 10^8 items needs
the memory of its 10^7 requests, about 300 bytes each, and of fixed tables.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pandas.util import hash_array

from components.model_report.popularity import ItemCounts
from components.model_report.ranking import Ranking, figures, ranking
from components.split_scorer.request_scores import RequestScores
from reporting.content import CalibrationBin, PositionRow
from reporting.estimates import rates
from reporting.request_metrics import ScoreHistogram

_BINS = 20
_POSITIONS = 50
_NEVER = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class EvaluatedSplit:
    """R requests of the test split.

    Attributes:
      requests: [R] int64, hashes of the requests' ids.
      contents: [R] int64, hashes of their items with their grades, whatever the order.
      lengths, positives: [R] number of items, and of items with a positive grade.
      categories: [R, L] ids of the category path, 0 for an unknown category.
      category_requests: [R] requests of the training split in the leaf category.
      history: [R] length of the longest history; None if the log has no history.
      clicked_item: [R] how often the training split shows the rarest clicked item; -1 of a request without a click.
      rankings: by ``model``, ``baseline`` (if there is one) and ``popularity``.
      calibration: items by score in bins of about equally many; none if a score is not finite.
      positions: the first places of the lists as they were shown; none if the log does not have them, or if a score is
        not finite.
    """

    requests: np.ndarray
    contents: np.ndarray
    lengths: np.ndarray
    positives: np.ndarray
    categories: np.ndarray
    category_requests: np.ndarray
    history: np.ndarray | None
    clicked_item: np.ndarray
    rankings: dict[str, Ranking]
    calibration: list[CalibrationBin]
    positions: list[PositionRow]

    @property
    def evaluated(self) -> np.ndarray:
        """[R] bool, whether session AUC counts the request."""
        return ~np.isnan(self.rankings["model"].by_request["session_auc"])


def evaluate_split(
    read: Callable[[], Iterable[RequestScores]], counts: ItemCounts, gains: Sequence[float]
) -> EvaluatedSplit:
    """Evaluates scored requests part by part.

    The parts are read twice: the place of an item among all others, which AUC over all items needs, is known after the
    first time.

    Args:
      read: gives the parts, the same each time.
      counts: of the training split's items.
      gains: of the grades, for the NDCG.
    """
    rows: list[dict[str, np.ndarray]] = []
    found: dict[str, list] = {}
    histograms: dict[str, ScoreHistogram] = {}
    places = _Positions()
    for part in read():
        shown, popularity = counts.of(part.items)
        rows.append(_rows(part, shown))
        places.add(part)
        for name, scores in _scores(part, popularity).items():
            found.setdefault(name, []).append(figures(part, scores, gains, probabilities=name != "popularity"))
            histograms.setdefault(name, ScoreHistogram()).add(scores, part.positive)
    influences: dict[str, list[np.ndarray]] = {}
    for part in read():
        _, popularity = counts.of(part.items)
        for name, scores in _scores(part, popularity).items():
            psi = part.sums(histograms[name].auc_influences(scores, part.positive))
            influences.setdefault(name, []).append(psi)
    whole = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    return EvaluatedSplit(
        **{"history": None} | whole,
        rankings={
            name: ranking(parts, histograms[name].auc, np.concatenate(influences[name]))
            for name, parts in found.items()
        },
        calibration=_calibration(histograms["model"]),
        positions=places.rows(),
    )


def _scores(part: RequestScores, popularity: np.ndarray) -> dict[str, np.ndarray]:
    """[T] each, by the name of a ranking."""
    scores = {"model": part.scores, "baseline": part.baseline, "popularity": popularity.astype(np.float32)}
    return {name: of for name, of in scores.items() if of is not None}


def _rows(part: RequestScores, shown: np.ndarray) -> dict[str, np.ndarray]:
    hashes = hash_array(part.items.view(np.uint64) ^ hash_array(part.grades))
    ends = np.concatenate([[0], np.cumsum(part.lengths)])
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)])  # both modulo 2^64
    clicked = np.full(len(part.lengths), _NEVER)
    np.minimum.at(clicked, part.request_of_item[part.positive], shown[part.positive])
    rows = {
        "requests": part.requests,
        "contents": hash_array(sums[ends[1:]] - sums[ends[:-1]]).view(np.int64),
        "lengths": part.lengths,
        "positives": part.sums(part.positive).astype(np.int64),
        "categories": part.categories,
        "category_requests": part.category_requests,
        "clicked_item": np.where(clicked == _NEVER, -1, clicked),
    }
    return rows | ({} if part.history is None else {"history": part.history})


def _calibration(histogram: ScoreHistogram) -> list[CalibrationBin]:
    if not histogram.finite:
        return []
    counts = histogram.positives + histogram.negatives
    buckets = np.flatnonzero(counts)
    counts = counts[buckets]
    middle = np.cumsum(counts) - (counts + 1) // 2
    place = middle * _BINS // max(1, counts.sum())
    items, positives, scores = (
        np.bincount(place, of, _BINS) for of in (counts, histogram.positives[buckets], histogram.sums[buckets])
    )
    return [
        CalibrationBin(mean_score=float(score / count), rate=rate, items=int(count))
        for score, count, rate in zip(scores, items, rates(positives, items), strict=True)
        if count
    ]


class _Positions:
    """Items, positives and scores by place as it was shown."""

    def __init__(self):
        self._items, self._positives, self._scores = (np.zeros(_POSITIONS + 1) for _ in range(3))
        self._known = True

    def add(self, part: RequestScores) -> None:
        self._known &= part.positions is not None and bool(np.isfinite(part.scores).all())
        if not self._known:
            return
        shown = (part.positions >= 1) & (part.positions <= _POSITIONS)
        place = part.positions[shown]
        self._items += np.bincount(place, minlength=_POSITIONS + 1)
        self._positives += np.bincount(place, part.positive[shown], _POSITIONS + 1)
        self._scores += np.bincount(place, part.scores[shown], _POSITIONS + 1)

    def rows(self) -> list[PositionRow]:
        """Of the places that have an item; [] if positions or finite scores are missing."""
        if not self._known:
            return []
        found = zip(self._items, rates(self._positives, self._items), self._scores, strict=True)
        return [
            PositionRow(position=position, items=int(count), click_rate=rate, mean_score=float(score / count))
            for position, (count, rate, score) in enumerate(found)
            if count
        ]
