"""Whatever a log holds: each of its rows is in a request or in the quarantine, or an error says which file it is."""

import base64
import gzip
import io
import json
import pathlib
import tempfile
from unittest import mock

import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import strategies as st

from components.click_log_example_gen import sources
from components.click_log_example_gen.convert import parse_field, parse_repeated
from components.click_log_example_gen.plan import Field
from components.click_log_example_gen.quarantine import Findings
from tests.components.click_log_example_gen.staged import NAMED, Outcome, run

# Stages are slower than what else is fuzzed: a request to the server, a schema, a configuration.
MOST = hypothesis.settings.default.max_examples
some = hypothesis.settings(max_examples=MOST)
few = hypothesis.settings(max_examples=MOST // 8)

GOOD = {
    "request_id": ["r0", "r1", "r2", "家"],
    "user_id": ["u", "u", "u", "u", "v", ""],
    "timestamp": ["5", "5", "6", "7"],
    "top": ["t"],
    "sub": ["s"],
    "visits": ["1"],
    "past": ["a b", "a b", ""],
    "item_id": [f"i{i}" for i in range(9)],
    "brand": ["b", "c", ""],
    "price": ["1.5", "2", "", "nan"],
    "click": ["0", "1", "2"],
}
WILD = [
    b"",
    b" ",
    b'"',
    b'""',
    b'"a,b"',
    b'"a\tb',
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"caf\xe9",
    b",",
]
WILD += [
    b"\t",
    b"-1",
    b"1e39",
    b"1e400",
    b"-0",
    b"0x1F",
    b"+5",
    b" 5",
    b"3.0",
    b"9223372036854775807",
    b"1" * 40,
    b"inf",
]
WILD += [
    b"9223372036854775808",
    b"1700000000000000000",
    b"-99999999999999",
    b"nAn",
    b"-nan",
    b"0.1",
    b"\xef\xbb\xbf",
    b"\x1f",
]
WILD += ["\u2028".encode(), "٣".encode(), b"null", b"{}", b"[", b"'", b"\\", b"x" * 70, b"a b c", b"True", b"1_0"]
cells = st.sampled_from(WILD) | st.sampled_from(WILD) | st.binary(max_size=6)
line_ends = st.sampled_from([b"\n"] * 8 + [b"\r\n"] * 3 + [b"\r", b"\n\n", b"\0\n"])
lists = ("item_id", "brand", "price", "click")  # in layout requests


@st.composite
def rows(draw, layout: str, most: int = 12) -> list[dict[str, bytes]]:
    """Rows that are good but for a few cells."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        size = draw(st.integers(1, 4)) if layout == "requests" else 1
        row = {}
        for name, good in GOOD.items():
            many = size if name in lists else 1
            row[name] = " ".join(draw(st.sampled_from(good)) for _ in range(many)).encode()
        if not draw(st.integers(0, 2)):
            for name in draw(st.lists(st.sampled_from(list(GOOD)), max_size=2)):
                row[name] = draw(cells)
        found.append(row)
    return found


@st.composite
def delimited(draw, layout: str, delimiter: bytes) -> tuple[bytes, int]:
    lines = [delimiter.join(row.values()) for row in draw(rows(layout))]
    header = delimiter.join(name.encode() for name in GOOD)
    if not draw(st.integers(0, 19)):
        header = draw(st.binary(max_size=20) | st.just(header[1:]) | st.just(b'"' + header) | st.just(header.upper()))
    text = header + draw(st.sampled_from([b"\n", b"\r\n"]))
    text += b"".join(line + draw(line_ends) for line in lines)
    if not draw(st.integers(0, 4)):
        text = text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text.removesuffix(b"\n")
    bom = b"\xef\xbb\xbf" if not draw(st.integers(0, 5)) else b""
    return bom + text, _count(text) - 1


def _count(text: bytes) -> int:
    return text.count(b"\n") + (text[-1:] not in (b"\n", b""))


numbers = st.integers(-(2**70), 2**70) | st.integers(-3, 3) | st.floats()
json_scalars = st.none() | st.booleans() | numbers | st.text(max_size=4)
json_values = st.recursive(
    json_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
)
deep = st.integers(1, 1100).map(lambda depth: json.loads("[" * depth + "1" + "]" * depth) if depth < 900 else "deep")


@st.composite
def json_lines(draw, layout: str) -> tuple[bytes, int]:
    text = json.dumps(dict.fromkeys(GOOD)).encode() + b"\n"  # the first lines' keys are the columns
    for row in draw(rows(layout)):
        cells = {name: cell.decode(errors="replace") for name, cell in row.items()}
        if layout == "requests" and draw(st.booleans()):
            cells |= {name: cells[name].split(" ") for name in lists}
        if draw(st.booleans()) and cells["timestamp"].isascii() and cells["timestamp"].isdigit():
            cells["timestamp"] = int(cells["timestamp"])
        if not draw(st.integers(0, 4)):
            cells[draw(st.sampled_from(list(GOOD)))] = draw(json_values | deep)
        line = json.dumps(cells).encode()
        if not draw(st.integers(0, 9)):
            at = draw(st.integers(0, len(line)))
            line = line[:at] + draw(st.binary(max_size=3)) + line[at + draw(st.integers(0, 3)) :]
        text += line + draw(line_ends)
    return text, _count(text)


TYPES = [
    pa.string(), pa.large_string(), pa.binary(), pa.binary(2), pa.bool_(), pa.int8(), pa.int64(), pa.uint64(),
    pa.float16(), pa.float32(), pa.float64(), pa.decimal128(20, 2), pa.decimal256(50, 2), pa.date32(), pa.date64(),
    pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("ns", "UTC"), pa.timestamp("us", "Europe/Berlin"),
    pa.time32("s"),
    pa.time64("us"), pa.duration("s"), pa.null(), pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.float64()), pa.list_(pa.string()), pa.list_(pa.int64(), 2), pa.large_list(pa.float64()),
    pa.list_(pa.list_(pa.string())), pa.struct([("a", pa.string()), ("b", pa.list_(pa.int64()))]),
    pa.list_(pa.struct([("a", pa.string())])), pa.map_(pa.string(), pa.int64()),
]  # fmt: skip


@st.composite
def arrays(draw, type: pa.DataType, size: int) -> pa.Array:
    """Any array of a type; its bytes need not be text."""
    if pa.types.is_dictionary(type):
        index = draw(st.lists(st.none() | st.integers(0, 2), min_size=size, max_size=size))
        return pa.DictionaryArray.from_arrays(pa.array(index, type.index_type), draw(arrays(type.value_type, 3)))
    if pa.types.is_map(type):
        pairs = st.lists(st.tuples(st.text(max_size=2), st.integers(0, 3)), max_size=2)
        return pa.array(draw(st.lists(st.none() | pairs, min_size=size, max_size=size)), type)
    if pa.types.is_fixed_size_list(type):
        return pa.array([draw(st.none() | st.just([1, 2])) for _ in range(size)], type)
    if pa.types.is_list(type) or pa.types.is_large_list(type):
        sizes = [draw(st.none() | st.integers(0, 3)) for _ in range(size)]
        flat = draw(arrays(type.value_type, sum(filter(None, sizes))))
        ends = np.cumsum([each or 0 for each in sizes], dtype=np.int64)
        offsets = [None if each is None else int(end - each) for each, end in zip(sizes, ends, strict=True)]
        made = pa.LargeListArray if pa.types.is_large_list(type) else pa.ListArray
        kind = pa.int64() if pa.types.is_large_list(type) else pa.int32()
        return made.from_arrays(pa.array([*offsets, int(ends[-1]) if size else 0], kind), flat)
    if pa.types.is_struct(type):
        mask = pa.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), pa.bool_())
        fields = [draw(arrays(field.type, size)) for field in type]
        return pa.StructArray.from_arrays(fields, fields=list(type), mask=mask)
    if pa.types.is_string(type) or pa.types.is_large_string(type):
        values = [draw(st.none() | st.sampled_from([b"r0", b"i1", b"5", b"0"]) | cells) for _ in range(size)]
        raw = pa.array(values, pa.large_binary() if pa.types.is_large_string(type) else pa.binary())
        return pa.Array.from_buffers(type, size, raw.buffers(), raw.null_count)  # no look at whether it is UTF-8
    if pa.types.is_fixed_size_binary(type) and not pa.types.is_decimal(type):
        return pa.array([draw(st.none() | st.sampled_from([b"\xff\0", b"ab"])) for _ in range(size)], type)
    if pa.types.is_binary(type):
        return pa.array([draw(st.none() | cells) for _ in range(size)], type)
    if pa.types.is_null(type):
        return pa.nulls(size)
    if pa.types.is_boolean(type):
        return pa.array([draw(st.none() | st.booleans()) for _ in range(size)], type)
    if pa.types.is_decimal(type):
        return pa.array(
            [draw(st.none() | st.integers(-9, 9) | st.just(10**17)) for _ in range(size)], pa.decimal128(20, 2)
        ).cast(type)
    if pa.types.is_floating(type):
        values = [draw(st.none() | st.integers(0, 3).map(float) | st.floats(width=16)) for _ in range(size)]
        return pa.array(np.array([np.nan if v is None else v for v in values], type.to_pandas_dtype()), type)
    bits = type.bit_width
    signed = 0 if pa.types.is_uint64(type) else 1
    if pa.types.is_time(type) or pa.types.is_date64(type):
        whole = st.integers(0, 9).map(lambda day: day * (86_400_000 if pa.types.is_date64(type) else 1))
    else:
        whole = st.integers(0, 7) | st.integers(-(2 ** (bits - 1)) * signed, 2 ** (bits - signed) - 1)
    values = [draw(st.none() | whole) for _ in range(size)]
    plain = {8: pa.int8(), 32: pa.int32(), 64: pa.int64() if signed else pa.uint64()}[bits]
    return pa.array(values, plain).view(type)


@st.composite
def parquet(draw, layout: str) -> tuple[bytes, int]:
    found = draw(rows(layout))
    columns = {}
    for name in GOOD:
        cells = [row[name].decode(errors="replace") for row in found]
        columns[name] = pa.array(cells, pa.string())
        if layout == "requests" and name in lists and draw(st.booleans()):
            columns[name] = pa.array([cell.split(" ") for cell in cells], pa.list_(pa.string()))
    for name in draw(st.lists(st.sampled_from(list(GOOD)), max_size=3)):
        columns[name] = draw(st.sampled_from(TYPES).flatmap(lambda type: arrays(type, len(found))))
    if not draw(st.integers(0, 9)):
        columns.pop(draw(st.sampled_from(list(GOOD))))
    file = io.BytesIO()
    try:
        pa.parquet.write_table(pa.table(columns), file, row_group_size=draw(st.integers(1, 9)), version="2.6")
    except (pa.ArrowException, ValueError, OverflowError):  # what Parquet cannot hold
        hypothesis.reject()
    data = file.getvalue()
    if not draw(st.integers(0, 19)):
        data = data[: draw(st.integers(0, len(data) - 1))]
    return data, len(found)


@st.composite
def files(draw, layout: str) -> tuple[str, bytes, int]:
    """(name, bytes, rows) of a file of any format."""
    kind = draw(st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
    if kind == "parquet":
        return kind, *draw(parquet(layout))
    data, count = draw(json_lines(layout) if kind == "jsonl" else delimited(layout, b"," if kind == "csv" else b"\t"))
    if not draw(st.integers(0, 3)):
        kind, data = kind + ".gz", gzip.compress(data, 1)
        if not draw(st.integers(0, 9)):
            data = data[: draw(st.integers(0, len(data) - 1))]
    return kind, data, count


@st.composite
def options(draw) -> dict:
    return {
        "max_items": draw(st.sampled_from([2, 3, 4, 200])),
        "min_items": draw(st.sampled_from([1, 2])),
        "too_many_items": draw(st.sampled_from(["truncate", "quarantine"])),
        "duplicate_items": draw(st.sampled_from(["quarantine", "merge"])),
        "split": {"by": draw(st.sampled_from(["time", "request", "user"]))},
        "timestamp_format": draw(st.sampled_from(["seconds", "seconds", "milliseconds", "%Y"])),
        "history": {"build": draw(st.booleans())},
        "columns": {"row": "@row"},
    }


@hypothesis.given(st.data())
@few
@pytest.mark.parametrize("layout", ["impressions", "requests"])
def test_no_row_is_lost(layout, data):
    written = data.draw(st.lists(files(layout), min_size=1, max_size=3))
    chosen = data.draw(options()) | {"layout": layout}
    if layout == "impressions" and not data.draw(st.integers(0, 3)):
        chosen["negatives"] = {"per_positive": 1, "exclude": data.draw(st.sampled_from(["user", "request"]))}
    with tempfile.TemporaryDirectory() as folder:
        raw, places = {}, set()
        for i, (kind, content, count) in enumerate(written):
            name = f"log{i}.{kind}"
            pathlib.Path(folder, name).write_bytes(content)
            first = 2 if kind[:3] in ("csv", "tsv") else 1
            places |= {(name, line) for line in range(first, first + count)}
            raw[name] = content
        chunk = data.draw(st.sampled_from([1, 60, 400, 1 << 20]))
        try:
            with mock.patch.object(sources.read_lines, "__defaults__", (chunk,)):
                outcome = run(folder, NAMED[layout], data.draw(st.integers(1, 3)), **chosen)
        except Exception as error:
            hypothesis.event("refused")
            refused_clearly(error, folder)
            return
        hypothesis.event("read")
        check_law(outcome, places, raw, chosen)


def refused_clearly(error: Exception, folder: str) -> None:
    """Our own words, with the file or the key: no library's exception (all of which are kinds of ValueError)."""
    if type(error) is not ValueError or not (folder in str(error) or "`data." in str(error)):
        raise AssertionError(f"not our message: {error!r}") from error


def check_places(outcome: Outcome, places: set, bad: set, chosen: dict) -> None:
    """Each row is either in a request or in the quarantine."""
    named = [value.decode() for request in outcome.requests for value in request["row"].bytes_list.value]
    kept = [(name, int(line)) for name, _, line in (row.rpartition(":") for row in named)]
    assert len(kept) == len(set(kept))
    assert not set(kept) & bad
    if chosen["duplicate_items"] == "merge":
        assert set(kept) | bad <= places
    else:
        assert set(kept) | bad == places


def check_law(outcome: Outcome, places: set, raw: dict[str, bytes], chosen: dict) -> None:
    """Rows in = rows in requests + rows in the quarantine; each where it belongs, with its text."""
    assert outcome.read == len(places) == outcome.kept + outcome.quarantined
    bad = [(row["file"], row["line"]) for row in outcome.bad if row["kind"] != "note"]
    assert len(bad) == len(set(bad)) == outcome.quarantined
    notes = sum(rows for reason, rows in outcome.reasons.items() if reason == "items_cut")
    assert sum(outcome.reasons.values()) == outcome.quarantined + notes
    if "negatives" not in chosen:  # or items have the features, and so the row's name, of their first row
        check_places(outcome, places, set(bad), chosen)
    sizes = [len(request["item_id"].bytes_list.value) for request in outcome.requests]
    assert sum(sizes) == outcome.items
    assert max(sizes, default=0) <= chosen["max_items"]
    assert min(sizes, default=9) >= chosen["min_items"]
    for request, size in zip(outcome.requests, sizes, strict=True):
        assert len(request["price"].float_list.value) == len(request["click"].int64_list.value) == size
    lines = {name: _lines(name, content) for name, content in raw.items() if "parquet" not in name}
    for row in outcome.bad:
        exact = base64.b64decode(row["row_base64"]) if "row_base64" in row else row["row"].encode()
        if row["file"] in lines:
            assert exact == lines[row["file"]][row["line"] - 1]


def _lines(name: str, content: bytes) -> list[bytes]:
    text = gzip.decompress(content) if name.endswith(".gz") else content
    return [line.removesuffix(b"\r") for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n")]


FIELDS = [
    Field("n", "request", "int", columns=("n",), minimum=0, maximum=2**62),
    Field("n", "request", "int", columns=("n",)),
    Field("x", "request", "float", columns=("x",), minimum=0.1),
    Field("t", "request", "int", kind="timestamp", columns=("t",)),
    Field("h", "request", "bytes", kind="history", columns=("h",)),
    Field("b", "request", "bytes", columns=("b",), missing=("0",)),
]
texts = (
    st.none() | st.sampled_from([c.decode(errors="replace") for c in WILD]) | st.from_regex(r"[ +-]?[0-9xX.eE]{1,21} ?")
)


@hypothesis.given(
    st.sampled_from(FIELDS), st.lists(texts, min_size=1, max_size=6), st.sampled_from(["seconds", "milliseconds", "%Y"])
)
@some
@pytest.mark.parametrize("parse", [parse_field, parse_repeated])
def test_what_a_value_means_does_not_depend_on_its_neighbours(parse, field, values, time_format):
    def parsed(column):
        findings = Findings(len(column))
        array = parse(field, pa.array(column, pa.large_string()), " ", time_format, findings)
        good = zip(array.to_pylist(), findings.bad.tolist(), strict=True)
        return [repr(value) if not bad else "bad" for value, bad in good]

    assert parsed(values) == [result for value in values for result in parsed([value])]


@hypothesis.given(st.data())
@some
def test_a_column_of_any_type_is_read_or_refused_row_by_row(data):
    kind, field = data.draw(st.sampled_from(TYPES)), data.draw(st.sampled_from(FIELDS))
    column = data.draw(arrays(kind, data.draw(st.integers(0, 5))))
    for parse in (parse_field, parse_repeated):
        findings = Findings(len(column))
        parsed = parse(field, sources._checked(column), " ", data.draw(st.sampled_from(["seconds", "%Y"])), findings)
        parsed.validate(full=True)
        assert len(parsed) == len(column)
        assert not findings.bad[column.is_null().to_numpy(zero_copy_only=False)].any()  # missing is not malformed
