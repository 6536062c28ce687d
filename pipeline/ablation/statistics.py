"""How sure a mean over requests and seeds is: the paired bootstrap; and how well gates follow the top category."""

import dataclasses

import numpy as np
import scipy.stats
import sklearn.metrics

RESAMPLES = 2000
_CONFIDENCE = 0.95
_FLOATS_AT_ONCE = 4_000_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A 95 % interval, and the two-sided p-value of the mean being 0."""

    low: float
    high: float
    p_value: float


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """What `bootstrap` says of a mean.

    Attributes:
      mean: over requests and seeds.
      requests: had other requests come, with just these trainings.
      both: had other requests come and other seeds been drawn, **the one to judge by**; None with a single seed.
    """

    mean: float
    requests: Interval
    both: Interval | None

    @property
    def judged(self) -> Interval:
        """The wider claim that the data allow."""
        return self.both or self.requests


def bootstrap(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> list[Bootstrap]:
    """Bootstraps means of values, one a seed and request: the paired differences of variants to a baseline, say.

    * Over requests: R of R are drawn with replacement, the same for all seeds; percentiles of the resampled means.
    * Over requests and seeds: S of S seeds are drawn too, independently (the pigeonhole bootstrap, Owen 2007), for
      the noise of the seed is as large as most differences between variants. Few seeds show too little of it:
      resampled, S of them have (S - 1) / S of their variance, so their deviations are stretched by
      sqrt(S / (S - 1)); and the interval is mean +- t sd of the resampled means, with Student's t for as many degrees
      of freedom as the two components of the variance have together (Satterthwaite). [D]

    Requests of one user are drawn as if they were independent.

    Args:
      values: [K, S, R] float64, no NaN: K means, which share the draws.
      resamples: how many times is drawn.
      seed: of the draws.

    Returns:
      what is to be said of each of the K means.

    Raises:
      ValueError: if there are fewer than two requests.
    """
    _, seeds, requests = values.shape
    if requests < 2:
        raise ValueError(f"`values` must have at least 2 requests. Received: {values.shape}")
    rng = np.random.default_rng(seed)
    means = _resampled_means(values, resamples, rng)
    shares = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples).T / seeds
    return [_bootstrap(*one, shares) for one in zip(values, means, strict=True)]


def _bootstrap(values: np.ndarray, means: np.ndarray, shares: np.ndarray) -> Bootstrap:
    """Of values [S, R], their means over resampled requests [S, B] and the resampled seeds' shares [S, B]."""
    seeds, resamples = means.shape
    mean, by_requests = float(values.mean()), means.mean(axis=0)
    low, high = np.quantile(by_requests, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    # One more than drawn: the sample itself is one of the possible ones, and no p-value is 0.
    beyond = min(np.sum(by_requests <= 0), np.sum(by_requests >= 0)) + 1
    over_requests = Interval(float(low), float(high), float(min(1.0, 2 * beyond / (resamples + 1))))
    if seeds == 1:
        return Bootstrap(mean, over_requests, None)
    shares = 1 / seeds + np.sqrt(seeds / (seeds - 1)) * (shares - 1 / seeds)
    error = np.sum(shares * means, axis=0).std(ddof=1)
    return Bootstrap(mean, over_requests, _t_interval(mean, error, _degrees_of_freedom(values)))


def _resampled_means(values: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """[K, S, resamples]: the means over resampled requests."""
    requests = values.shape[-1]
    flat = values.reshape(-1, requests)
    means = np.empty((len(flat), resamples))
    counts = np.empty((min(resamples, max(1, _FLOATS_AT_ONCE // requests)), requests))
    for first in range(0, resamples, len(counts)):
        drawn = counts[: resamples - first]
        for row in drawn:
            row[:] = np.bincount(rng.integers(requests, size=requests), minlength=requests)
        means[:, first : first + len(drawn)] = flat @ drawn.T / requests
    return means.reshape(*values.shape[:2], resamples)


def _degrees_of_freedom(values: np.ndarray) -> float:
    """Satterthwaite's, of the sum of the variance of seeds / S, S - 1 degrees, and of requests / R, R - 1."""
    seeds, requests = values.shape
    of_seeds = values.mean(axis=1).var(ddof=1) / seeds
    of_requests = values.mean(axis=0).var(ddof=1) / requests
    whole = of_seeds + of_requests
    if whole == 0:
        return seeds - 1
    return whole**2 / (of_seeds**2 / (seeds - 1) + of_requests**2 / (requests - 1))


def _t_interval(mean: float, error: float, degrees: float) -> Interval:
    half = scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, degrees) * error
    p_value = 2 * scipy.stats.t.sf(abs(mean) / error, degrees) if error > 0 else float(mean == 0)
    return Interval(float(mean - half), float(mean + half), float(p_value))


def gate_silhouette(gates: np.ndarray, top: np.ndarray) -> float | None:
    """The mean silhouette, cosine distance, of the leaf categories' gate vectors grouped by top category.

    1: the leaves of a top category share their experts, and no other's; 0: no order; below 0: closer to another's.
    A leaf alone in its group counts as 0.

    Args:
      gates: [C, N], what `models.ranker.Ranker.route` gives.
      top: [C] ids of their top categories, 0 for unknown; those are left out.

    Returns:
      the silhouette; None unless there are at least two groups and fewer groups than leaves.
    """
    gates, top = gates[top > 0], top[top > 0]
    if not 2 <= len(np.unique(top)) < len(top):
        return None
    return float(sklearn.metrics.silhouette_score(gates, top, metric="cosine"))
