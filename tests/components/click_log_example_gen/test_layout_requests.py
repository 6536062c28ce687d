"""One row a request, as JDsearch has it: lists in columns, products in a table, a category from the candidates."""

import json
import math

import pyarrow as pa
import pyarrow.parquet
import pytest

from .conftest import MUST, SHOP, make_schema

SCHEMA = make_schema(
    ("request_id", "BYTES", MUST, "scope:request role:request_id"),
    ("timestamp", "INT", "", "scope:request role:timestamp"),
    ("query", "BYTES", "", "scope:request role:hidden"),
    ("top", "BYTES", MUST, "scope:request role:category level:1"),
    ("sub", "BYTES", MUST, "scope:request role:category level:2"),
    ("past", "BYTES", "", "scope:request role:history of:item_id"),
    ("past_brand", "BYTES", "", "scope:request role:history of:brand"),
    ("item_id", "BYTES", MUST, "scope:item role:item_id role:categorical"),
    ("brand", "BYTES", "", "scope:item role:categorical"),
    ("price", "FLOAT", "", "scope:item role:numeric"),
    ("interest", "INT", "int_domain { min: 0 max: 3 }", "scope:item role:label"),
)
PRODUCTS = (
    "wid\tbrand_id\tprice\tc1\tc2\n"
    "1\tB1\t9.5\tA\tA2\n2\tB2\t\tA\tA1\n3\t\t3\tA\tA1\n4\tB4\t4\tA\tA2\n5\tB5\t5\tA\t\n2\tB9\t1\tZ\tZ1\nx\tB\tdear\tZ\tZ1\n"
)
LOG = (
    "query\tcandidates\tlabels\thistory\n"
    "63\x1825\t1_2_3_4_99\t3.0_0.0_0.0_1.0_0.0\t2_77_1\n"  # two paths of two items each: the smaller name
    "64\t99_98\t0.0_0.0\t\n"  # no candidate is known
    "65\t5_99\t0.0_1.0\t5\n"
    "66\t1_2\t0.0\t\n"
    "67\t1_2_1\t0.0_0.0_0.0\t\n"
    "68\t1_2\t0.0_9.0\t\n"
    "69\t1\t0.0\t\n"
    "70\t1_\t0.0_0.0\t\n"
)
CONFIG = {
    "files": "log.txt",
    "format": "tsv",
    "layout": "requests",
    "list_separator": "_",
    "columns": {"request_id": "@row", "item_id": "candidates", "interest": "labels", "past": "history"},
    "constants": {"timestamp": 0},
    "tables": [
        {
            "files": "products.txt",
            "format": "tsv",
            "key": "wid",
            "match": "item_id",
            "columns": {"brand": "brand_id", "price": "price", "c1": "c1", "c2": "c2"},
        },
        {
            "files": "products.txt",
            "format": "tsv",
            "key": "wid",
            "match": "past",
            "columns": {"past_brand": "brand_id"},
        },
    ],
    "category_path": {"candidates": ["c1", "c2"]},
    "max_bad_fraction": 0.6,
    "split": {"fractions": {"train": 1.0}},
}


def test_jdsearch(ingest, tmp_path):
    (tmp_path / "log" / "log.txt").write_text(LOG)
    (tmp_path / "log" / "products.txt").write_text(PRODUCTS)
    result = ingest(SCHEMA, **CONFIG)
    first = result.all["log.txt:2"]
    assert json.dumps(first, sort_keys=True) == json.dumps(
        {
            "request_id": ["log.txt:2"],
            "timestamp": [0],
            "query": ["63\x1825"],
            "top": ["A"],
            "sub": ["A1"],
            "past": ["2", "77", "1"],
            "past_brand": ["B2", "", "B1"],
            "item_id": ["1", "2", "3", "4", "99"],
            "brand": ["B1", "B2", "", "B4", ""],
            "price": [9.5, math.nan, 3.0, 4.0, math.nan],
            "interest": [3, 0, 0, 1, 0],
        },
        sort_keys=True,
    )
    paths = {key: (r["top"][0], r["sub"][0]) for key, r in result.all.items()}
    assert paths == {"log.txt:2": ("A", "A1"), "log.txt:3": ("", ""), "log.txt:4": ("A", "A")}
    assert {row["line"]: row["reason"] for row in result.bad if row["file"] == "log.txt"} == {
        5: "unequal_lists",
        6: "duplicate_item",
        7: "out_of_range",
        8: "too_few_items",
        9: "missing_value",
    }
    table = result.summary["tables"][0]
    assert (table["rows_read"], table["rows_kept"], table["rows_quarantined"]) == (7, 5, 2)
    assert {name: found["examples"] for name, found in table["reasons"].items()} == {
        "duplicate_key": ["products.txt:7"],
        "bad_type": ["products.txt:8"],
    }


def test_labels_do_not_change_the_category(ingest, tmp_path):
    (tmp_path / "log" / "products.txt").write_text(PRODUCTS)
    paths = []
    for labels in ("3.0_0.0_0.0_1.0_0.0", "0.0_3.0_1.0_0.0_2.0"):
        (tmp_path / "log" / "log.txt").write_text(
            "".join(LOG.splitlines(True)[:2]).replace("3.0_0.0_0.0_1.0_0.0", labels)
        )
        request = ingest(SCHEMA, **CONFIG).all["log.txt:2"]
        paths.append((request["top"], request["sub"]))
    assert paths[0] == paths[1]


NESTED = {
    "request_id": "q",
    "user_id": "u",
    "timestamp": 7,
    "top": "a",
    "sub": "b",
    "visits": 1,
    "past": ["x y", "z"],
    "items": [{"id": 1, "price": 2, "click": 1}, {"id": 2, "brand": "m", "price": 0.5, "click": 0}],
}
NESTED_COLUMNS = {
    "item_id": "items.id",
    "brand": "items.brand",
    "price": "items.price",
    "click": "items.click",
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_lists_of_objects(ingest, tmp_path, kind):
    if kind == "jsonl":
        (tmp_path / "log" / "log.jsonl").write_text(json.dumps(NESTED))
    else:
        pa.parquet.write_table(pa.Table.from_pylist([NESTED]), tmp_path / "log" / "log.parquet")
    request = ingest(SHOP, layout="requests", columns=NESTED_COLUMNS).all["q"]
    assert (request["item_id"], request["brand"], request["price"], request["click"]) == (
        ["1", "2"],
        ["", "m"],
        [2.0, 0.5],
        [1, 0],
    )
    assert request["past"] == ["x y", "z"]


def test_cut_items_are_noted_and_their_row_stays(ingest, tmp_path):
    (tmp_path / "log" / "log.jsonl").write_text(json.dumps(NESTED))
    result = ingest(SHOP, layout="requests", columns=NESTED_COLUMNS, max_items=1, min_items=1)
    assert result.all["q"]["item_id"] == ["1"]
    summary = result.summary
    assert (summary["rows_in_requests"], summary["rows_quarantined"], summary["items_cut"]) == (1, 0, 1)
    assert result.bad[0]["reason"] == "items_cut"
    assert result.bad[0]["detail"] == "items 2 to 2 were cut, `data.max_items` is 1"
