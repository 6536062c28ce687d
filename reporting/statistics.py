"""How sure a mean over requests and seeds is, and how well gates follow the top category."""

import dataclasses

import numpy as np
import scipy.stats
import sklearn.metrics

RESAMPLES = 2000
LEAST = 10  # requests by which two rankers are compared: of fewer, an interval is one of chance
_CONFIDENCE = 0.95
Z = float(scipy.stats.norm.ppf((1 + _CONFIDENCE) / 2))  # standard errors on either side of a normal figure
_LEAST_RESAMPLES = 200
_MOST_DRAWN = 2_000_000_000  # requests, over all resamples: a minute or two
_FLOATS_AT_ONCE = 4_000_000
_MOST_LEAVES = 5_000  # all pairs of them are measured: a second; of 100,000 it would be minutes


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
    """How sure means of values are, one a seed and request: the paired differences of variants to a baseline, say.

    * Over requests: a bootstrap. R of R are drawn with replacement, the same for all seeds; percentiles of the
      resampled means.
    * Over requests and seeds, since the noise of the seed is as large as most differences between variants: mean +-
      t se of the two-way layout with random seeds and requests. With MS_E the mean square of what neither row nor
      column explains, se^2 = var(seeds' means) / S + var(requests' means) / R - MS_E / (S R), for both variances hold
      the interaction's share and it counts once; no less than either of them. Student's t has as many degrees of
      freedom as both variances have together (Satterthwaite). [D]

    Requests of one user are drawn as if they were independent.

    Args:
      values: [K, S, R] float64, no NaN: K means, which share the draws.
      resamples: how many times is drawn; of more than a million requests fewer, see `resampled_means`.
      seed: of the draws.

    Returns:
      what is to be said of each of the K means.

    Raises:
      ValueError: if there are fewer than two requests.
    """
    requests = values.shape[-1]
    if requests < 2:
        raise ValueError(f"`values` must have at least 2 requests. Received: {values.shape}")
    means = resampled_means(values.reshape(-1, requests), resamples, seed)
    return [_bootstrap(*one) for one in zip(values, means.reshape(*values.shape[:2], -1), strict=True)]


def _bootstrap(values: np.ndarray, means: np.ndarray) -> Bootstrap:
    """Of values [S, R] and their means over resampled requests [S, B]."""
    resamples = means.shape[1]
    mean, by_requests = float(values.mean()), means.mean(axis=0)
    low, high = percentiles(by_requests)
    # One more than drawn: the sample itself is one of the possible ones, and no p-value is 0.
    beyond = min(np.sum(by_requests <= 0), np.sum(by_requests >= 0)) + 1
    over_requests = Interval(low, high, float(min(1.0, 2 * beyond / (resamples + 1))))
    return Bootstrap(mean, over_requests, _over_both(values) if len(values) > 1 else None)


def resampled_means(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """[K, resamples]: the means of values [K, R] over R requests drawn with replacement, the same for all K.

    Above a million requests there are fewer than 2,000 resamples, which draw 2,000 million requests in all, though no
    fewer than 200: intervals of so many requests are narrow, and their ends need not be as sharp.

    A quotient of two of them is that of two sums over the same requests, such as all scores / all clicks.
    """
    rows, requests = values.shape
    resamples = min(resamples, max(_LEAST_RESAMPLES, _MOST_DRAWN // requests))
    rng = np.random.default_rng(seed)
    means = np.empty((rows, resamples))
    counts = np.empty((min(resamples, max(1, _FLOATS_AT_ONCE // requests)), requests))
    for first in range(0, resamples, len(counts)):
        drawn = counts[: resamples - first]
        for row in drawn:
            row[:] = np.bincount(rng.integers(requests, size=requests), minlength=requests)
        means[:, first : first + len(drawn)] = values @ drawn.T / requests
    return means


def percentiles(resampled: np.ndarray) -> tuple[float, float]:
    """The ends of the 95 % interval of a figure, by its values [resamples]."""
    low, high = np.quantile(resampled, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return float(low), float(high)


def t_half_widths(errors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Half the width of the 95 % interval around means, by Student's t.

    Args:
      errors: their standard errors, of any shape.
      counts: of how many values each is the mean.

    Returns:
      NaN where there are fewer than two.
    """
    quantile = scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, np.maximum(counts - 1, 1))
    return np.where(counts > 1, quantile * errors, np.nan)


def wilson(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of Wilson's 95 % interval of rates; all between 0 and 1 where there is no trial."""
    trials = np.asarray(trials, np.float64)
    scale = trials + Z**2
    middle = (successes + Z**2 / 2) / scale
    half = Z * np.sqrt(successes * (trials - successes) / np.maximum(trials, 1) + Z**2 / 4) / scale
    return middle - half, middle + half


def _over_both(values: np.ndarray) -> Interval:
    """The interval of the mean over random seeds and requests, [S, R]."""
    seeds, requests = values.shape
    of_seeds, of_requests, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    residuals = values - of_seeds[:, np.newaxis] - of_requests + mean
    interaction = np.sum(residuals**2) / ((seeds - 1) * (requests - 1)) / values.size
    by_seeds, by_requests = of_seeds.var(ddof=1) / seeds, of_requests.var(ddof=1) / requests
    error = max(by_seeds + by_requests - interaction, by_seeds, by_requests) ** 0.5
    if error == 0:
        return Interval(float(mean), float(mean), float(mean == 0))
    degrees = (by_seeds + by_requests) ** 2 / (by_seeds**2 / (seeds - 1) + by_requests**2 / (requests - 1))
    half = scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, degrees) * error
    p_value = 2 * scipy.stats.t.sf(abs(mean) / error, degrees)
    return Interval(float(mean - half), float(mean + half), float(p_value))


def gate_silhouette(gates: np.ndarray, top: np.ndarray) -> float | None:
    """The mean silhouette, cosine distance, of the leaf categories' gate vectors grouped by top category.

    1: the leaves of a top category share their experts, and no other's; 0: no order; below 0: closer to another's.
    A leaf alone in its group counts as 0. Of the 5,000 leaves with most traffic, where there are more.

    Args:
      gates: [C, N], what `Gates.category_vectors` gives, the leaf with most traffic first.
      top: [C] ids of their top categories, 0 for unknown; those are left out.

    Returns:
      the silhouette; None unless there are at least two groups and fewer groups than leaves.
    """
    known = np.flatnonzero(top > 0)[:_MOST_LEAVES]
    gates, top = gates[known], top[known]
    if not 2 <= len(np.unique(top)) < len(top):
        return None
    return float(sklearn.metrics.silhouette_score(gates, top, metric="cosine"))
