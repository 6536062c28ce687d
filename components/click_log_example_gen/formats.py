"""From the text of a file to tables of its columns, row by row checked: CSV, TSV, JSON Lines, Parquet."""

import csv
from collections.abc import Iterator

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from components.click_log_example_gen.arrow import TEXT, flat_values, is_list, one_array
from components.click_log_example_gen.headers import columns_of
from components.click_log_example_gen.plan import ROW
from components.click_log_example_gen.quarantine import Findings, fault_table
from components.click_log_example_gen.sources import LINE_BYTES, Lines, Source, read_lines, read_parquet

LINE = "@line"
_NESTED = 200  # brackets in a line of JSON that need a look whether they are too deep


def read_tables(
    source: Source, columns: list[str], repeated: frozenset[str] = frozenset()
) -> Iterator[tuple[int, pa.Table, pa.Table]]:
    """Reads a file chunk by chunk.

    Args:
      source: the file.
      columns: the columns that are wanted; those the file does not have are left out.
      repeated: those whose values stand in many rows; of delimited files, they come as dictionaries.

    Yields:
      (rows read, the good rows' columns and `@line`, the faults of the other rows).
    """
    plain = [column for column in columns if column != ROW]
    if source.format == "parquet":
        chunks = _parquet_tables(source, plain)
    elif source.format == "json_lines":
        chunks = _json_tables(source, plain)
    else:
        chunks = _delimited_tables(source, plain, repeated)
    for read, lines, table, faults in chunks:
        table = table.append_column(LINE, pa.array(lines, pa.int64()))
        if ROW in columns:
            prefix = pa.scalar(f"{source.name}:", TEXT)
            names = pc.binary_join_element_wise(prefix, table[LINE].cast(TEXT), pa.scalar("", TEXT))
            table = table.append_column(ROW, names)
        yield read, table, faults


def _no_faults() -> pa.Table:
    return fault_table(np.zeros(0), np.zeros(0), [], [])


def _check_lines(lines: Lines, findings: Findings) -> None:
    """Finds the lines no parser should see: empty, with NUL, not UTF-8."""
    longest = f"the line is longer than {LINE_BYTES >> 20} MiB; `row` is its beginning"
    findings.add(lines.too_long, "line_too_long", longest)
    findings.add(lines.starts == lines.ends, "empty_line", "the line is empty")
    if b"\0" in lines.data:
        view = np.frombuffer(lines.data, np.uint8)
        findings.add(_count(lines, np.flatnonzero(view == 0)) > 0, "nul_byte", "the line holds a NUL byte")
    try:
        lines.data.decode()
    except UnicodeDecodeError:
        view = np.frombuffer(lines.data, np.uint8)
        for i in np.flatnonzero(_count(lines, np.flatnonzero(view >= 128)) > 0):
            try:
                lines[i].decode()
            except UnicodeDecodeError as error:
                findings.add_row(i, "bad_utf8", f"byte {error.start + 1} of the line: {error.reason}")


def _count(lines: Lines, positions: np.ndarray) -> np.ndarray:
    """How many of some sorted byte positions each line holds."""
    return np.searchsorted(positions, lines.ends) - np.searchsorted(positions, lines.starts)


def _delimited_tables(source: Source, columns: list[str], repeated: frozenset[str]) -> Iterator:
    names = columns_of(source)
    wanted = [column for column in columns if column in names] or names[:1]
    schema = pa.schema([(name, pa.dictionary(pa.int32(), TEXT) if name in repeated else TEXT) for name in wanted])
    for lines in read_lines(source):
        if lines.first == 1 and not source.header:
            lines = Lines(lines.data, 2, lines.starts[1:], lines.ends[1:])  # without the header
        yield _parse_delimited(source, lines, names, schema)


def _parse_delimited(source: Source, lines: Lines, names: list[str], schema: pa.Schema):
    view = np.frombuffer(lines.data, np.uint8)
    findings = Findings(len(lines))
    _check_lines(lines, findings)
    counts = _count(lines, np.flatnonzero(view == ord(source.delimiter))) + 1
    # A quote or a carriage return inside a line may hide a delimiter: csv.reader decides on such lines.
    odd = np.zeros(len(lines), bool)
    for byte in b'"\r':
        if bytes([byte]) in lines.data:
            odd |= _count(lines, np.flatnonzero(view == byte)) > 0
    findings.add(
        ~odd & (counts != len(names)),
        "wrong_column_count",
        lambda i: f"the line has {counts[i]} columns, the header {len(names)}",
    )
    slow = np.flatnonzero(odd & ~findings.bad)
    texts: list[list[str]] = []
    for i in slow:
        try:
            fields = next(csv.reader([lines[i].decode()], delimiter=source.delimiter, strict=True))
        except csv.Error as error:
            unclosed = "unexpected end of data" in str(error)
            reason = "unclosed_quote" if unclosed else "bad_quoting"
            findings.add_row(i, reason, f"the line cannot be read as {source.format}: {error}")
            continue
        if len(fields) != len(names):
            message = f"the line has {len(fields)} columns, the header {len(names)}"
            findings.add_row(i, "wrong_column_count", message)
            continue
        texts.append(fields)
    fast = ~odd & ~findings.bad
    table = _read_plain(lines, fast, names, schema, source.delimiter)
    order = np.flatnonzero(fast)
    if texts:
        slow = slow[~findings.bad[slow]]
        places = [names.index(name) for name in schema.names]
        quoted = pa.table({names[place]: pa.array([fields[place] for fields in texts], TEXT) for place in places})
        order = np.concatenate([order, slow])
        table = pa.concat_tables([table, _cast(quoted, schema)]).combine_chunks()
        back = np.argsort(order, kind="stable")
        table, order = table.take(back), order[back]
    numbers = lines.first + np.arange(len(lines))
    return len(lines), lines.first + order, table, findings.table(source.index, numbers)


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        one_array(table[name]).dictionary_encode() if pa.types.is_dictionary(type) else table[name]
        for name, type in zip(schema.names, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _read_plain(lines: Lines, keep: np.ndarray, names: list[str], schema: pa.Schema, delimiter: str) -> pa.Table:
    """Lines without quotes, all at once; every column as text."""
    if not keep.any():
        return schema.empty_table()
    if keep.all():
        data = memoryview(lines.data)[lines.starts[0] :]
    else:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]])))
        runs = zip(lines.starts[edges[::2]], _after(lines, edges[1::2]), strict=True)
        data = b"".join(lines.data[start:end] for start, end in runs)
    # Not read_csv, which starts with a walk over all of Python's objects, 0.1 s a call in a TFX process.
    reader = pyarrow.csv.open_csv(
        pa.BufferReader(data),
        pyarrow.csv.ReadOptions(
            column_names=names, block_size=max(1 << 20, int((lines.ends - lines.starts).max()) * 2)
        ),
        pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(check_utf8=False, column_types=schema, include_columns=schema.names),
    )
    return reader.read_all()


def _after(lines: Lines, ends: np.ndarray) -> np.ndarray:
    """Where the lines before line ``ends`` end, line end included."""
    return np.append(lines.starts, len(lines.data))[ends]


def _json_tables(source: Source, columns: list[str]) -> Iterator:
    for lines in read_lines(source):
        findings = Findings(len(lines))
        _check_lines(lines, findings)
        good, rows = [], []
        for i in np.flatnonzero(~findings.bad):
            try:
                row = orjson.loads(line := lines[i])
                if line.count(b"[") + line.count(b"{") > _NESTED:
                    orjson.dumps(row)  # which goes less deep than loads, and is used below
            except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
                findings.add_row(i, "bad_json", f"the line is no JSON: {error}")
                continue
            if not isinstance(row, dict):
                findings.add_row(i, "bad_json", "the line is no JSON object")
                continue
            good.append(i)
            rows.append(row)
        table = pa.table({column: _json_column([_json_value(row, column) for row in rows]) for column in columns})
        numbers = lines.first + np.arange(len(lines))
        yield len(lines), lines.first + np.array(good, np.int64), table, findings.table(source.index, numbers)


def _json_value(row: dict, column: str):
    """The value of a column; of `items.price`, the field `price` of each object in the list `items`."""
    if column in row:
        return row[column]
    outer, _, inner = column.partition(".")
    value = row.get(outer) if inner else None
    if isinstance(value, list):
        return [_json_value(element, inner) if isinstance(element, dict) else None for element in value]
    return _json_value(value, inner) if isinstance(value, dict) else None


def _json_column(values: list) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # rows of different types: all as text
        if any(isinstance(value, list) for value in values):
            lists = [value if value is None or isinstance(value, list) else [value] for value in values]
            return pa.array([value and [_json_text(v) for v in value] for value in lists], pa.large_list(TEXT))
        return pa.array([_json_text(value) for value in values], TEXT)


def _json_text(value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if not isinstance(value, int) or isinstance(value, bool) else str(value)


def _parquet_tables(source: Source, columns: list[str]) -> Iterator:
    names = columns_of(source)
    top = [column if column in names else column.partition(".")[0] for column in columns]
    for first, table in read_parquet(source, sorted(set(top) & set(names)) or names[:1]):
        found = {}
        for column, outer in zip(columns, top, strict=True):
            if outer in names:
                array = table[outer].combine_chunks()
                found[column] = array if outer == column else _struct_field(array, column[len(outer) + 1 :])
        yield len(table), first + np.arange(len(table)), _table(found, len(table)), _no_faults()


def _table(columns: dict, rows: int) -> pa.Table:
    """A table that has its rows even where it has no column."""
    return pa.table(columns | {LINE: pa.nulls(rows)}).drop([LINE])


def _struct_field(array: pa.Array, name: str) -> pa.Array:
    """The field of a struct, or of each struct in a list; null where there is none."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if is_list(array.type):
        flat = _struct_field(flat_values(array), name)
        sizes = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)
    if not pa.types.is_struct(array.type) or array.type.get_field_index(name) < 0:
        return pa.nulls(len(array))
    return pc.struct_field(array, [array.type.get_field_index(name)])
