"""Splits: exact by time, stable by hash, named by a column; a request is never cut."""

import collections

import numpy as np
import pytest

from components.click_log_example_gen.splits import add_counts, count_times, time_cuts

HEADER = "request_id,user_id,timestamp,top,sub,visits,past,item_id,brand,price,click,fold\n"


def _write(path, times, fold=lambda i: "a"):
    lines = [
        f"q{i},u{i % 7},{time + late},t,s,,,{item},b,1,0,{fold(i)}\n"
        for i, time in enumerate(times)
        for late, item in ((0, "x"), (50, "y"))
    ]
    np.random.default_rng(3).shuffle(lines)
    path.write_text(HEADER + "".join(lines))


def test_by_time(ingest, tmp_path, monkeypatch):
    monkeypatch.setattr("components.click_log_example_gen.executor.PARTITION_BYTES", 500)
    times = np.random.default_rng(1).permutation(1000)[:50]
    _write(tmp_path / "log" / "log.csv", times)
    result = ingest(split={"fractions": {"train": 0.6, "valid": 0.1, "test": 0.3}})
    parts = {name: sorted(r["timestamp"][0] for r in result.requests[name]) for name in result.requests}
    assert [len(part) for part in parts.values()] == [30, 5, 15]
    assert parts["train"] + parts["valid"] + parts["test"] == sorted(times.tolist())
    assert all(r["item_id"] in (["x", "y"], ["y", "x"]) for r in result.all.values())


@pytest.mark.parametrize(
    ("times", "sizes"),
    [([5] * 10, [10, 0]), ([1] * 4 + [2] * 4 + [3] * 2, [8, 2]), (list(range(10)), [5, 5])],
)
def test_a_second_is_never_cut(times, sizes):
    counts = add_counts([count_times(np.array(times[:3])), count_times(np.array(times[3:]))])
    cuts = time_cuts(*counts, [0.5, 0.5])
    split = np.searchsorted(cuts, times, side="right")
    assert np.bincount(split, minlength=2).tolist() == sizes


@pytest.mark.parametrize("by", ["user", "request"])
def test_by_hash(ingest, tmp_path, by):
    _write(tmp_path / "log" / "log.csv", range(200))
    split = {"by": by, "fractions": {"train": 0.5, "valid": 0.2, "test": 0.3}}
    first = ingest(split=split)
    place = {r["request_id"][0]: name for name, requests in first.requests.items() for r in requests}
    assert len(place) == 200
    if by == "user":
        users = collections.defaultdict(set)
        for r in first.all.values():
            users[r["user_id"][0]].add(place[r["request_id"][0]])
        assert {len(splits) for splits in users.values()} == {1}
    else:
        sizes = [len(first.requests[name]) for name in split["fractions"]]
        assert np.abs(np.array(sizes) / 200 - [0.5, 0.2, 0.3]).max() < 0.1
    # a log with fewer requests sends the same ones to the same splits
    _write(tmp_path / "log" / "log.csv", range(50))
    for name, requests in ingest(split=split).requests.items():
        assert all(place[r["request_id"][0]] == name for r in requests)


def test_by_column(ingest, tmp_path):
    _write(tmp_path / "log" / "log.csv", range(12), lambda i: ["a", "b", "c", "?"][i % 4])
    values = {"a": "train", "b": "test", "c": "train"}
    result = ingest(split={"by": "column", "column": "fold", "values": values}, max_bad_fraction=0.5)
    assert result.summary["requests"] == {"train": 6, "test": 3}
    assert result.reasons == {"unknown_value": 6}
    assert "none of a, b, c" in result.bad[0]["detail"]


def _write_days(folder, days, first=0):
    """Ten requests a day, in a file a day; r<day>-<number>."""
    for day in days:
        lines = [
            f"r{day}-{i},u{i % 7},{day * 86_400 + i},t,s,,,{item},b,1,0,a\n" for i in range(10) for item in ("x", "y")
        ]
        (folder / f"log-{first + day:03}.csv").write_text(HEADER + "".join(lines))


def test_positives_are_counted_by_split(ingest, tmp_path):
    """Of fold a two requests, one of them with a click and a non-click; of b one with two clicks, one with none."""
    grades = {"a": [(0, 0), (0, 2, 1)], "b": [(1, 1), (0, 0)]}
    lines = [
        f"{fold}{number},u,5,t,s,,,i{place},b,1,{grade},{fold}\n"
        for fold, requests in grades.items()
        for number, request in enumerate(requests)
        for place, grade in enumerate(request)
    ]
    (tmp_path / "log" / "log.csv").write_text(HEADER + "".join(lines))
    split = {"by": "column", "column": "fold", "values": {"a": "train", "b": "test", "c": "valid"}}
    counted = ingest(split=split).summary["labels"]["click"]
    assert counted["train"] == {"positive_items": 2, "requests_with_positive": 1, "requests_with_both": 1}
    assert counted["test"] == {"positive_items": 2, "requests_with_positive": 1, "requests_with_both": 0}
    assert not any(counted["valid"].values())


@pytest.mark.parametrize("by", ["time", "request"])
def test_a_window_s_older_spans_are_a_split_of_their_own(ingest, tmp_path, by):
    """The newest span is divided as it would be alone; the third span is missing, the first out of the window."""
    _write_days(tmp_path / "log", [1, 2, 4, 5])
    options = {"files": "log-{SPAN:3}.csv", "split": {"by": by, "fractions": {"train": 0.6, "test": 0.4}}}
    alone, window = ingest(**options), ingest(**options, window=4)
    assert alone.requests.keys() == {"train", "test"}
    assert window.summary["files"] == ["log-002.csv", "log-004.csv", "log-005.csv"]
    assert {name: window.bytes[name] for name in alone.bytes} == alone.bytes
    days = collections.Counter(r["timestamp"][0] // 86_400 for r in window.requests["earlier"])
    assert days == {4: 10, 2: 10}
    of_another_day = ingest(**options, window=2, span=2)
    assert {len(requests) for requests in (of_another_day.requests["earlier"],)} == {10}


def test_a_window_ends_with_the_first_span(ingest, tmp_path):
    _write_days(tmp_path / "log", [0, 1, 9])
    result = ingest(files="log-{SPAN:3}.csv", window=3, span=1)
    assert result.summary["files"] == ["log-000.csv", "log-001.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 2}, r"`data.window` needs spans to count"),
        ({"window": 2, "files": "log-{SPAN:3}.csv", "split": {"fractions": {"earlier": 0.5, "test": 0.5}}}, "earlier"),
        ({"window": 12, "files": "log-{SPAN}*.csv"}, "belongs to two spans"),
    ],
)
def test_a_window_that_cannot_be_read(ingest, tmp_path, options, message):
    _write_days(tmp_path / "log", [1, 2], first=0)
    for day in (1, 12):
        (tmp_path / "log" / f"log-{day}.csv").write_text((tmp_path / "log" / "log-001.csv").read_text())
    with pytest.raises(ValueError, match=message):
        ingest(**options)
