"""The figures of a scored split, against plain Python straight from their definitions."""

import dataclasses
import math
import statistics

import numpy as np
import pytest
import scipy.stats

from components.model_report.categories import category_figures
from components.model_report.nodes import UNKNOWN, list_nodes
from components.model_report.popularity import ItemCounts
from components.model_report.sample import draw
from components.model_report.slices import divisions, slices
from components.model_report.split import EvaluatedSplit, evaluate_split
from components.split_scorer.request_scores import RequestScores
from models.inputs.hierarchy import build_hierarchy
from reporting.headline import headline_metrics
from tests.models.metrics.reference import above, pair_share
from tests.reporting.reference import plain_mean, triple

GAINS = (0.0, 1.0)
TREE = {("shoes", "boots"): 50, ("shoes", "clogs"): 30, ("books", "maps"): 40, ("shoes", ""): 5, ("", "lost"): 9}


def hierarchy():
    return build_hierarchy(TREE, ["top", "leaf"])


def split(requests=60, seed=0) -> RequestScores:
    """Requests of all nodes of the tree, the unknown ones among them; scores have ties, and some requests no click."""
    rng = np.random.default_rng(seed)
    tree = hierarchy()
    known = {key: place for place, key in enumerate(tree.levels[0].keys, start=1)}
    leaves = {key: place for place, key in enumerate(tree.levels[1].keys, start=1)}
    paths = [(known.get(top, 0), leaves.get(leaf, 0)) for top, leaf in TREE] + [(0, 0)]
    lengths = rng.integers(1, 7, requests)
    grades = (rng.random(lengths.sum()) < 0.3).astype(np.int64)
    scores = (np.round((0.3 + 0.1 * grades + 0.3 * rng.random(len(grades))) * 40) / 40).astype(np.float32)
    return RequestScores(
        requests=np.arange(requests) * 7919 - 7,
        lengths=lengths,
        grades=grades,
        scores=scores,
        baseline=rng.random(len(grades)).astype(np.float32),
        levels=("top", "leaf"),
        names=np.full((requests, 2), b"", object),
        categories=np.array([paths[place] for place in rng.integers(0, len(paths), requests)]),
        category_requests=rng.integers(0, 2000, requests),
        history=rng.integers(0, 60, requests),
        items=rng.integers(0, 20, len(grades)),
        positions=np.concatenate([np.arange(1, length + 1) for length in lengths]),
    )


class ByItem:
    """Counts of the training split: each item's hash times 7 rows, and its hash modulo 5 positives."""

    def of(self, items):
        return items * 7, items % 5


class Never:
    """Counts of a training split that shows no item."""

    def of(self, items):
        return np.zeros_like(items), np.zeros_like(items)


def evaluated(one: RequestScores, counts=None, parts=1) -> EvaluatedSplit:
    cut = np.array_split(np.arange(len(one.lengths)), parts)
    return evaluate_split(lambda: (one.take(places) for places in cut), counts or Never(), GAINS)


def requests_of(split: RequestScores, scores: np.ndarray) -> list[list[tuple[int, float]]]:
    ends = np.cumsum(split.lengths)
    pairs = list(zip(split.grades.tolist(), scores.tolist(), strict=True))
    return [pairs[end - length : end] for end, length in zip(ends, split.lengths, strict=True)]


def aucs_of(split: RequestScores, scores: np.ndarray) -> list[float]:
    """NaN where a request has no pair."""
    return [pair_share(request, above) for request in requests_of(split, scores)]


@pytest.fixture(scope="module")
def figures():
    one = split()
    nodes, of_requests = list_nodes(hierarchy(), one.categories)
    return one, nodes, category_figures(evaluated(one), nodes, of_requests)


def test_the_tree_lists_parents_before_children_in_order_of_traffic_and_the_unknown_last(figures):
    _, nodes, _ = figures
    shown = [(node.name, node.level, node.parent, node.requests) for node in nodes]
    assert shown == [
        ("shoes", 1, None, 85),
        ("boots", 2, 0, 50),
        ("clogs", 2, 0, 30),
        (UNKNOWN, 2, 0, 5),
        ("books", 1, None, 40),
        ("maps", 2, 4, 40),
        (UNKNOWN, 1, None, 9),
        ("lost", 2, None, 9),  # its parent is none
    ]


def test_categories_that_split_by_path_are_shown_by_their_own_name():
    tree = build_hierarchy({("a", "x"): 3, ("b", "x > y"): 2, ("b", b"\xff".decode("utf-8", "surrogateescape")): 1},
                           ["top", "leaf"], conflicts="split")  # fmt: skip
    nodes, _ = list_nodes(tree, np.zeros((0, 2), np.int64))
    assert [node.name for node in nodes] == ["a", "x", "b", "x > y", "\\xff"]


def test_figures_of_a_category_are_those_of_its_requests_alone(figures):
    one, nodes, categories = figures
    aucs, before = (np.array(aucs_of(one, scores)) for scores in (one.scores, one.baseline))
    for node, category in zip(nodes, categories, strict=True):
        above_it = node.level == 2 and node.parent is not None
        inside = one.categories[:, node.level - 1] == node.path[node.level - 1]
        if above_it:
            inside &= one.categories[:, 0] == node.path[0]
        judged = inside & ~np.isnan(aucs)
        assert (category.test_requests, category.judged_requests) == (inside.sum(), judged.sum())
        assert triple(category.session_auc) == pytest.approx(
            np.clip(plain_mean(aucs[judged].tolist()), 0, 1).tolist(), abs=1e-6
        )
        value, *ends = plain_mean((aucs - before)[judged].tolist())
        assert triple(category.change) == pytest.approx(
            (value, *(ends if judged.sum() >= 10 else (None, None))), abs=1e-6
        )
        requests = [request for request, is_in in zip(requests_of(one, one.scores), inside, strict=True) if is_in]
        clicks = sum(grade for request in requests for grade, _ in request)
        assert category.items == sum(map(len, requests))
        assert category.click_rate == pytest.approx(clicks / category.items)
        assert category.calibration.value == pytest.approx(
            sum(score for request in requests for _, score in request) / clicks, rel=1e-5
        )
        assert category.calibration.low < category.calibration.value < category.calibration.high


def test_counts_of_children_add_up_to_their_parent_s_and_the_top_to_the_whole(figures):
    one, _, categories = figures
    for count in ("test_requests", "judged_requests", "items"):
        whole = {"test_requests": len(one.lengths), "items": len(one.grades)}.get(count)
        tops = [category for category in categories if category.level == 1]
        if whole:
            assert sum(getattr(top, count) for top in tops) == whole
        for place, parent in enumerate(categories):
            children = [getattr(child, count) for child in categories if child.parent == place]
            assert not children or sum(children) == getattr(parent, count)


@pytest.fixture(scope="module")
def headline():
    one = split(400)
    found = evaluated(one, ByItem())
    metrics = headline_metrics(found.lengths, found.positives, found.rankings)
    return one, one.items % 5, {metric.name: metric for metric in metrics}


def test_the_headline_is_what_its_definitions_say(headline):
    one, popularity, metrics = headline
    for name, scores in (("model", one.scores), ("baseline", one.baseline), ("popularity", popularity)):
        aucs = [auc for auc in aucs_of(one, scores) if not math.isnan(auc)]
        found = getattr(metrics["session_auc"], name)
        assert found.value == pytest.approx(statistics.fmean(aucs), abs=1e-6)
        # The bootstrap of a mean of some hundred requests is close to the plain interval.
        assert triple(found)[1:] == pytest.approx(plain_mean(aucs)[1:], abs=0.006)
        items = [item for request in requests_of(one, scores) for item in request]
        assert getattr(metrics["auc"], name).value == pytest.approx(pair_share(items, above), abs=1e-4)
    items = [item for request in requests_of(one, one.scores) for item in request]
    loss = -statistics.fmean(math.log(score if grade else 1 - score) for grade, score in items)
    assert metrics["log_loss"].model.value == pytest.approx(loss, rel=1e-5)
    assert metrics["calibration"].model.value == pytest.approx(
        sum(score for _, score in items) / sum(grade for grade, _ in items), rel=1e-5
    )
    assert metrics["log_loss"].popularity is metrics["calibration"].minus_popularity is None
    for metric in metrics.values():
        assert metric.minus_baseline.value == pytest.approx(metric.model.value - metric.baseline.value)
        assert metric.minus_baseline.low < metric.minus_baseline.value < metric.minus_baseline.high


def test_the_interval_of_auc_over_items_is_about_the_bootstrap_s(headline):
    one, _, metrics = headline
    rng, ends = np.random.default_rng(0), np.cumsum(one.lengths)
    drawn = []
    for _ in range(300):
        requests = rng.integers(len(ends), size=len(ends))
        items = np.concatenate([np.arange(ends[r] - one.lengths[r], ends[r]) for r in requests])
        positive, scores = one.grades[items] > 0, one.scores[items]
        ranks = scipy.stats.rankdata(scores)
        number = positive.sum()
        drawn.append((ranks[positive].sum() - number * (number + 1) / 2) / number / (~positive).sum())
    found = metrics["auc"].model
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.std(drawn), rel=0.2)


def test_a_model_compared_with_itself_does_not_differ():
    one = split(80)
    found = evaluated(dataclasses.replace(one, baseline=one.scores))
    for metric in headline_metrics(found.lengths, found.positives, found.rankings):
        assert triple(metric.minus_baseline) == (0, 0, 0)
        if metric.popularity:
            assert metric.name not in ("session_auc", "auc") or metric.popularity.value == 0.5  # all ties


def test_a_split_without_a_click_has_no_ranking_and_says_so():
    one = split(20)
    one = dataclasses.replace(one, grades=np.zeros_like(one.grades), baseline=None)
    found = evaluated(one)
    metrics = {metric.name: metric for metric in headline_metrics(found.lengths, found.positives, found.rankings)}
    for name in ("session_auc", "ndcg_at_10", "mrr", "auc", "calibration"):
        assert triple(metrics[name].model) == (None, None, None)
    assert metrics["log_loss"].model.value > 0
    assert metrics["session_auc"].baseline is None
    nodes, of_requests = list_nodes(hierarchy(), one.categories)
    categories = category_figures(found, nodes, of_requests)
    assert {(category.session_auc.value, category.click_rate, category.change) for category in categories} == {
        (None, 0.0, None)
    }
    assert sum(bin_.items for bin_ in found.calibration) == len(one.grades)


def test_slices_hold_the_requests_of_their_bucket():
    one = split(200)
    whole = evaluated(one, ByItem())
    shown = one.items * 7
    found = {
        part.title: {s.name: s for s in part.slices}
        for part in slices(divisions(whole), whole.rankings["model"].by_request, None)
    }
    history = found["length of history"]
    assert {name: s.requests for name, s in history.items()} == {
        "0": (one.history == 0).sum(),
        "1-2": ((one.history >= 1) & (one.history <= 2)).sum(),
        "3-9": ((one.history >= 3) & (one.history <= 9)).sum(),
        "10-49": ((one.history >= 10) & (one.history <= 49)).sum(),
        "50 or more": (one.history >= 50).sum(),
    }
    long = [auc for auc, length in zip(aucs_of(one, one.scores), one.lengths, strict=True) if length >= 5]
    long = [auc for auc in long if not math.isnan(auc)]
    assert found["length of the list"]["5-9"].session_auc.value == pytest.approx(statistics.fmean(long), abs=1e-6)
    ends = np.cumsum(one.lengths)
    rarest = [
        min(shown[end - length : end][one.grades[end - length : end] > 0], default=None)
        for end, length in zip(ends, one.lengths, strict=True)
    ]
    assert found["clicked item in training"]["0"].requests == rarest.count(0)
    assert sum(s.requests for s in found["clicked item in training"].values()) == len(rarest) - rarest.count(None)


def test_positions_and_calibration_bins_hold_the_items_of_theirs():
    one = split(200)
    found = evaluated(one, parts=3)
    rows, bins = found.positions, found.calibration
    assert [row.items for row in rows] == [(one.lengths >= place).sum() for place in range(1, 7)]
    first = one.positions == 1
    assert rows[0].click_rate.value == pytest.approx(one.grades[first].mean())
    assert rows[0].mean_score == pytest.approx(one.scores[first].mean(), rel=1e-6)
    assert max(bin_.items for bin_ in bins) < 0.2 * len(one.grades)  # ties stay together
    assert [bin_.mean_score for bin_ in bins] == sorted(bin_.mean_score for bin_ in bins)
    assert sum(bin_.rate.value * bin_.items for bin_ in bins) == pytest.approx(one.grades.sum())
    wilson = scipy.stats.binomtest(round(bins[3].rate.value * bins[3].items), bins[3].items).proportion_ci(
        method="wilson"
    )
    assert triple(bins[3].rate)[1:] == pytest.approx((wilson.low, wilson.high))
    assert evaluated(dataclasses.replace(one, positions=None)).positions == []
    broken = evaluated(dataclasses.replace(one, scores=np.full_like(one.scores, np.nan)))
    assert broken.calibration == broken.positions == []


def test_bins_of_scores_without_ties_hold_equally_many_items():
    rng = np.random.default_rng(3)
    one = split(400)
    bins = evaluated(dataclasses.replace(one, scores=rng.random(len(one.grades)).astype(np.float32))).calibration
    assert len(bins) == 20
    assert {abs(bin_.items - len(one.grades) / 20) < 3 for bin_ in bins} == {True}


def test_figures_do_not_depend_on_the_parts_that_the_scores_are_read_in():
    one = split(300)
    whole, of_parts = (evaluated(one, ByItem(), parts) for parts in (1, 7))
    for name, ranking in whole.rankings.items():
        other = of_parts.rankings[name]
        assert other.auc == ranking.auc
        np.testing.assert_allclose(other.auc_influence, ranking.auc_influence)
        for metric, values in ranking.by_request.items():
            np.testing.assert_array_equal(other.by_request[metric], values)
    np.testing.assert_array_equal(of_parts.contents, whole.contents)
    for rows in ("calibration", "positions"):
        for one_row, other_row in zip(getattr(whole, rows), getattr(of_parts, rows), strict=True):
            assert one_row.mean_score == pytest.approx(other_row.mean_score)
            assert one_row.items == other_row.items


def test_items_that_training_never_saw_count_nothing():
    counts = ItemCounts(np.array([3, 5]), np.array([10, 20]), np.array([1, 2]))
    rows, positives = counts.of(np.array([5, 4, 9, 3]))
    assert (rows.tolist(), positives.tolist()) == ([20, 0, 0, 10], [2, 0, 0, 1])
    empty = ItemCounts(*(np.zeros(0, np.int64),) * 3)
    assert empty.of(np.array([5]))[0].tolist() == [0]


def test_what_is_drawn_is_judged_and_no_more_than_allowed():
    rng = np.random.default_rng(0)
    requests = rng.integers(0, 2**62, 1000)
    lengths, judged = np.full(1000, 10), np.arange(1000) % 2 == 0
    drawn = draw(requests, lengths, judged, 100, seed=1)
    assert len(drawn) == 100
    assert np.isin(drawn, requests[judged]).all()
    assert (np.diff(drawn) > 0).all()
    order = rng.permutation(1000)
    same = draw(requests[order], lengths, judged[order], 100, seed=1)
    assert drawn.tolist() == same.tolist() != draw(requests, lengths, judged, 100, seed=2).tolist()
    assert len(draw(requests, lengths * 5000, judged, 100, seed=1)) == 4  # 200,000 items
    assert len(draw(requests, lengths, np.zeros(1000, bool), 100, seed=1)) == 100
