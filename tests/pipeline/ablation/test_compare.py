import dataclasses
import math

import numpy as np
import pytest

from pipeline.ablation.compare import MembersDiffer, compare
from pipeline.ablation.figures import figures
from pipeline.ablation.members import MemberScores
from pipeline.ablation.slices import slices
from tests.models.metrics import reference
from tests.pipeline.ablation.made_up import GAINS, HIERARCHY, TRAINING, made_up, scores


def test_the_figures_of_requests_are_those_of_the_metrics():
    member = scores().by_request
    found = figures(member, GAINS)
    items = list(zip(member.grades.tolist(), member.scores.tolist(), strict=True))
    ends = np.cumsum(member.lengths)
    lists = [items[end - length : end] for end, length in zip(ends, member.lengths, strict=True)]
    references = {
        "session_auc": reference.session_auc,
        "ndcg_at_10": lambda lists: reference.ndcg(lists, 10, GAINS),
        "mrr": reference.mrr,
    }
    for name, of in references.items():
        by_request = found.by_request[name]
        np.testing.assert_allclose(by_request, [of([one]) for one in lists], atol=1e-6)
        assert 0 < np.isnan(by_request).sum() < len(lists)
        assert np.nanmean(by_request) == pytest.approx(found.overall[name], abs=1e-6)
    for name in ("auc", "log_loss", "calibration"):
        assert found.overall[name] == pytest.approx(getattr(reference, name)(lists), abs=2e-3)


def test_slices_are_parts_of_the_requests():
    member = scores().by_request
    found = slices(member, HIERARCHY)
    assert list(found) == ["top category", "length of history", "length of the list", "leaf category in training"]
    for masks in found.values():
        assert (np.sum(list(masks.values()), axis=0) == 1).all()
    assert list(found["top category"]) == ["phones", "美妆|$", "(unknown)"]
    leaf = member.categories[:, 1]
    np.testing.assert_array_equal(found["top category"]["phones"], (leaf >= 1) & (leaf <= 4))
    assert list(found["leaf category in training"]) == ["0", "10-99"]
    np.testing.assert_array_equal(found["leaf category in training"]["0"], leaf == 0)
    assert list(found["length of history"]) == ["0", "1-2", "3-9", "10-49"]
    assert "length of history" not in slices(dataclasses.replace(member, history=None), HIERARCHY)


@pytest.fixture(scope="module")
def result():
    return made_up(oracle_session_auc=1.0)


def test_what_is_better_is_seen_to_be_better(result):
    assert result["baselines"] == ["dnn", "moe"]
    good, dnn, moe = (result["variants"][label] for label in ("good", "dnn", "moe"))
    figure = [variant["metrics"]["session_auc"]["mean"] for variant in (good, dnn)]
    difference = good["differences"]["dnn"]["session_auc"]
    assert difference["mean"] == pytest.approx(figure[0] - figure[1], abs=1e-6)
    assert difference["low_over_requests"] > 0
    assert result["best"] == "good"
    assert set(dnn["differences"]) == {"moe", "good"}
    assert dnn["differences"]["moe"]["session_auc"]["mean"] == pytest.approx(
        -moe["differences"]["dnn"]["session_auc"]["mean"]
    )
    assert good["share_of_oracle"] == pytest.approx((figure[0] - figure[1]) / (1 - figure[1]))
    assert dnn["share_of_oracle"] == 0
    assert dnn["silhouette"] is None
    assert -1 <= moe["silhouette"]["mean"] <= 1
    by_seed = moe["metrics"]["mrr"]["by_seed"]
    assert moe["metrics"]["mrr"]["standard_deviation"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / math.sqrt(2))


def test_the_seconds_of_an_interrupted_training_do_not_count(result):
    assert result["variants"]["moe"]["training_seconds"] == 3.0
    assert result["variants"]["good"]["training_seconds"] == 2.0


def test_slices_add_up_to_the_whole(result):
    whole = result["variants"]["good"]["metrics"]["session_auc"]["mean"]
    for dimension in ("top category", "leaf category in training"):
        parts = result["slices"][dimension]
        requests = [part["requests"] for part in parts]
        assert sum(requests) == result["counting"]["session_auc"]
        assert np.average([part["session_auc"]["good"] for part in parts], weights=requests) == pytest.approx(
            whole, abs=1e-6
        )


def changed(member: MemberScores, **attributes) -> MemberScores:
    return dataclasses.replace(member, by_request=dataclasses.replace(member.by_request, **attributes))


@pytest.mark.parametrize("part", ["requests", "items", "grades"])
def test_members_with_other_requests_are_not_compared(part):
    other = scores(2)
    other = changed(other, **{part: getattr(other.by_request, part) + 1})
    with pytest.raises(MembersDiffer, match=f"`{part}` of the test requests differ between 'dnn, seed 1' and 'moe, se"):
        compare({"dnn": {1: scores(1)}, "moe": {1: other}}, {}, HIERARCHY, GAINS)


def test_the_order_of_a_member_s_requests_means_nothing():
    first, second = scores(1), scores(2, skill=0.5)
    order = np.random.default_rng(0).permutation(len(second.by_request.requests))
    reordered = dataclasses.replace(second, by_request=second.by_request.take(order))
    trainings = {label: {1: TRAINING} for label in ("dnn", "moe")}
    found, expected = (
        compare({"dnn": {1: first}, "moe": {1: other}}, trainings, HIERARCHY, GAINS) for other in (reordered, second)
    )
    assert found == expected
