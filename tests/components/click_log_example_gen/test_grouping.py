"""Requests are the same whether a log's rows stand together or not, and whether that shows at once or late."""

import pytest

from .conftest import SHOP

HEADER = "request_id,user_id,timestamp,top,sub,visits,past,item_id,brand,price,click\n"
REQUESTS = 40


def _row(request, item):
    price = "cheap" if (request, item) == (7, 2) else item
    return f"q{request},u{request % 5},{request},t,s{request % 3},,,i{item},b,{price},{item % 2}\n"


PLACES = [(request, item) for request in range(REQUESTS) for item in range(3 + request % 3)]
TOGETHER = [_row(*place) for place in PLACES]
# Two requests at a time, their rows in turns.
APART = [_row(*place) for place in sorted(PLACES, key=lambda place: (place[0] // 2, place[1]))]
# The second request's last row comes last of all.
LATE = [row for row in TOGETHER if row != _row(1, 3)] + [_row(1, 3)]


@pytest.fixture
def ingest_rows(ingest, tmp_path, monkeypatch):
    """Writes files of rows, ingests them in small chunks and parts, and returns (examples by split, result)."""
    monkeypatch.setattr("components.click_log_example_gen.sources.read_lines.__defaults__", (200,))
    monkeypatch.setattr("components.click_log_example_gen.executor.PARTITION_BYTES", 1000)

    def run(*files, **data):
        for path in (tmp_path / "log").iterdir():
            path.unlink()
        for i, rows in enumerate(files):
            (tmp_path / "log" / f"{i}.csv").write_text(HEADER + "".join(rows))
        result = ingest(**data)
        return {split: sorted(examples) for split, examples in result.bytes.items()}, result

    return run


@pytest.mark.parametrize("build", [False, True], ids=["histories read", "histories built"])
def test_same_requests_as_of_a_log_that_is_shuffled(ingest_rows, caplog, build):
    data = {"history": {"build": build}, "max_bad_fraction": 0.1}
    caplog.set_level("INFO", "aislerank.progress")
    shuffled, _ = ingest_rows(APART, **data)
    assert "read again" not in caplog.text

    logs = {
        "together": ([TOGETHER], False),
        "cut by files": ([TOGETHER[:70], TOGETHER[70:71], TOGETHER[71:]], False),
        "late": ([LATE], True),
        "late in another file": ([LATE[:-1], LATE[-1:]], True),
    }
    for name, (files, again) in logs.items():
        caplog.clear()
        found, result = ingest_rows(*files, **data)
        assert found == shuffled, name
        assert ("read again" in caplog.text) == again, name
        assert result.reasons == {"bad_type": 1}
        assert (result.summary["rows_read"], result.summary["rows_in_requests"]) == (len(PLACES), len(PLACES) - 1)


def test_a_schema_without_a_label_reads_what_nobody_has_clicked_yet(ingest_rows):
    labelled, _ = ingest_rows(TOGETHER, max_bad_fraction=0.1)
    kept = [line for line in SHOP.splitlines(keepends=True) if '"click"' not in line]
    unlabelled, result = ingest_rows(TOGETHER, schema="".join(kept), max_bad_fraction=0.1)
    assert {name: len(examples) for name, examples in unlabelled.items()} == {
        name: len(examples) for name, examples in labelled.items()
    }
    assert all("click" not in request for request in result.all.values())
