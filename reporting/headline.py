"""The headline: the model beside the last blessed one and beside popularity, on the same requests."""

from collections.abc import Mapping

import numpy as np

from reporting.content import HeadlineMetric
from reporting.estimates import Estimate, estimate
from reporting.metrics import SHOWN
from reporting.ranking import Ranking
from reporting.statistics import LEAST, Z, percentiles, resampled_means

_MINUS = "baseline", "popularity"


def headline_metrics(items: np.ndarray, positives: np.ndarray, rankings: Mapping[str, Ranking]) -> list[HeadlineMetric]:
    """All metrics with intervals over requests.

    Each but AUC is a sum over requests divided by another, whose interval is a bootstrap's: the same requests are drawn
    for all metrics and rankings. That of AUC over all items is DeLong's, with a request's items taken together. A
    difference over fewer than `LEAST` requests has none.

    Args:
      items: [R] of each request.
      positives: [R], how many of them are.
      rankings: of the same requests, by ``model``, ``baseline`` and ``popularity``, of which the latter may be missing.
    """
    rows: dict[str, np.ndarray] = {"items": items, "positives": positives}
    parts: dict[str, dict[str, tuple[str, str]]] = {}
    for ranking, found in rankings.items():
        for metric, of in found.by_request.items():
            rows[f"{metric} {ranking}"], rows[f"{metric} counts"] = np.nan_to_num(of), ~np.isnan(of)
            parts.setdefault(metric, {})[ranking] = f"{metric} {ranking}", f"{metric} counts"
        if found.log_losses is not None:
            rows[f"log_loss {ranking}"], rows[f"scores {ranking}"] = found.log_losses, found.scores
            parts.setdefault("log_loss", {})[ranking] = f"log_loss {ranking}", "items"
            parts.setdefault("calibration", {})[ranking] = f"scores {ranking}", "positives"
    # A difference has rows of its own: taken after the sums, that of a ranking with itself would not be quite 0.
    for metric, of in parts.items():
        for minus in [other for other in _MINUS if other in of]:
            rows[f"{metric} less {minus}"] = rows[of["model"][0]] - rows[of[minus][0]]
            of[f"less {minus}"] = f"{metric} less {minus}", of[minus][1]
    names, values = list(rows), np.stack([np.asarray(row, np.float64) for row in rows.values()])
    sums = dict(zip(names, values.sum(axis=1), strict=True))
    drawn = dict(zip(names, resampled_means(values), strict=True)) if values.shape[1] > 1 else None
    made = {
        metric: _metric(
            metric,
            {ranking: _quotient(sums[top], sums[bottom]) for ranking, (top, bottom) in of.items()},
            {ranking: _quotient(drawn[top], drawn[bottom]) for ranking, (top, bottom) in of.items()} if drawn else {},
            int(sums.get(f"{metric} counts", len(items))),
        )
        for metric, of in parts.items()
    }
    made["auc"] = _auc(rankings)
    return [made[name] for name in SHOWN if name in made]


def _quotient(top, bottom):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(top, bottom)


def _metric(name: str, values: dict[str, float], drawn: dict[str, np.ndarray], requests: int) -> HeadlineMetric:
    """Of the values by ranking, of their values [resamples], and of how many requests count."""

    def of(ranking: str, minus: str | None = None) -> Estimate | None:
        key = f"less {minus}" if minus else ranking
        if key not in values:
            return None
        resampled = drawn.get(key, np.zeros(0))
        resampled = resampled[np.isfinite(resampled)]
        if not len(resampled) or (minus and requests < LEAST):
            return estimate(values[key])
        return estimate(values[key], *percentiles(resampled))

    return _with_differences(name, of)


def _with_differences(name: str, of) -> HeadlineMetric:
    return HeadlineMetric(
        name=name,
        model=of("model"),
        baseline=of("baseline"),
        popularity=of("popularity"),
        minus_baseline=of("model", "baseline"),
        minus_popularity=of("model", "popularity"),
    )


def _auc(rankings: Mapping[str, Ranking]) -> HeadlineMetric:
    """Over all items, with DeLong's variance for clusters, see `Ranking`."""

    def of(ranking: str, minus: str | None = None) -> Estimate | None:
        if ranking not in rankings or (minus and minus not in rankings):
            return None
        value, psi = rankings[ranking].auc, rankings[ranking].auc_influence
        if minus:
            value, psi = value - rankings[minus].auc, psi - rankings[minus].auc_influence
        requests = len(psi)
        if requests < (LEAST if minus else 2):
            return estimate(value)
        half = Z * np.sqrt(np.sum(psi**2) * requests / (requests - 1))
        low, high = value - half, value + half
        return estimate(value, low, high) if minus else estimate(value, max(low, 0.0), min(high, 1.0))

    return _with_differences("auc", of)
