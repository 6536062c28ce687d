"""The columns that the files of a log have, checked against the columns that the configuration asks for."""

import collections
import csv
import dataclasses

import orjson

from components.click_log_example_gen.plan import ROW, Plan
from components.click_log_example_gen.sources import (
    LINE_BYTES,
    Lines,
    Source,
    find_sources,
    parquet_columns,
    read_lines,
)

_SHOWN_COLUMNS = 50
_SAMPLE_LINES = 1000  # JSON Lines has no header: the keys of the first lines are taken for it


def first_row(source: Source) -> list[str]:
    """The values of the first line of a CSV or TSV file.

    Raises:
      ValueError: if the file is empty or cannot be read.
    """
    lines = next(read_lines(source, 1 << 20), None)
    if lines is None:
        raise ValueError(_empty(source))
    return _split(source, lines)


def columns_of(source: Source) -> list[str]:
    """The names of a file's columns: of its header, its Parquet schema, or the keys of its first 1000 JSON lines.

    Raises:
      ValueError: if the file is empty or cannot be read, there is no header, or it is unusable.
    """
    if source.format == "parquet":
        return _distinct(source, parquet_columns(source))
    lines = next(read_lines(source, 1 << 20), None)
    if lines is None:
        raise ValueError(_empty(source))
    if source.format == "json_lines":
        keys: dict[str, None] = {}
        for i in range(min(len(lines), _SAMPLE_LINES)):
            try:
                row = orjson.loads(lines[i])
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict):
                keys |= dict.fromkeys(row)
        return list(keys)
    if source.header:
        _check_header(source, lines)
        return list(source.header)
    return _distinct(source, _split(source, lines))


def _empty(source: Source) -> str:
    return f"{source.path}: is empty; take it away, or out of `data.files`"


def _split(source: Source, lines: Lines) -> list[str]:
    if lines.too_long[0]:
        raise ValueError(f"{source.path}:1: the header is longer than {LINE_BYTES >> 20} MiB")
    try:
        return next(csv.reader([lines[0].decode()], delimiter=source.delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{source.path}:1: the header cannot be read: {error}. {source.format.upper()} must be UTF-8, its lines "
            "ended by a newline"
        ) from error


def _check_header(source: Source, lines: Lines) -> None:
    """Refuses a `header` that fits none of the first lines; a single line that it does not fit is quarantined."""
    plain = [line for i in range(min(len(lines), _SAMPLE_LINES)) if b'"' not in (line := lines[i])]
    counts = [line.count(source.delimiter.encode()) + 1 for line in plain]
    if counts and len(source.header) not in counts:
        raise ValueError(
            f"{source.path}:1: the line has {counts[0]} columns, but `header` of the configuration names "
            f"{len(source.header)}: {', '.join(source.header[:_SHOWN_COLUMNS])}"
        )


def _distinct(source: Source, names: list[str]) -> list[str]:
    if twice := [name for name, count in collections.Counter(names).items() if count > 1]:
        raise ValueError(f"{source.path}:1: the header names the column {twice[0]!r} twice")
    return names


def check_columns(sources: list[Source], wanted: dict[str, str]) -> None:
    """Refuses a column that no file has.

    Args:
      sources: the files.
      wanted: {column: the configuration's key that asks for it}.

    Raises:
      ValueError: naming the key, the column, a file and the columns it has.
    """
    there = [columns_of(source) for source in sources]
    found = {name for names in there for name in names} | {ROW}
    for column, key in wanted.items():
        # `items.price` is a field of the objects in `items`, unless a column has that very name
        nested = "." in column and column.partition(".")[0] in found and sources[0].format in ("json_lines", "parquet")
        if column not in found and not nested:
            listed = ", ".join(there[0][:_SHOWN_COLUMNS]) + (", ..." if len(there[0]) > _SHOWN_COLUMNS else "")
            raise ValueError(
                f"{sources[0].path}: there is no column {column!r} for {key}. Columns there: {listed or 'none'}. "
                "Name another one under `data.columns` (or a constant, or a table), or take the feature out of the "
                "schema"
            )


def check_files(plan: Plan, folder: str, globs: list[str]) -> tuple[list[Source], list[list[Source]]]:
    """Finds the files of the log and of each table and checks that every configured column is there.

    Args:
      plan: what is read.
      folder: of the log.
      globs: of the log's spans, the newest first.

    Raises:
      ValueError: as `find_sources`, `check_columns`; if a file belongs to two spans.
    """
    data, sources = plan.data, []
    for place, pattern in reversed(list(enumerate(globs))):  # files in order of time
        for source in find_sources(folder, pattern, data.format, header=data.header):
            if any(source.path == other.path for other in sources):
                raise ValueError(
                    f"`data.files`: {source.path!r} belongs to two spans; give the number a width ({{SPAN:4}}), or "
                    "something to stand behind it"
                )
            sources.append(dataclasses.replace(source, index=len(sources), earlier=place > 0))
    check_columns(sources, {column: f"the feature {f.name!r}" for f in plan.read for column in f.columns})
    tables = []
    for i, table in enumerate(data.tables):
        key = f"data.tables[{i}]"
        found = find_sources(folder, table.files, table.format, key, table.header)
        columns = {column: f"`{key}.columns.{name}`" for name, column in table.columns.items()}
        check_columns(found, {table.key: f"`{key}.key`"} | columns)
        tables.append(found)
    return sources, tables
