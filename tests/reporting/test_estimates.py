import numpy as np
import pytest

from reporting.estimates import means, paired_differences, quotients
from tests.reporting.reference import plain_mean, triple


def test_one_request_has_no_interval_and_none_no_figure():
    one, two, none, alike = means(np.array([0.5, 0.2, 0.4, np.nan, 1.0, 1.0]), np.array([0, 1, 1, 2, 3, 3]), 4, (0, 1))
    assert triple(one) == (0.5, None, None)
    assert triple(two) == pytest.approx((0.3, 0.0, 1.0))
    assert triple(none) == (None, None, None)
    assert triple(alike) == (1.0, None, None)
    few, equal, many = paired_differences(
        np.r_[0.1, 0.1, np.full(10, 0.1), np.linspace(0.1, 0.9, 10)], np.zeros(22), np.repeat([0, 1, 2], [2, 10, 10]), 3
    )
    assert triple(few) == (0.1, None, None)
    assert triple(equal) == (pytest.approx(0.1), None, None)  # though their sum / 10 is not quite 0.1
    assert triple(many) == pytest.approx(plain_mean(np.linspace(0.1, 0.9, 10).tolist()))
    assert triple(quotients(np.ones(2), np.zeros(2), np.zeros(2, int), 1)[0]) == (None, None, None)


def test_the_interval_of_a_quotient_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    trials, requests = 400, 60
    clicks = rng.poisson(2.0, (trials, requests))
    scores = 1.2 * clicks + rng.normal(0, 1, (trials, requests))
    groups = np.repeat(np.arange(trials), requests)
    found = quotients(scores.ravel(), clicks.ravel().astype(float), groups, trials)
    assert 0.92 < np.mean([one.low <= 1.2 <= one.high for one in found]) < 0.98
