import random
import statistics

import numpy as np
import pytest

from pipeline.ablation.statistics import bootstrap, gate_silhouette


def values(seeds, requests, mean=0.0, seed_noise=0.02, request_noise=0.2, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    parts = (rng.normal(0, seed_noise, (seeds, 1)), rng.normal(0, request_noise, (1, requests)))
    return mean + sum(parts) + rng.normal(0, noise, (seeds, requests))


def plain_bootstrap(table, resamples=20_000):
    """Resampled means over requests, and over requests and seeds, in plain Python."""
    draw = random.Random(1)
    seeds, requests = range(len(table)), range(len(table[0]))
    over_requests, over_both = [], []
    for _ in range(resamples):
        drawn_requests = draw.choices(requests, k=len(requests))
        means = [statistics.fmean(table[s][r] for r in drawn_requests) for s in seeds]
        over_requests.append(statistics.fmean(means))
        over_both.append(statistics.fmean(means[s] for s in draw.choices(seeds, k=len(seeds))))
    return over_requests, over_both


def test_it_draws_requests_as_plain_python_does():
    table = values(3, 12, mean=0.1)
    over_requests, over_both = plain_bootstrap(table.tolist())
    [found] = bootstrap(table[None], resamples=20_000)
    assert found.mean == pytest.approx(table.mean())
    cuts = statistics.quantiles(over_requests, n=40)  # at 2.5 % steps
    assert (found.requests.low, found.requests.high) == pytest.approx((cuts[0], cuts[-1]), abs=0.01)
    p_value = 2 * min(np.mean(np.array(over_requests) <= 0), np.mean(np.array(over_requests) >= 0))
    assert found.requests.p_value == pytest.approx(p_value, abs=0.02)
    # Without the stretch, resampled seeds would show two thirds of their variance.
    row_means = [statistics.fmean(row) for row in table.tolist()]
    stretched = statistics.variance(over_both) + statistics.pvariance(row_means) / 3 * 0.5
    half = (found.both.high - found.both.low) / 2
    assert 1.96 * stretched**0.5 < half < 4.31 * stretched**0.5
    assert found.both.low + found.both.high == pytest.approx(2 * found.mean)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_over_both_covers_the_truth_and_that_over_requests_does_not(seeds):
    trials = 300
    found = [bootstrap(values(seeds, 200, mean=0.05, seed=trial)[None], 200)[0] for trial in range(trials)]
    both = sum(one.both.low <= 0.05 <= one.both.high for one in found) / trials
    over_requests = sum(one.requests.low <= 0.05 <= one.requests.high for one in found) / trials
    assert 0.92 <= both <= 1.0
    assert over_requests < both


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
