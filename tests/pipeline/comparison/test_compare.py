"""The figures of a comparison, against plain Python; and when there is none to be had request by request."""

import math
import statistics

import numpy as np
import pytest
import scipy.stats

from pipeline.comparison.compare import compare
from pipeline.comparison.facts import configuration
from pipeline.comparison.findings import changes, verdict
from pipeline.comparison.page import render
from pipeline.comparison.pairing import Kind, pair
from pipeline.comparison.runs import read_runs
from reporting.estimates import Estimate, unpaired
from reporting.judged_requests import part
from tests.components.model_report.made_up import made_up
from tests.pipeline.comparison.made_up_runs import altered, made_up_requests, write_run

CONTENT = made_up(60)


def compared(folder, first, second, *overrides):
    runs = [
        write_run(folder / name, CONTENT, of, *more) for name, of, more in (("a", first, ()), ("b", second, overrides))
    ]
    return compare(*read_runs(*map(str, runs)))


def plain_difference(pairs):
    values = [after - before for before, after in pairs if not math.isnan(after)]
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), statistics.fmean(values) - half, statistics.fmean(values) + half


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    """(first, second, comparison): the requests of the second stand in another order."""
    first, second = made_up_requests(CONTENT), made_up_requests(CONTENT, lift=0.01, seed=1)
    shuffled = part(second, np.random.default_rng(5).permutation(len(second.requests)))
    return first, second, compared(tmp_path_factory.mktemp("same"), first, shuffled, "model.variant=moe")


def test_differences_are_those_of_the_same_requests(same):
    first, second, found = same
    assert (found.kind, found.requests, found.better) == (Kind.SAME, 2000, "b")
    aucs = list(zip(first.ranking.by_request["session_auc"], second.ranking.by_request["session_auc"], strict=True))
    value, low, high = plain_difference(aucs)
    overall = found.metrics["session_auc"]
    assert overall.difference.value == pytest.approx(value, abs=1e-6)
    # A bootstrap's ends are close to Student's, and far closer together than those of either figure.
    assert (overall.difference.low, overall.difference.high) == pytest.approx((low, high), abs=4e-4)
    assert overall.difference.high - overall.difference.low < (overall.first.high - overall.first.low) / 2
    assert overall.second.value - overall.first.value == pytest.approx(value, abs=1e-6)
    assert found.metrics["auc"].difference.value == pytest.approx(0.01)
    for place, category in enumerate(found.categories):
        inside = [pair for pair, nodes in zip(aucs, second.nodes, strict=True) if place in nodes and pair[1] == pair[1]]
        assert category.judged_requests == len(inside)
        ends = category.session_auc.difference
        if len(inside) >= 10:
            assert (ends.value, ends.low, ends.high) == pytest.approx(plain_difference(inside), abs=1e-6)
        else:
            assert ends.low is ends.high is None
    assert sum(of.judged_requests for of in found.categories if of.level == 1) == found.judged
    long = [pair for pair, items in zip(aucs, second.items, strict=True) if items >= 5]
    [_, slice_of_long] = found.slices
    assert slice_of_long.session_auc.difference.value == pytest.approx(plain_difference(long)[0], abs=1e-6)


def test_what_differs_is_named(same):
    *_, found = same
    keys = {row.name: (row.first, row.second) for row in found.configuration}
    assert keys == {"name": ("a", "b"), "model.variant": ("adv_hsc_moe", "moe")}
    assert {row.name: row.first for row in found.data}["rows read"] == "300,000"
    assert {row.name: row.second for row in found.seconds}["all"] == "1 min 57 s"


@pytest.mark.parametrize(
    ("path", "differs"),
    [("{run}/log", False), ("{run}", False), ("{run}2/log", True), ("/bucket{run}/log", True)],
)
def test_a_log_in_the_run_s_own_folder_is_no_difference_and_one_beside_it_is(tmp_path, path, differs):
    requests = made_up_requests(CONTENT)
    folders = [tmp_path / name for name in ("demo", "other")]
    for folder in folders:
        logs = [path.format(run=folder.resolve())]
        write_run(folder, CONTENT, requests, f"data.path={logs[0]}", f"data.missing={{brand: {logs}}}")
    runs = read_runs(*map(str, folders))
    shown = {row.name: row.first for row in configuration(*runs) if row.name != "name"}
    log = path.format(run=folders[0].resolve())
    assert shown == ({"data.path": log, "data.missing.brand": f"[{log}]"} if differs else {})


def test_gained_and_lost_most_are_sure_before_they_are_large(same):
    *_, found = same
    gained, lost = changes(found, most=4)
    known = [of.session_auc.difference for of in found.categories if of.session_auc.difference.low is not None]
    assert [of.session_auc.difference.low for of in gained] == sorted((of.low for of in known), reverse=True)[:4]
    assert all(of.session_auc.difference.value < 0 for of in lost)


def test_a_run_that_does_the_same_differs_in_nothing(tmp_path):
    one = made_up_requests(CONTENT)
    found = compared(tmp_path, one, one)
    assert found.better is None
    assert verdict(found)[1] == "No difference that can be told"
    assert {figure.difference.value for figure in found.metrics.values()} == {0.0}
    assert {figure.sign for figure in found.metrics.values()} == {0}


@pytest.mark.parametrize("count", [9, 20])
def test_of_fewer_than_ten_judged_requests_neither_is_better(tmp_path, count):
    first, second = made_up_requests(CONTENT, count=count), made_up_requests(CONTENT, lift=0.4, seed=1, count=count)
    found = compared(tmp_path, first, second)
    known = count >= 10
    assert (found.kind, found.better) == (Kind.SAME, "b" if known else None)
    assert verdict(found)[1] == ("b is better" if known else "Fewer than 10 requests to judge by: no verdict")
    assert all((figure.difference.low is not None) == known for figure in found.metrics.values())
    page = render(found, *read_runs(str(tmp_path / "a"), str(tmp_path / "b")))
    assert ("too few requests for an interval of the difference" in page) == (not known)
    assert "holds 0" not in page


@pytest.mark.parametrize("swapped", [False, True])
def test_of_requests_in_part_the_same_those_are_compared(tmp_path, swapped):
    first, second = made_up_requests(CONTENT, lift=0.02), made_up_requests(CONTENT, seed=1, first=500)
    second = altered(second, slice(0, 100))
    found = compared(tmp_path, *((second, first) if swapped else (first, second)))
    assert (found.kind, found.requests) == (Kind.SHARED, 1400)
    assert "not all the same: of the 2,000 of a and the 2,000 of b, 1,400 are in both" in found.basis
    assert "100 requests have the same id in both, yet other items or labels" in found.basis
    aucs = first.ranking.by_request["session_auc"][600:], second.ranking.by_request["session_auc"][100:1500]
    value, *_ = plain_difference(list(zip(*(aucs if not swapped else aucs[::-1]), strict=True)))
    assert found.metrics["session_auc"].difference.value == pytest.approx(value, abs=1e-6)
    assert found.better == ("b" if swapped else "a")
    assert found.metrics["auc"].difference.value is None  # no sum over requests


def test_of_other_requests_neither_is_better(tmp_path):
    first, second = made_up_requests(CONTENT), made_up_requests(CONTENT, lift=0.2, first=1995)
    found = compared(tmp_path, first, second)
    assert (found.kind, found.requests, found.judged, found.better) == (Kind.OTHER, 0, 0, None)
    assert verdict(found) == ("even", "Other test requests: no verdict")
    assert "fewer than 10 that could be judged are in both" in found.basis
    [own] = [metric.model for metric in CONTENT.headline.metrics if metric.name == "session_auc"]
    difference = found.metrics["session_auc"].difference
    assert (difference.value, difference.high) == pytest.approx((0, math.sqrt(2) * (own.high - own.value)))
    assert found.categories[0].session_auc.second == CONTENT.categories[0].session_auc


def test_two_reports_that_keep_a_part_keep_the_same(tmp_path):
    whole = made_up_requests(CONTENT), made_up_requests(CONTENT, lift=0.1, seed=1)
    kept = [part(of, np.arange(300)) for of in whole]
    found = compared(tmp_path, *kept)
    assert (found.kind, found.requests, found.better) == (Kind.SAME, 300, "b")
    assert "the same 2,000 test requests. Of so many the reports keep 300" in found.basis
    assert pair(kept[0], whole[1]).kind is Kind.SHARED
    found = compared(tmp_path / "altered", altered(kept[0], slice(0, 1)), kept[1])
    assert "of the 300 that the report of a keeps of its 2,000 and the 300 that the report of b keeps" in found.basis
    assert "of its 2,000, 299 are in both" in found.basis


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ((0.8, 0.77, 0.84), (0.7, 0.66, 0.73), (0.1, 0.1 - math.hypot(0.03, 0.03), 0.1 + math.hypot(0.04, 0.04))),
        ((0.8, None, None), (0.7, 0.6, 0.8), (0.1, None, None)),
        ((None, None, None), (0.7, 0.6, 0.8), (None, None, None)),
    ],
)
def test_an_interval_of_figures_of_different_requests(x, y, expected):
    x, y = (Estimate(value=value, low=low, high=high) for value, low, high in (x, y))
    assert list(unpaired(x, y).model_dump().values()) == pytest.approx(list(expected))
