"""A request of far too many rows is cut as it is read, which changes nothing but memory; stages may run twice."""

import functools
import random

import pytest

from components.click_log_example_gen import grouping, writing

from .test_grouping import ingest_rows  # noqa: F401  a fixture

HOT = 300


@pytest.fixture(autouse=True)
def _chunks_with_many_rows_of_one_request(ingest_rows, monkeypatch):  # noqa: F811
    monkeypatch.setattr("components.click_log_example_gen.sources.read_lines.__defaults__", (4000,))
    monkeypatch.setattr("components.click_log_example_gen.executor.PARTITION_BYTES", 4000)


def _row(request, item, time=5, user="u", click=0):
    return f"{request},{user},{time},t,s,,,i{item},b,1,{click}\n"


def _log(order):
    """Ordinary requests, and between them a hot one; one of its first rows is malformed."""
    before, after = (
        [_row(f"q{i}", item, time=i + 9) for i in places for item in range(4)] for places in (range(9), range(9, 20))
    )
    hot = [
        _row("hot", item, user="bot", click=item % 2).replace(",1,0", ",cheap,0" if item == 2 else ",1,0")
        for item in range(HOT)
    ]
    later = [_row("later", item, time=99, user="bot") for item in range(2)]
    rows = before + hot + after + later
    if order == "scattered":
        random.Random(1).shuffle(rows)
    return rows


@pytest.mark.parametrize(
    ("order", "data"),
    [
        ("together", {"max_items": 5}),
        ("scattered", {"max_items": 5}),
        ("scattered", {"max_items": 5, "too_many_items": "quarantine"}),
        ("scattered", {"max_items": 5, "history": {"build": True, "length": 3}}),
        ("together", {"max_items": 5, "duplicate_items": "merge"}),
    ],
    ids=["truncate together", "truncate scattered", "quarantine", "histories", "merge"],
)
def test_a_hot_request_is_cut_early_with_the_same_result(ingest_rows, monkeypatch, order, data):  # noqa: F811
    rows, data = _log(order), {**data, "max_bad_fraction": 0.1}
    built = []
    real = grouping.build_requests
    monkeypatch.setattr(
        grouping, "build_requests", lambda plan, rows, *more: built.append(len(rows)) or real(plan, rows, *more)
    )
    early, result = ingest_rows(rows, **data)
    largest = max(built)
    monkeypatch.setattr("components.click_log_example_gen.capping._SPARE", 1000)
    late, uncut = ingest_rows(rows, **data)

    assert early == late
    assert result.reasons == uncut.reasons
    assert {(row["line"], row["reason"]) for row in result.bad} == {(row["line"], row["reason"]) for row in uncut.bad}
    summary = result.summary
    assert summary["rows_read"] == len(rows) == summary["rows_in_requests"] + summary["rows_quarantined"]
    assert summary["items_cut"] == uncut.summary["items_cut"]
    assert max(built) >= HOT - 1
    assert data.get("history") or largest < HOT / 2
    if data.get("history"):
        assert len(result.all["later"]["past"]) == 3


def test_merged_rows_are_not_cut_for_being_many(ingest_rows):  # noqa: F811
    rows = [_row("hot", item % 4, click=int(item == HOT - 1)) for item in range(HOT)]
    _, result = ingest_rows(rows, max_items=5, duplicate_items="merge")
    assert result.all["hot"]["click"] == [0, 0, 0, 1]
    assert (result.summary["rows_in_requests"], result.summary["items_cut"]) == (HOT, 0)


@pytest.mark.parametrize("order", ["together", "scattered"])
def test_stages_that_are_run_again_leave_one_result(ingest_rows, monkeypatch, order):  # noqa: F811
    data = {"max_items": 5, "history": {"build": True}, "max_bad_fraction": 0.1}
    once, expected = ingest_rows(_log(order), **data)
    for stage in (grouping.ReadImpressions, grouping.BuildRequests, writing.WriteRequests, writing.WriteQuarantine):

        @functools.wraps(stage.process)
        def again(self, *arguments, process=stage.process, **more):
            next(process(self, *arguments, **more), None)  # an attempt that dies after its first output
            list(process(self, *arguments, **more))  # one whose outputs are lost
            yield from process(self, *arguments, **more)

        monkeypatch.setattr(stage, "process", again)
    found, result = ingest_rows(_log(order), **data)
    assert found == once
    assert result.bad == expected.bad
    assert {**result.summary, "seconds": 0} == {**expected.summary, "seconds": 0}
