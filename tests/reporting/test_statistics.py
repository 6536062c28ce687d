import random
import statistics

import numpy as np
import pytest
import scipy.stats

from reporting.statistics import bootstrap, gate_silhouette, resampled_means


def values(seeds, requests, mean=0.0, seed_noise=0.02, request_noise=0.2, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    parts = (rng.normal(0, seed_noise, (seeds, 1)), rng.normal(0, request_noise, (1, requests)))
    return mean + sum(parts) + rng.normal(0, noise, (seeds, requests))


def plain_bootstrap(table, resamples=20_000):
    """Means over resampled requests, in plain Python."""
    draw, requests = random.Random(1), range(len(table[0]))
    means = [statistics.fmean(row[r] for row in table) for r in requests]
    return [statistics.fmean(means[r] for r in draw.choices(requests, k=len(means))) for _ in range(resamples)]


def test_it_draws_requests_as_plain_python_does():
    table = values(3, 12, mean=0.1)
    over_requests = plain_bootstrap(table.tolist())
    [found] = bootstrap(table[None], resamples=20_000)
    assert found.mean == pytest.approx(table.mean())
    cuts = statistics.quantiles(over_requests, n=40)  # at 2.5 % steps
    assert (found.requests.low, found.requests.high) == pytest.approx((cuts[0], cuts[-1]), abs=0.01)
    p_value = 2 * min(np.mean(np.array(over_requests) <= 0), np.mean(np.array(over_requests) >= 0))
    assert found.requests.p_value == pytest.approx(p_value, abs=0.02)


def test_the_interval_over_both_is_that_of_the_two_way_layout():
    # By hand: mean 2; seeds' means 1 and 3, variance 2; requests' means 2, 2.5, 1.5, variance 0.25;
    # residuals +-0.5 in two columns: sum of squares 1, 2 degrees of freedom, mean square 0.5.
    table = np.array([[1.0, 2.0, 0.0], [3.0, 3.0, 3.0]])
    [found] = bootstrap(table[None], 100)
    error = (2 / 2 + 0.25 / 3 - 0.5 / 6) ** 0.5
    degrees = (1 + 1 / 12) ** 2 / (1 + (1 / 12) ** 2 / 2)
    half = scipy.stats.t.ppf(0.975, degrees) * error
    assert (found.both.low, found.both.high) == pytest.approx((2 - half, 2 + half))


@pytest.mark.parametrize(
    ("seeds", "seed_noise", "least"), [(2, 0.01, 0.9), (3, 0.01, 0.92), (3, 0.0, 0.93), (5, 0.02, 0.9)]
)
def test_the_interval_over_both_covers_the_truth_and_is_not_much_wider_than_it_must_be(seeds, seed_noise, least):
    trials = 300
    found = [
        bootstrap(values(seeds, 200, mean=0.05, seed_noise=seed_noise, seed=trial)[None], 200)[0]
        for trial in range(trials)
    ]
    covered = sum(one.both.low <= 0.05 <= one.both.high for one in found) / trials
    assert least <= covered <= 0.995
    true_error = (seed_noise**2 / seeds + 0.2**2 / 200 + 0.2**2 / 200 / seeds) ** 0.5
    widths = [(one.both.high - one.both.low) / (2 * true_error) for one in found]
    assert 1.9 < statistics.median(widths) < 4.5


def test_a_large_difference_excludes_zero_and_none_is_no_difference():
    large, nothing = bootstrap(np.stack([values(3, 400, mean=0.5), np.zeros((3, 400))]))
    assert 0 < large.both.low < 0.5 < large.both.high
    assert large.both.p_value < 0.02
    assert large.requests.p_value < 0.002
    assert (nothing.both.low, nothing.both.high, nothing.both.p_value) == (0, 0, 1)
    assert nothing.requests.p_value == 1


def test_one_seed_has_an_interval_over_requests_only():
    [found] = bootstrap(values(1, 50)[None])
    assert found.both is None
    assert found.judged == found.requests


@pytest.mark.parametrize(("most", "expected"), [(10**9, 2000), (50_000, 500), (100, 200)])
def test_of_many_requests_fewer_resamples_are_drawn(monkeypatch, most, expected):
    monkeypatch.setattr("reporting.statistics._MOST_DRAWN", most)
    table = values(3, 100, mean=0.1)
    assert resampled_means(table).shape == (3, expected)
    [found] = bootstrap(table[None])
    assert found.requests.low < table.mean() < found.requests.high


def test_one_request_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 requests. Received: \(1, 3, 1\)"):
        bootstrap(np.zeros((1, 3, 1)))


def plain_silhouette(vectors, groups):
    def distance(a, b):
        norm = sum(x * x for x in a) ** 0.5 * sum(x * x for x in b) ** 0.5
        return 1 - sum(x * y for x, y in zip(a, b, strict=True)) / norm

    def to(group, i):
        return statistics.fmean(
            distance(vectors[i], vectors[j]) for j, other in enumerate(groups) if other == group and j != i
        )

    scores = []
    for i, own in enumerate(groups):
        inside, outside = to(own, i), min(to(group, i) for group in set(groups) - {own})
        scores.append((outside - inside) / max(inside, outside))
    return statistics.fmean(scores)


def test_the_silhouette_of_gates_that_follow_the_top_category():
    gates = np.array([[0.9, 0.1, 0, 0], [0.8, 0.2, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0.7, 0.3], [0, 1, 0, 0]])
    top = np.array([1, 1, 2, 2, 0])  # the last one's is unknown
    assert gate_silhouette(gates, top) == pytest.approx(plain_silhouette(gates[:4].tolist(), [1, 1, 2, 2]))
    assert gate_silhouette(gates, top) > 0.9
    assert gate_silhouette(gates, np.array([1, 2, 1, 2, 0])) < 0
    assert gate_silhouette(gates, np.ones(5, int)) is None
    assert gate_silhouette(gates, np.arange(5)) is None


def test_the_silhouette_is_that_of_the_leaves_with_most_traffic(monkeypatch):
    rng = np.random.default_rng(0)
    gates, top = rng.random((9, 3)), np.array([0, 1, 2, 1, 2, 2, 1, 2, 1])
    monkeypatch.setattr("reporting.statistics._MOST_LEAVES", 5)
    assert gate_silhouette(gates, top) == gate_silhouette(gates[:6], top[:6])
