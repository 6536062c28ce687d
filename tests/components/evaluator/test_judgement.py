"""Which figures a model is refused for, and what is said."""

import pytest

from components.evaluator.config import EvaluationConfig
from components.evaluator.judgement import reasons_against

NAN, INF = float("nan"), float("inf")
GOOD = {"judged_requests": 4_000, "ties": 0.01, "log_loss": 0.3, "calibration": 1.1, "session_auc": 0.75}
BOUNDS = EvaluationConfig(
    min_session_auc=0.6,
    max_session_auc_drop=0.01,
    max_category_session_auc_drop=0.02,
    large_category_share=0.1,
    large_category_requests=500,
)


def slices(categories=(), **overall):
    """{category: (judged requests, session AUC)}."""
    by_category = {name: GOOD | {"judged_requests": n, "session_auc": auc} for name, n, auc in categories}
    return {"": {"": GOOD | overall}, "top_category": by_category, "history_length": {"0": GOOD | {"session_auc": 0.1}}}


def judged(candidate, baseline=None, bounds=BOUNDS):
    return reasons_against(candidate, baseline, bounds, ["top_category"])


def test_a_good_model_has_nothing_against_it():
    assert judged(slices([("phones", 2_000, 0.7)])) == []
    assert judged(slices([("phones", 2_000, 0.7)]), slices([("phones", 2_000, 0.715)], session_auc=0.759)) == []


@pytest.mark.parametrize(
    ("overall", "reason"),
    [
        ({"session_auc": 0.59}, "session_auc in all requests: 0.5900; at least 0.6 is needed "
         "(`evaluation.min_session_auc`)"),
        ({"calibration": 1.31}, "calibration in all requests: the mean score is 1.31 of the mean label; from 0.7 to "
         "1.3 is allowed (`evaluation.max_calibration_error`)"),
        ({"calibration": 0.5}, "the mean score is 0.5 of the mean label"),
        ({"ties": 1.0}, "ties in all requests: 100.0% of the pairs of a clicked and another item have the same score; "
         "at most 50.0% is allowed (`evaluation.max_ties`)"),
        ({"log_loss": NAN, "session_auc": 0.1}, "log_loss in all requests: nan; a score is not finite"),
        ({"calibration": INF, "session_auc": 0.1}, "calibration in all requests: inf; a score is not finite"),
        ({"judged_requests": 0, "session_auc": NAN, "calibration": NAN}, "there is nothing to judge by"),
    ],
)  # fmt: skip
def test_bounds_that_need_no_other_model(overall, reason):
    [said] = judged(slices(**overall))
    assert reason in said


def test_calibration_can_be_left_out():
    bounds = BOUNDS.model_copy(update={"max_calibration_error": None})
    assert judged(slices(calibration=3.0), bounds=bounds) == []


def test_a_model_that_is_worse_than_the_last():
    assert judged(slices(), slices(session_auc=0.7651)) == [
        "session_auc in all requests: 0.7500, the last blessed has 0.7651; at most 0.01 below is allowed "
        "(`evaluation.max_session_auc_drop`)"
    ]


@pytest.mark.parametrize(("name", "requests", "large"), [("phones", 500, True), ("", 900, True), ("books", 499, False)])
def test_a_large_category_decides_and_a_small_one_does_not(name, requests, large):
    reasons = judged(slices([(name, requests, 0.7)]), slices([(name, requests, 0.73)]))
    expected = (
        f"session_auc in top_category={name or '(unknown)'}: 0.7000, the last blessed has 0.7300; at most 0.02 below "
        "is allowed (`evaluation.max_category_session_auc_drop`)"
    )
    assert reasons == ([expected] if large else [])


def test_a_share_can_make_a_category_too_small():
    bounds = BOUNDS.model_copy(update={"large_category_share": 0.3})
    assert judged(slices([("phones", 1_000, 0.1)]), slices([("phones", 1_000, 0.9)]), bounds) == []
