"""Figures with their intervals, as the report holds them."""

import numpy as np
from pydantic import BaseModel

from reporting.statistics import LEAST, t_half_widths, wilson

AUC_BOUNDS = (0.0, 1.0)
_DIFFERENCE_BOUNDS = (-1.0, 1.0)
_ROUNDING = 1e-12  # the error of a mean of the same values


class Estimate(BaseModel):
    """A figure and the interval around it; None where it cannot be had."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def sign(self) -> int:
        """1 or -1 if the interval leaves 0 out, else 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return 0
        return 1 if self.low > 0 else -1


def estimate(value: float, low: float = np.nan, high: float = np.nan) -> Estimate:
    """A figure and its interval; what is not finite was not to be had."""
    return Estimate(value=number(value), low=number(low), high=number(high))


def number(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return float(value) if np.isfinite(value) else None


def means(values: np.ndarray, groups: np.ndarray, size: int, bounds=(-np.inf, np.inf)) -> list[Estimate]:
    """The mean of each group of requests, and its interval by Student's t.

    Args:
      values: [R]; NaN where a request does not count.
      groups: [R] of 0 .. size - 1.
      size: G, how many groups there are.
      bounds: of the figure, which no interval passes. Requests that all have the same value say nothing of how far
        it may be off, and a bounded figure has no interval then.
    """
    counts = ~np.isnan(values)
    values, groups = values[counts], groups[counts]
    number_of, total = np.bincount(groups, minlength=size), np.bincount(groups, values, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / number_of
        squares = np.bincount(groups, (values - mean[groups]) ** 2, size)
        error = np.sqrt(squares / (number_of - 1) / number_of)
    half = t_half_widths(error, number_of)
    if np.isfinite(bounds).all():
        half = np.where(error > _ROUNDING, half, np.nan)
    ends = np.clip(mean - half, *bounds), np.clip(mean + half, *bounds)
    return [estimate(*one) for one in zip(mean, *ends, strict=True)]


def mean(values: np.ndarray, bounds=(-np.inf, np.inf)) -> Estimate:
    """As `means`, of a single group."""
    return means(values, np.zeros(len(values), np.int64), 1, bounds)[0]


def paired_differences(values: np.ndarray, minus: np.ndarray, groups: np.ndarray, size: int) -> list[Estimate]:
    """As `means`, of how much figures between 0 and 1 of the same requests differ: [R] less [R].

    Of fewer than `LEAST` requests there is no interval: that of two or three that happen to agree is next to nothing.
    """
    differences = values - minus
    counts = np.bincount(groups[~np.isnan(differences)], minlength=size)
    found = means(differences, groups, size, _DIFFERENCE_BOUNDS)
    return [of if count >= LEAST else Estimate(value=of.value) for of, count in zip(found, counts, strict=True)]


def quotients(numerators: np.ndarray, denominators: np.ndarray, groups: np.ndarray, size: int) -> list[Estimate]:
    """As `means`, for the sum of the one [R] over the sum of the other: with the error of a quotient's first order.

    An interval does not go below 0.
    """
    number_of = np.bincount(groups, minlength=size)
    top, bottom = np.bincount(groups, numerators, size), np.bincount(groups, denominators, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(bottom > 0, top / bottom, np.nan)
        squares = np.bincount(groups, (numerators - quotient[groups] * denominators) ** 2, size)
        error = np.sqrt(squares * number_of / (number_of - 1)) / bottom
    half = t_half_widths(error, number_of)
    return [estimate(*one) for one in zip(quotient, np.maximum(quotient - half, 0), quotient + half, strict=True)]


def rates(positives: np.ndarray, items: np.ndarray) -> list[Estimate]:
    """Rates of positives among items and Wilson's intervals, which take items as independent."""
    low, high = wilson(positives, items)
    return [
        estimate(positive / of, *ends) if of else estimate(np.nan)
        for positive, of, *ends in zip(positives, items, low, high, strict=True)
    ]


def unpaired(value: Estimate | None, minus: Estimate | None) -> Estimate:
    """The difference of two figures of different requests, with the interval that follows from theirs.

    For x in [l, u] and y in [m, v]: x - y - sqrt((x - l)^2 + (v - y)^2) .. x - y + sqrt((u - x)^2 + (y - m)^2)
    (Zou and Donner 2008, for independent figures).
    """
    if value is None or minus is None or value.value is None or minus.value is None:
        return estimate(np.nan)
    difference = value.value - minus.value
    if None in (value.low, value.high, minus.low, minus.high):
        return estimate(difference)
    below = np.hypot(value.value - value.low, minus.high - minus.value)
    above = np.hypot(value.high - value.value, minus.value - minus.low)
    return estimate(difference, difference - below, difference + above)
