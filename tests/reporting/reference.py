"""Intervals in plain Python."""

import math
import statistics

import scipy.stats


def plain_mean(values: list[float]) -> tuple[float, float, float]:
    mean = statistics.fmean(values)
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def triple(estimate) -> tuple:
    return estimate.value, estimate.low, estimate.high
