"""The headline: the model beside the last blessed one and beside popularity, on the same requests."""

from collections.abc import Sequence

import numpy as np
import scipy.stats

from components.model_report.content import Estimate, Metric
from components.model_report.estimates import estimate
from components.model_report.scoring import ScoredSplit
from models.metrics.of_requests import auc_placements, of_requests
from models.metrics.statistics import percentiles, resampled_means

_EPSILON = 1e-7  # as in models/metrics/items.py
_Ranking = dict[str, np.ndarray]


def rankings(split: ScoredSplit, popularity: np.ndarray, gains: Sequence[float]) -> dict[str, _Ranking]:
    """The metrics of each request, by ``model``, ``baseline`` (if there is one) and ``popularity`` [T].

    Returns:
      [R] float64 by ``session_auc``, ``ndcg_at_10`` and ``mrr``; NaN where a request does not count.
    """
    scores = {"model": split.scores, "baseline": split.baseline, "popularity": popularity}
    return {name: of_requests(split.lengths, split.grades, of, gains) for name, of in scores.items() if of is not None}


def headline_metrics(split: ScoredSplit, popularity: np.ndarray, ranked: dict[str, _Ranking]) -> list[Metric]:
    """All metrics with intervals over requests.

    Each but AUC is a sum over requests divided by another, whose interval is a bootstrap's: the same requests are drawn
    for all metrics and rankings. That of AUC over all items is DeLong's, with a request's items taken together.

    Args:
      split: the scored test split.
      popularity: [T], the score of ranking by popularity.
      ranked: of `rankings`.
    """
    rows: dict[str, np.ndarray] = {"items": split.lengths, "positives": split.sums(split.positive)}
    parts: dict[str, dict[str, tuple[str, str]]] = {}
    for ranking, values in ranked.items():
        for metric, of in values.items():
            rows[f"{metric} {ranking}"], rows[f"{metric} counts"] = np.nan_to_num(of), ~np.isnan(of)
            parts.setdefault(metric, {})[ranking] = f"{metric} {ranking}", f"{metric} counts"
    for ranking, scores in (("model", split.scores), ("baseline", split.baseline)):
        if scores is not None:
            rows[f"log_loss {ranking}"] = split.sums(_losses(split.positive, scores))
            rows[f"scores {ranking}"] = split.sums(scores)
            parts.setdefault("log_loss", {})[ranking] = f"log_loss {ranking}", "items"
            parts.setdefault("calibration", {})[ranking] = f"scores {ranking}", "positives"
    names, values = list(rows), np.stack([np.asarray(row, np.float64) for row in rows.values()])
    sums = dict(zip(names, values.sum(axis=1), strict=True))
    drawn = dict(zip(names, resampled_means(values), strict=True)) if values.shape[1] > 1 else None
    found = {
        metric: _metric(
            metric,
            {ranking: _quotient(sums[top], sums[bottom]) for ranking, (top, bottom) in of.items()},
            {ranking: _quotient(drawn[top], drawn[bottom]) for ranking, (top, bottom) in of.items()} if drawn else {},
        )
        for metric, of in parts.items()
    }
    found["auc"] = _auc(split, popularity)
    return [found[name] for name in ("session_auc", "ndcg_at_10", "mrr", "auc", "log_loss", "calibration")]


def _losses(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[T], the log loss of each item."""
    probability = np.clip(scores.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return -np.where(positive, np.log(probability), np.log1p(-probability))


def _quotient(top, bottom):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(top, bottom)


def _metric(name: str, values: dict[str, float], drawn: dict[str, np.ndarray]) -> Metric:
    """Of the values by ranking, and of their values [resamples]."""

    def of(ranking: str, minus: str | None = None) -> Estimate | None:
        if ranking not in values or (minus and minus not in values):
            return None
        value, resampled = values[ranking], drawn.get(ranking, np.zeros(0))
        if minus:
            value, resampled = value - values[minus], resampled - drawn.get(minus, np.zeros(0))
        resampled = resampled[np.isfinite(resampled)]
        return estimate(value, *percentiles(resampled)) if len(resampled) else estimate(value)

    return _with_differences(name, of)


def _with_differences(name: str, of) -> Metric:
    return Metric(
        name=name,
        model=of("model"),
        baseline=of("baseline"),
        popularity=of("popularity"),
        minus_baseline=of("model", "baseline"),
        minus_popularity=of("model", "popularity"),
    )


def _auc(split: ScoredSplit, popularity: np.ndarray) -> Metric:
    """P(score of a positive > score of a negative) + 0.5 P(equal) over all pairs of items.

    DeLong's variance, for clusters (Obuchowski 1997): AUC is nearly a mean over requests of psi = the sum of its
    items' placements minus AUC, each divided by how many positives or negatives there are.
    """
    values, influence = {}, {}
    positive = split.positive
    for name, scores in (("model", split.scores), ("baseline", split.baseline), ("popularity", popularity)):
        if scores is None:
            continue
        placements = auc_placements(positive, scores)
        if placements is None:
            values[name], influence[name] = np.nan, np.zeros(len(split.lengths))
            continue
        values[name] = placements[positive].mean()
        number = np.where(positive, positive.sum(), len(positive) - positive.sum())
        influence[name] = split.sums((placements - values[name]) / number)

    def of(ranking: str, minus: str | None = None) -> Estimate | None:
        if ranking not in values or (minus and minus not in values):
            return None
        value = values[ranking] - (values[minus] if minus else 0.0)
        psi = influence[ranking] - (influence[minus] if minus else 0.0)
        requests = len(psi)
        if requests < 2:
            return estimate(value)
        half = scipy.stats.norm.ppf(0.975) * np.sqrt(np.sum(psi**2) * requests / (requests - 1))
        low, high = value - half, value + half
        return estimate(value, low, high) if minus else estimate(value, max(low, 0.0), min(high, 1.0))

    return _with_differences("auc", of)
