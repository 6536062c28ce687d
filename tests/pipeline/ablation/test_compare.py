import dataclasses
import math

import numpy as np
import pytest

from pipeline.ablation.compare import MembersDiffer, compare
from pipeline.ablation.figures import figures
from pipeline.ablation.slices import slices
from tests.models.metrics import reference
from tests.pipeline.ablation.made_up import GAINS, HIERARCHY, made_up, scores


def test_the_figures_of_requests_are_those_of_the_metrics():
    member = scores()
    found = figures(member, GAINS)
    items = list(zip(member.grades.tolist(), member.probabilities.tolist(), strict=True))
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
    member = scores()
    found = slices(member, HIERARCHY)
    for dimension in ("top category", "size of leaf category"):
        assert (np.sum(list(found[dimension].values()), axis=0) == 1).all()
    assert list(found["top category"]) == ["phones", "美妆|$", "(unknown)"]
    np.testing.assert_array_equal(found["top category"]["phones"], (member.leaf >= 1) & (member.leaf <= 4))
    sizes = found["size of leaf category"]
    assert list(sizes) == [
        "largest third: 58 to 60 requests in the training split",
        "middle third: 40 to 57 requests in the training split",
        "smallest third: 38 to 39 requests in the training split",
        "(unknown)",
    ]
    np.testing.assert_array_equal(next(iter(sizes.values())), (member.leaf >= 1) & (member.leaf <= 3))
    history = found["length of history"]
    np.testing.assert_array_equal(history["at most 2"], history["0"] | history["1-2"])
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
    for dimension in ("top category", "size of leaf category"):
        parts = result["slices"][dimension]
        requests = [part["requests"] for part in parts]
        assert sum(requests) == result["counting"]["session_auc"]
        assert np.average([part["session_auc"]["good"] for part in parts], weights=requests) == pytest.approx(
            whole, abs=1e-6
        )


def test_members_with_other_requests_are_not_compared():
    other = dataclasses.replace(scores(2), grades=scores(2).grades[::-1])
    with pytest.raises(MembersDiffer, match="`grades` of the test requests differ between 'dnn, seed 1' and 'moe, se"):
        compare({"dnn": {1: scores(1)}, "moe": {1: other}}, {}, HIERARCHY, GAINS)
