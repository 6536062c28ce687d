import dataclasses
import json
import math

import numpy as np
import pytest

from models.hierarchy import build_hierarchy
from pipeline.ablation import report
from pipeline.ablation.compare import MembersDiffer, compare
from pipeline.ablation.figures import figures
from pipeline.ablation.members import MemberScores, category_paths
from pipeline.ablation.plots import write as write_plots
from pipeline.ablation.slices import slices
from tests.models.metrics import reference

GAINS = (0.0, 1.0, 5.0)
PATHS = {("phones", f"p{i}"): 60 - i for i in range(4)} | {("美妆|$", f"m{i}"): 40 - i for i in range(3)}
HIERARCHY = build_hierarchy(PATHS, ["top", "leaf"])
TRAINING = {"parameters": 10, "seconds": 2.0, "items_per_second": 100.0, "resumed_from_step": 0}


def scores(seed=0, requests=120, skill=0.0, gates=True) -> MemberScores:
    """Scores of a model that is the better the more ``skill``; the requests do not depend on the seed."""
    log, rng = np.random.default_rng(7), np.random.default_rng(seed)
    lengths = log.integers(1, 9, requests)
    grades = log.choice(3, lengths.sum(), p=[0.7, 0.2, 0.1])
    leaf = log.integers(0, 8, requests)
    noise = rng.integers(0, 6, len(grades)) / 10  # with ties
    return MemberScores(
        rows=np.arange(requests),
        lengths=lengths,
        grades=grades,
        probabilities=(0.05 + 0.8 * (noise + skill * (grades > 0)) / (0.6 + skill)).astype(np.float32),
        top=np.append(0, category_paths(HIERARCHY)[:, 0])[leaf],
        leaf=leaf,
        history=log.integers(0, 13, requests),
        gates=rng.dirichlet(np.ones(4), 7).astype(np.float32) if gates else None,
    )


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
    members = {
        "moe": {1: scores(1), 2: scores(2)},
        "dnn": {1: scores(3, gates=False), 2: scores(4, gates=False)},
        "good": {1: scores(5, skill=0.9), 2: scores(6, skill=0.9)},
    }
    trainings = {label: {1: TRAINING, 2: TRAINING | {"seconds": 4.0}} for label in members}
    trainings["good"][2] = TRAINING | {"seconds": 0.1, "resumed_from_step": 9}
    compared = compare(members, trainings, HIERARCHY, GAINS, oracle_session_auc=1.0)
    head = {"name": "shop", "label": "click", "simulated": True, "seeds": [1, 2]}
    return (
        head
        | {
            "among": None,
            "held_out_leaves": [],
            "failed": {},
            "overrides": [],
            "settings": {"moe": "moe", "dnn": "dnn", "good": "good=moe;top_k=2"},
        }
        | compared
    )


def test_what_is_better_is_seen_to_be_better(result):
    assert result["baselines"] == ["dnn", "moe"]
    good, dnn, moe = (result["variants"][label] for label in ("good", "dnn", "moe"))
    figure = [variant["metrics"]["session_auc"]["mean"] for variant in (good, dnn)]
    difference = good["differences"]["dnn"]["session_auc"]
    assert difference["mean"] == pytest.approx(figure[0] - figure[1], abs=1e-6)
    assert difference["low_over_requests"] > 0
    assert set(dnn["differences"]) == {"moe"}
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


def test_report_and_plots(result, tmp_path):
    gates = {"moe": scores(1).gates, "dnn": None, "good": scores(5).gates}
    pictures = write_plots(result, gates, category_paths(HIERARCHY)[:, 0], HIERARCHY.levels[0].keys, tmp_path)
    report.write(result, pictures, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "data made up by us" in text
    assert "* `good`: `good=moe;top_k=2`" in text
    assert "| 美妆\\|$ |" in text
    assert all(f"]({picture.file})" in text and (tmp_path / picture.file).exists() for picture in pictures)
    assert {picture.file for picture in pictures} >= {"session_auc.svg", "gates.svg", "slices_top_category.svg"}
    # As text, which a browser finds a font for.
    assert "美妆|$" in (tmp_path / "slices_top_category.svg").read_text(encoding="utf-8")
    for table in (block for block in text.split("\n\n") if block.startswith("|")):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    assert len((tmp_path / "overall.csv").read_text(encoding="utf-8").splitlines()) == 4
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("labels", [["moe"], ["moe", "dnn"]])
@pytest.mark.parametrize("clicks", [1, 0])
def test_little_to_show_makes_a_report_too(tmp_path, labels, clicks):
    few = scores(1, requests=5)
    few = dataclasses.replace(few, grades=few.grades * clicks)
    compared = compare({name: {1: few} for name in labels}, {name: {1: TRAINING} for name in labels}, HIERARCHY, GAINS)
    head = {"name": "shop", "label": "click", "simulated": False, "seeds": [1]}
    result = (
        head
        | {
            "among": None,
            "held_out_leaves": [],
            "failed": {},
            "overrides": [],
            "settings": {name: name for name in labels},
        }
        | compared
    )
    assert result["variants"]["moe"]["metrics"]["auc"]["standard_deviation"] is None
    gates = {"moe": few.gates}
    pictures = write_plots(result, gates, category_paths(HIERARCHY)[:, 0], HIERARCHY.levels[0].keys, tmp_path)
    report.write(result, pictures, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert ("one seed says nothing" in text) is (len(labels) > 1)
    assert ("## Slices" in text) is (clicks > 0)
    json.dumps(result, allow_nan=False)


def test_members_with_other_requests_are_not_compared():
    other = dataclasses.replace(scores(2), grades=scores(2).grades[::-1])
    with pytest.raises(MembersDiffer, match="`grades` of the test requests differ between 'dnn, seed 1' and 'moe, se"):
        compare({"dnn": {1: scores(1)}, "moe": {1: other}}, {}, HIERARCHY, GAINS)
