"""A tiny log in every format gives the same requests, worked out by hand."""

import gzip
import json
import math

import pyarrow as pa
import pyarrow.parquet
import pytest
from tfx.types import artifact_utils

COLUMNS = ["request_id", "user_id", "timestamp", "top", "sub", "visits", "past", "item_id", "brand", "price", "click"]
ROWS = [
    ["q1", "u1", 100, "sport", "balls", 3.0, ["i7", "i8"], "i1", "acme", 9.5, "view"],
    ["q2", None, 90, "家电", "", None, [], "i1", None, 2.0, "buy"],
    ["q1", "u1", 101, "sport", "balls", 3.0, ["i7", "i8"], "i2", None, None, "click"],
    ["q2", None, 90, "家电", "", None, [], "i3", 'the "best", one', 1.25, "view"],
]
GRADES = {"click": {"view": 0, "click": 1, "buy": 2}}
GOLDEN = {
    "q1": {
        "request_id": ["q1"],
        "user_id": ["u1"],
        "timestamp": [100],
        "top": ["sport"],
        "sub": ["balls"],
        "visits": [3.0],
        "past": ["i7", "i8"],
        "item_id": ["i1", "i2"],
        "brand": ["acme", ""],
        "price": [9.5, math.nan],
        "click": [0, 1],
    },
    "q2": {
        "request_id": ["q2"],
        "user_id": [""],
        "timestamp": [90],
        "top": ["家电"],
        "sub": ["家电"],
        "visits": [math.nan],
        "past": [],
        "item_id": ["i1", "i3"],
        "brand": ["", 'the "best", one'],
        "price": [2.0, 1.25],
        "click": [2, 0],
    },
}


def _text(value):
    if isinstance(value, list):
        return " ".join(value)
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if '"' in text or "," in text else text


def _delimited(delimiter, end="\n", bom="", last=True, header=True):
    lines = [delimiter.join(map(_text, row)) for row in [COLUMNS, *ROWS][not header :]]
    return (bom + end.join(lines) + (end if last else "")).encode()


def _write(path, kind):
    if kind == "parquet":
        columns = {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)}
        pa.parquet.write_table(pa.table(columns), path, row_group_size=3)
        return
    data = {
        "csv": lambda: _delimited(","),
        "csv.gz": lambda: gzip.compress(_delimited(",")),
        "tsv": lambda: _delimited("\t"),
        "jsonl": lambda: "\n".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in ROWS).encode(),
        "crlf.csv": lambda: _delimited(",", "\r\n"),
        "bom.csv": lambda: _delimited(",", bom="\ufeff"),
        "bom-crlf-open-end.tsv": lambda: _delimited("\t", "\r\n", "\ufeff", last=False),
    }[kind]()
    path.write_bytes(data)


def same(mine, theirs):
    """Whether two requests are equal, NaN being equal to NaN."""
    return json.dumps(mine, sort_keys=True) == json.dumps(theirs, sort_keys=True)


KINDS = ["csv", "csv.gz", "tsv", "jsonl", "parquet", "crlf.csv", "bom.csv", "bom-crlf-open-end.tsv"]


@pytest.mark.parametrize("kind", KINDS)
def test_golden_requests(ingest, tmp_path, kind):
    _write(tmp_path / "log" / f"log.{kind}", kind)
    result = ingest(grades=GRADES, split={"fractions": {"train": 0.5, "test": 0.5}})
    assert same(result.all, GOLDEN)
    assert [r["request_id"] for r in result.requests["train"]] == [["q2"]]  # the earlier one
    assert (result.summary["rows_read"], result.summary["rows_in_requests"]) == (4, 4)
    assert result.summary["items"] == {"train": 2, "test": 2}
    assert artifact_utils.decode_split_names(result.artifact.split_names) == ["train", "test"]


def test_without_a_header_row(ingest, tmp_path, monkeypatch):
    """In small chunks: the first row is data in the first of them, and only there could it be taken for a header."""
    monkeypatch.setattr("components.click_log_example_gen.sources.read_lines.__defaults__", (40,))
    tables = [{"files": "brands", "format": "tsv", "header": ["name", "to"], "key": "name", "match": "item_id",
               "columns": {"brand": "to"}}]  # fmt: skip
    (tmp_path / "log" / "brands").write_text('i1\tacme\ni3\t"the ""best"", one"\n')
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        (tmp_path / "log" / "log").write_bytes(_delimited(delimiter, bom="\ufeff", header=False))
        result = ingest(grades=GRADES, files="log", format=kind, header=COLUMNS)
        assert same(result.all, GOLDEN)
        columns = [name.replace("brand", "maker") for name in COLUMNS]
        result = ingest(grades=GRADES, files="log", format=kind, header=columns, tables=tables)
        assert result.all["q2"]["brand"] == ["acme", 'the "best", one']
    (tmp_path / "log" / "log").write_bytes(b"one column too few\n" + _delimited(",", header=False))
    result = ingest(grades=GRADES, files="log", format="csv", header=COLUMNS, max_bad_fraction=0.3)
    assert same(result.all, GOLDEN)
    assert [(row["line"], row["reason"]) for row in result.bad] == [(1, "wrong_column_count")]


def test_same_log_same_bytes(ingest, tmp_path):
    _write(tmp_path / "log" / "a.csv", "csv")
    options = {"grades": GRADES, "split": {"fractions": {"train": 1.0}}}
    first, second = ingest(**options), ingest(**options)
    assert first.bytes == second.bytes


def test_rows_of_a_request_in_several_files_and_chunks(ingest, tmp_path, monkeypatch):
    monkeypatch.setattr("components.click_log_example_gen.sources.read_lines.__defaults__", (40,))
    monkeypatch.setattr("components.click_log_example_gen.executor.PARTITION_BYTES", 100)
    lines = _delimited(",").decode().splitlines(keepends=True)
    (tmp_path / "log" / "a.csv").write_text(lines[0] + lines[1] + lines[2])
    (tmp_path / "log" / "b.csv").write_text("".join([lines[0], *lines[3:]]))
    result = ingest(grades=GRADES)
    assert same(result.all, GOLDEN)


def test_columns_are_renamed_joined_and_named_by_row(ingest, tmp_path):
    (tmp_path / "log" / "log.csv").write_text(
        "session,shelf,user_id,time,path,visits,past,product,brand,price,click\n"
        "s,a,u,2020-01-01 00:00:01,x.y.z,,,i1,b,1,0\n"
        "s,a,u,2020-01-01 00:00:00,x.y.z,,,i2,0,1,0\n"
        "s,b,u,2020-01-01 00:00:00,x,,,i1,b,1,0\n"
        "s,b,u,2020-01-01 00:00:00,x,,,i2,b,1,0\n"
        "t,b,u,2020-01-01 00:00:00,,,,i1,b,1,0\n"
        "t,b,u,2020-01-01 00:00:00,,,,i2,b,1,0\n"
    )
    result = ingest(
        columns={"request_id": ["session", "shelf"], "timestamp": "time", "item_id": "product"},
        timestamp_format="%Y-%m-%d %H:%M:%S",
        category_path={"column": "path"},
        missing={"brand": ["0"]},
    )
    assert {key: (r["top"], r["sub"]) for key, r in result.all.items()} == {
        "s|a": (["x"], ["y"]),
        "s|b": (["x"], ["x"]),
        "t|b": ([""], [""]),
    }
    assert result.all["s|a"]["timestamp"] == [1577836800]  # the earliest row's
    assert result.all["s|a"]["brand"] == ["b", ""]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"files": "*.tsv"}, r"`data.files`: no file matches '\*.tsv' .*log.csv"),
        ({"columns": {"brand": "maker"}}, "no column 'maker' for the feature 'brand'. Columns there: request_id, "),
        ({"header": ["a", "b"]}, "log.csv:1: the line has 11 columns, but `header` of the configuration names 2: a, b"),
        ({"header": ["a", "a"]}, "`data.header` names the column 'a' twice"),
        (
            {"header": ["a"], "format": "json_lines"},
            "`data.header`: '.*log.csv' is json_lines, which names its columns",
        ),
        ({"header": []}, "at least 1 item"),
        ({"columns": {"colour": "brand"}}, "`data.columns`: the schema has no 'colour' here. Allowed: "),
        ({"grades": {"price": {"a": 1}}}, "`data.grades`: the schema has no 'price' here. Allowed: click"),
        ({"grades": {"click": {"a": 3}}}, r"`data.grades.click.a` must be in the label's range \[0, 2\]"),
        ({"constants": {"timestamp": "x"}}, "`data.constants.timestamp` must be of type INT"),
        ({"tables": [{"files": "t*", "key": "k", "match": "brand", "columns": {"visits": "v"}}]}, "of one kind"),
        ({"split": {"fractions": {"train": 0.9}}}, "must be above 0 and sum to 1"),
        ({"path": "/nowhere"}, "`data.path`: there is no folder '/nowhere'"),
    ],
)
def test_errors_before_any_work(ingest, tmp_path, data, message):
    _write(tmp_path / "log" / "log.csv", "csv")
    with pytest.raises(ValueError, match=message):
        ingest(**data)


def test_a_broken_gzip_names_file_and_line(ingest, tmp_path):
    packed = gzip.compress(b"".join(b"%d," % i for i in range(100000)) + b"\n")
    (tmp_path / "log" / "log.csv.gz").write_bytes(gzip.compress(_delimited(",")) + packed[:-9])
    with pytest.raises(ValueError, match=r"log.csv.gz: cannot be read on from about line"):
        ingest(grades=GRADES)
