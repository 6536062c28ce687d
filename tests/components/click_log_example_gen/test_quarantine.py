"""Every broken row lands in the quarantine with its reason, its line and its text, and the counts add up."""

import base64
import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from components.click_log_example_gen.quarantine import read_rows

HEADER = b"request_id,user_id,timestamp,top,sub,visits,past,item_id,brand,price,click\n"
BROKEN = {
    b"": "empty_line",
    b"g0,u,5,t,s,1,,x\0y,b,1,0": "nul_byte",
    b"g0,u,5,t,s,1,,x,caf\xe9,1,0": "bad_utf8",
    b'g0,u,5,t,s,1,,x,"b,1,0': "unclosed_quote",
    b'g0,u,5,t,s,1,,x,"b"b,1,0': "bad_quoting",
    b"g0,u,5,t,s,1,,x\rx,b,1,0": "bad_quoting",
    b"g0,u,5,t,s,1,,x,b,1": "wrong_column_count",
    b"g0,u,5,t,s,1,,x,b,1,0,9": "wrong_column_count",
    b'g0,u,5,t,s,1,,x,"b,b",1,0,9': "wrong_column_count",
    b",u,5,t,s,1,,x,b,1,0": "missing_value",
    b"g0,u,5,t,s,1,,,b,1,0": "missing_value",
    b"g0,u,5,t,s,1,,x,b,1,": "missing_value",
    b"g0,u,soon,t,s,1,,x,b,1,0": "bad_type",
    b"g0,u,5,t,s,many,,x,b,1,0": "bad_type",
    b"g0,u,5,t,s,1,,x,b,1.2.3,0": "bad_type",
    b"g0,u,5,t,s,1,,x,b,1,0.5": "bad_type",
    b"g0,u,-5,t,s,1,,x,b,1,0": "out_of_range",
    b"g0,u,5,t,s,1,,x,b,-1,0": "out_of_range",
    b"g0,u,5,t,s,1,,x,b,inf,0": "bad_type",
    b"g0,u,5,t,s,1e99,,x,b,1,0": "out_of_range",
    b"g0,u,5,t,s,1,,x,b,1,3": "out_of_range",
    b"g0,u,5,t,s,1,,a,b,1,0": "duplicate_item",
    b"g0,v,5,t,s,1,,x,b,1,0": "inconsistent_request",
    b"g0,u,5,t,s,2,,x,b,1,0": "inconsistent_request",
    b"g0,u,5,t,s,1,z,x,b,1,0": "inconsistent_request",
    b"alone,u,5,t,s,1,,x,b,1,0": "too_few_items",
}
GOOD = [b"g%d,u,5,t,s,1,,%s,b,1,0" % (i, item) for i in range(60) for item in (b"a", b"c")]


def test_broken_rows(ingest, tmp_path):
    lines = [*GOOD[:2], *BROKEN, *GOOD[2:]]
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"\n".join(lines) + b"\n")
    result = ingest(max_bad_fraction=0.3, split={"by": "user"})
    found = {row["line"]: (row["reason"], row["file"]) for row in result.bad}
    assert found == {i + 4: (reason, "log.csv") for i, reason in enumerate(BROKEN.values())}
    for row, raw in zip(result.bad, BROKEN, strict=True):
        exact = base64.b64decode(row["row_base64"]) if "row_base64" in row else row["row"].encode()
        assert exact == raw
    summary = result.summary
    assert summary["rows_read"] == len(lines) == summary["rows_in_requests"] + summary["rows_quarantined"]
    assert summary["rows_quarantined"] == len(BROKEN)
    assert summary["reasons"]["too_few_items"]["kind"] == "rule"
    assert summary["reasons"]["bad_type"]["examples"] == ["log.csv:16", "log.csv:17", "log.csv:18"]
    assert sum(summary["requests"].values()) == 60
    assert result.all["g0"]["item_id"] == ["a", "c"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"request_id": "g0"', "bad_json"),
        (b'["g0"]', "bad_json"),
        (b'{"request_id": "g0", "item_id": "x", "click": 0}', "missing_value"),
        (b'{"request_id": "g0", "timestamp": 5, "item_id": "x", "click": [0, 1]}', "bad_type"),
        (b'{"request_id": "g0", "timestamp": {"s": 5}, "item_id": "x", "click": 0}', "bad_type"),
        (b'{"request_id": "g0", "timestamp": 5, "item_id": "x", "click": true, "price": "cheap"}', "bad_type"),
        (b'{"request_id": "g0", "timestamp": 1e30, "item_id": "x", "click": 0}', "bad_type"),
    ],
)
def test_broken_json(ingest, tmp_path, line, reason):
    keys = HEADER.decode().strip().split(",")
    good = {"request_id": "g0", "timestamp": 5, "click": 0} | dict.fromkeys(keys[3:7])
    rows = [json.dumps({**dict.fromkeys(keys), **good, "item_id": item}).encode() for item in ("a", 7)]
    (tmp_path / "log" / "log.jsonl").write_bytes(b"\n".join([*rows, line]))
    result = ingest(max_bad_fraction=0.5)
    assert [(row["reason"], row["line"], row["row"].encode()) for row in result.bad] == [(reason, 3, line)]
    assert result.all["g0"]["item_id"] == ["a", "7"]


def test_a_bad_parquet_row_is_kept_as_json(ingest, tmp_path):
    keys = HEADER.decode().strip().split(",")
    columns = {key: ["v"] * 3 for key in keys}
    columns |= {"timestamp": [5, 6, 7], "visits": [None] * 3, "item_id": [b"a", b"b", b"\xff"]}
    columns |= {"price": [1.0] * 3, "click": [0, 1, 1]}
    pa.parquet.write_table(pa.table(columns), tmp_path / "log" / "log.parquet")
    result = ingest(max_bad_fraction=0.5)
    assert [(row["reason"], row["line"]) for row in result.bad] == [("bad_utf8", 3)]
    assert json.loads(result.bad[0]["row"])["timestamp"] == 7


def test_too_many_bad_rows_stop_the_run(ingest, tmp_path):
    bad = [b"g%d,u,5,t,s,1,,x,b,cheap,0" % i for i in range(40)] + [b"short"] * 12
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"\n".join([*GOOD, *bad]))
    with pytest.raises(ValueError, match="52 of 172 rows") as error:
        ingest()
    message = str(error.value)
    assert "`data.max_bad_fraction` allows 5.0%" in message
    assert "bad_type (malformed): 40 rows, e.g. log.csv:122: price: 'cheap' is no number" in message
    assert message.index("bad_type") < message.index("wrong_column_count (malformed): 12 rows, e.g. log.csv:162")


def test_a_log_of_bad_rows_only_says_why_and_keeps_them(ingest, tmp_path):
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"g0,u,yesterday,t,s,1,,x,b,1,0\n" * 3)
    with pytest.raises(ValueError, match="3 of 3 rows") as error:
        ingest()
    assert "'yesterday'" in str(error.value)
    kept = str(error.value).rpartition("The rows with their reasons are in ")[2]
    assert len(list(read_rows(kept))) == 3


def test_rules_do_not_count_as_bad(ingest, tmp_path):
    alone = [b"h%d,u,5,t,s,1,,x,b,1,0" % i for i in range(300)]
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"\n".join([*GOOD, *alone]))
    assert ingest(max_bad_fraction=0.0).reasons == {"too_few_items": 300}


def test_nothing_left(ingest, tmp_path):
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"h,u,5,t,s,1,,x,b,1,0\n")
    with pytest.raises(ValueError, match="no request is left of 1 rows"):
        ingest()


@pytest.mark.parametrize(
    ("rule", "kept", "reasons"),
    [("truncate", {"g0": 3, "g1": 2}, {"too_many_items": 2}), ("quarantine", {"g1": 2}, {"too_many_items": 5})],
)
def test_too_many_items(ingest, tmp_path, rule, kept, reasons):
    many = [b"g0,u,5,t,s,1,,%d,b,1,0" % i for i in range(5)]
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"\n".join([*many, *GOOD[2:4]]))
    result = ingest(max_items=3, too_many_items=rule)
    assert {key: len(r["item_id"]) for key, r in result.all.items()} == kept
    assert result.reasons == reasons


def test_merging_keeps_the_highest_grade_and_the_first_row(ingest, tmp_path):
    rows = [b"g0,u,5,t,s,1,,a,b,1,0", b"g0,u,6,t,s,1,,c,b,2,1", b"g0,u,7,t,s,1,,a,z,3,2", b"g0,u,8,t,s,1,,a,b,1,1"]
    alone = [b"h,u,5,t,s,1,,a,b,1,0", b"h,u,6,t,s,1,,a,b,1,1"]
    (tmp_path / "log" / "log.csv").write_bytes(HEADER + b"\n".join([*rows, *alone]))
    result = ingest(duplicate_items="merge")
    merged = result.all["g0"]
    assert (merged["item_id"], merged["click"], merged["brand"], merged["price"]) == (
        ["a", "c"],
        [2, 1],
        ["b", "b"],
        [1, 2],
    )
    assert result.summary["rows_in_requests"] == 4
    assert [(row["line"], row["reason"]) for row in result.bad] == [(6, "too_few_items"), (7, "too_few_items")]
