"""The first rows of a log, file by file, as texts. Ingestion's own readers read them."""

import collections
import dataclasses
import fnmatch
import os
import pathlib
import re
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from components.click_log_example_gen.arrow import one_array, to_python
from components.click_log_example_gen.formats import LINE, read_tables
from components.click_log_example_gen.headers import columns_of, first_row
from components.click_log_example_gen.sources import EXTENSIONS, Source, read_lines, source_of

_MOST_COLUMNS = 2000
_MOST_CELLS = 20_000_000
_MOST_UNREADABLE = 0.05  # of a file's rows


class Unreadable(ValueError):
    """A file that no schema can be guessed from; the message names it and the remedy."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of each of the files that have the same columns.

    Attributes:
      files: sorted by name.
      format: csv, tsv, json_lines or parquet.
      named: whether the format follows from the files' names.
      rows: texts, pandas' NA for missing values; lists of texts in columns that are lists in the file.
      header: the columns' names, of files without a header row.
      header_given: whether the user gave the header.
      whole: whether these are all rows.
    """

    files: tuple[pathlib.Path, ...]
    format: str
    named: bool
    rows: pd.DataFrame
    header: tuple[str, ...] | None = None
    header_given: bool = False
    whole: bool = False

    @property
    def pattern(self) -> str:
        """A glob that matches these files in their folder."""
        names = [file.name for file in self.files]
        if len(names) == 1:
            return names[0]
        first, *_, last = sorted(names)
        head = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        tails = ["".join(pathlib.Path(name).suffixes) for name in names]
        return f"{first[:head]}*{tails[0] if len(set(tails)) == 1 else ''}"


def read_samples(log: pathlib.Path, rows: int, headers: Sequence[str] = ()) -> list[Sample]:
    """Samples of a file, or of a folder's files by their columns; the one with the most bytes first.

    Args:
      log: a file or a folder.
      rows: about so many of each group of files; fewer of those with very many columns.
      headers: names for files without a header row, "a,b,c" for those of three columns, or "items*=a,b,c" for those
        whose names match.

    Raises:
      Unreadable: if there is no file, a file is no log, or a header fits none.
    """
    files = [log] if log.is_file() else sorted(path for path in log.glob("*") if _is_data(path))
    if not files:
        raise Unreadable(f"{log}: holds no file .csv, .tsv, .json, .jsonl (also with .gz), .parquet or .txt")
    try:
        groups, used = collections.defaultdict(list), set()
        for file in files:
            key, source, header = _described(file, headers)
            groups[key].append(source)
            used |= {header}
        if unused := [text for text in headers if text not in used]:
            raise Unreadable(
                f"--header={unused[0]}: no CSV or TSV file in {log} has {len(unused[0].rpartition('=')[2].split(','))} "
                "columns" + (" and such a name" if "=" in unused[0] else "")
            )
        found = [_sample(named, given, sources, rows) for (_, named, given, _), sources in groups.items()]
    except (ValueError, OSError) as error:  # a ValueError of ingestion's readers names the file
        raise Unreadable(str(error)) from error
    return sorted(found, key=lambda sample: -sum(file.stat().st_size for file in sample.files))


def _described(file: pathlib.Path, headers: Sequence[str]) -> tuple[tuple, Source, str | None]:
    """(what files of one sample have in common, the file, that of ``headers`` which names its columns)."""
    named = _extension(file) in EXTENSIONS
    source = source_of(0, str(file), file.name, None if named else _guessed_format(file), "--log")
    if source.format not in ("csv", "tsv"):
        return (source.format, named, False, tuple(sorted(columns_of(source)))), source, None
    names = _first_row(source)
    header = next((text for text in headers if _fits(text, file, names)), None)
    if header:
        source = dataclasses.replace(source, header=tuple(header.rpartition("=")[2].split(",")))
    elif _holds_values(names):
        source = dataclasses.replace(source, header=tuple(f"column_{i}" for i in range(1, len(names) + 1)))
    columns = (*columns_of(source), "no header row") if source.header else columns_of(source)
    return (source.format, named, bool(header), tuple(columns)), source, header


def _fits(header: str, file: pathlib.Path, names: list[str]) -> bool:
    pattern, _, given = header.rpartition("=")
    return len(given.split(",")) == len(names) and (not pattern or fnmatch.fnmatch(file.name, pattern))


def _first_row(source: Source) -> list[str]:
    names = first_row(source)
    if not names:
        raise Unreadable(f"{source.path}: is empty, or its first line is")
    line = names[0]
    if len(names) == 1 and (other := next((mark for mark in ";|\t," if line.count(mark) > 1), None)):
        raise Unreadable(
            f"{source.path}:1: is one column, {line[:80].strip()!r}: a {source.format} file is divided by "
            f"{source.delimiter!r}, not by {other!r}"
        )
    if len(names) > _MOST_COLUMNS:
        raise Unreadable(
            f"{source.path}:1: has {len(names):,} columns, and init looks at no more than {_MOST_COLUMNS:,}; leave out "
            "those that are not to be read, or write the schema by hand (docs/your-own-log.md)"
        )
    return names


def _holds_values(names: list[str]) -> bool:
    """Whether a first line looks like a row: with a number, or a time."""
    return any(re.fullmatch(r"-?\d+([.:/\- ]\d+)*", name.strip()) for name in names)


def _extension(path: pathlib.Path) -> str:
    return os.path.splitext(path.name.removesuffix(".gz"))[1].lower()


def _is_data(path: pathlib.Path) -> bool:
    return path.is_file() and _extension(path) in {*EXTENSIONS, ".txt"} and "readme" not in path.name.lower()


def _guessed_format(path: pathlib.Path) -> str:
    lines = next(read_lines(source_of(0, str(path), path.name, "csv", "--log"), 1 << 16), None)
    line = lines[0].decode(errors="replace") if lines else ""
    if line.startswith("{"):
        return "json_lines"
    if "\t" in line or "," in line:
        return "tsv" if line.count("\t") >= line.count(",") else "csv"
    raise Unreadable(f"{path}: its first line has neither tabs nor commas nor a JSON object: {line[:80]!r}")


def _sample(named: bool, given: bool, sources: list[Source], rows: int) -> Sample:
    columns = columns_of(sources[0])
    rows = max(1000, min(rows, _MOST_CELLS // max(1, len(columns))))
    each = max(1, rows // len(sources))
    frame = pd.concat([_read(source, columns, each) for source in sources[:rows]], ignore_index=True)
    files = tuple(pathlib.Path(source.path) for source in sources)
    return Sample(files, sources[0].format, named, frame, sources[0].header, given, len(frame) < each)


def _read(source: Source, columns: list[str], rows: int) -> pd.DataFrame:
    """The first rows that ingestion can read."""
    tables, read, good, unreadable = [], 0, 0, collections.Counter()
    for count, table, faults in read_tables(source, columns):
        read, good = read + count, good + len(table)
        unreadable.update(faults["reason"].to_pylist())
        tables.append(table.drop([LINE]))
        if good >= rows:
            break
    if (share := unreadable["bad_utf8"] / max(1, read)) > _MOST_UNREADABLE:
        raise Unreadable(
            f"{source.path}: {share:.0%} of its rows are not UTF-8; `iconv -f latin1 -t utf-8` makes them so, if they "
            "are Latin-1"
        )
    if (share := unreadable.total() / max(1, read)) > 0.5:
        [(reason, _)] = unreadable.most_common(1)
        raise Unreadable(f"{source.path}: {share:.0%} of its rows cannot be read, most of them because of {reason}")
    frames = [pd.DataFrame({name: _texts(one_array(table[name])) for name in table.column_names}) for table in tables]
    return pd.concat(frames, ignore_index=True)[:rows] if frames else pd.DataFrame(columns=columns)


def _texts(values: pa.Array) -> pd.Series:
    """Values as texts; lists as lists of them."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return pd.Series(pc.if_else(pc.equal(values, ""), None, values).to_pandas(), dtype="string")

    def text(value):
        if isinstance(value, list):
            return [str(one) for one in value]
        return pd.NA if value is None or value != value or value == "" else str(value)

    return pd.Series([text(value) for value in to_python(values)], dtype=object)
