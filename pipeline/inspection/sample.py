"""The head of a log, file by file, as texts: what its schema is guessed from."""

import collections
import csv
import dataclasses
import fnmatch
import gzip
import json
import pathlib
import re
from collections.abc import Sequence

import pandas as pd
import pyarrow.parquet

_FORMATS = {".csv": "csv", ".tsv": "tsv", ".json": "json_lines", ".jsonl": "json_lines", ".parquet": "parquet"}
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_LONGEST = 1 << 24  # characters of a first line
_MOST_COLUMNS = 2000
_MOST_CELLS = 20_000_000


class Unreadable(ValueError):
    """A file that no schema can be guessed from; the message names it and the remedy."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of each of the files that have the same columns.

    Attributes:
      files: sorted by name.
      format: csv, tsv, json_lines or parquet.
      named: whether the format follows from the files' names.
      header: the columns' names, of files without a header row; ``header_given``: by the user.
      whole: whether these are all rows.
      rows: texts, pandas' NA where the file has nothing; lists of texts in columns that are lists in the file.
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
        """A glob that takes these files out of their folder."""
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
    groups = collections.defaultdict(list)
    used: set[str] = set()
    for file in files:
        format, named = _format_of(file)
        header = None
        if format in _SEPARATORS:
            names = first_line(file, format)
            header = next((text for text in headers if _fits(text, file, names)), None)
            used |= {header} - {None}
            if header or _holds_values(names):
                given = header.rpartition("=")[2].split(",") if header else None
                names = given or [f"column_{i}" for i in range(1, len(names) + 1)]
                groups[format, named, tuple(names), True, bool(given)].append(file)
                continue
            _check_names(file, names)
        else:
            names = _columns(file, format)
        groups[format, named, tuple(names), False, False].append(file)
    if unused := [text for text in headers if text not in used]:
        raise Unreadable(
            f"--header={unused[0]}: no CSV or TSV file in {log} has {len(unused[0].rpartition('=')[2].split(','))} "
            "columns" + (" and such a name" if "=" in unused[0] else "")
        )
    found = [_sample(*key, files, rows) for key, files in groups.items()]
    return sorted(found, key=lambda sample: -sum(file.stat().st_size for file in sample.files))


def _fits(header: str, file: pathlib.Path, names: list[str]) -> bool:
    pattern, _, given = header.rpartition("=")
    return len(given.split(",")) == len(names) and (not pattern or fnmatch.fnmatch(file.name, pattern))


def first_line(path: pathlib.Path, format: str) -> list[str]:
    """The values of the first line of a CSV or TSV file.

    Raises:
      Unreadable: if there is none, or it cannot be read.
    """
    try:
        with _open(path) as file:
            line = file.readline(_LONGEST)
        if len(line) == _LONGEST:
            raise Unreadable(f"{path}:1: the line is longer than {_LONGEST >> 20} MiB: this is no CSV or TSV")
        if "\ufffd" in line or "\0" in line:
            raise Unreadable(f"{path}:1: is not UTF-8; `iconv -f latin1 -t utf-8` makes it so, if it is Latin-1")
        names = next(csv.reader([line.rstrip("\r\n")], delimiter=_SEPARATORS[format], strict=True), [])
    except (OSError, EOFError, csv.Error) as error:
        raise Unreadable(f"{path}:1: cannot be read: {error}") from error
    if not names:
        raise Unreadable(f"{path}: is empty, or its first line is")
    if len(names) == 1 and (other := next((mark for mark in ";|\t," if line.count(mark) > 1), None)):
        raise Unreadable(
            f"{path}:1: is one column, {line[:80].strip()!r}: a {format} file is divided by "
            f"{_SEPARATORS[format]!r}, not by {other!r}"
        )
    if len(names) > _MOST_COLUMNS:
        raise Unreadable(
            f"{path}:1: has {len(names):,} columns, and init looks at no more than {_MOST_COLUMNS:,}; leave out those "
            "that are not to be read, or write the schema by hand (docs/your-own-log.md)"
        )
    return names


def _holds_values(names: list[str]) -> bool:
    """Whether a first line looks like a row: with a number, or a time."""
    return any(re.fullmatch(r"-?\d+([.:/\- ]\d+)*", name.strip()) for name in names)


def _check_names(path: pathlib.Path, names: list[str]) -> None:
    if twice := [name for name, count in collections.Counter(names).items() if count > 1]:
        raise Unreadable(f"{path}:1: the header names the column {twice[0]!r} twice; give one of the two another name")


def _is_data(path: pathlib.Path) -> bool:
    extension = pathlib.Path(path.name.removesuffix(".gz")).suffix.lower()
    return path.is_file() and extension in {*_FORMATS, ".txt"} and "readme" not in path.name.lower()


def _open(path: pathlib.Path):
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _format_of(path: pathlib.Path) -> tuple[str, bool]:
    extension = pathlib.Path(path.name.removesuffix(".gz")).suffix.lower()
    if extension in _FORMATS:
        return _FORMATS[extension], True
    with _open(path) as file:
        line = file.readline()
    if line.startswith("{"):
        return "json_lines", False
    if "\t" in line or "," in line:
        return ("tsv" if line.count("\t") >= line.count(",") else "csv"), False
    raise Unreadable(f"{path}: its first line has neither tabs nor commas nor a JSON object: {line[:80]!r}")


def _columns(path: pathlib.Path, format: str) -> list[str]:
    if format == "parquet":
        return pyarrow.parquet.ParquetFile(path).schema_arrow.names
    if format == "json_lines":
        with _open(path) as file:
            try:
                return sorted({key for line, _ in zip(file, range(100), strict=False) for key in json.loads(line)})
            except (ValueError, TypeError) as error:
                raise Unreadable(f"{path}: holds lines that are no JSON objects: {error}") from error
    raise ValueError(f"{format} has no names of columns here")


def _sample(
    format: str, named: bool, names: tuple[str, ...], headless: bool, given: bool, files: list[pathlib.Path], rows: int
) -> Sample:
    rows = max(1000, min(rows, _MOST_CELLS // max(1, len(names))))
    each = max(1, rows // len(files))
    header = names if headless else None
    frame = pd.concat([_read(file, format, each, header) for file in files[:rows]], ignore_index=True)
    return Sample(tuple(files), format, named, frame, header, given, len(frame) < each)


def _read(path: pathlib.Path, format: str, rows: int, header: tuple[str, ...] | None) -> pd.DataFrame:
    try:
        if format == "parquet":
            batch = next(pyarrow.parquet.ParquetFile(path).iter_batches(rows), None)
            return _texts(batch.to_pandas(integer_object_nulls=True) if batch else pd.DataFrame())
        if format == "json_lines":
            with _open(path) as file:
                return _texts(pd.DataFrame([json.loads(line) for line, _ in zip(file, range(rows), strict=False)]))
        frame = pd.read_csv(
            path,
            sep=_SEPARATORS[format],
            header=0 if header is None else None,
            names=header,
            index_col=False,
            dtype="string",
            keep_default_na=False,
            na_values=[""],
            nrows=rows,
            on_bad_lines="skip",
            encoding_errors="replace",
        )
    except (ValueError, OSError, EOFError) as error:
        raise Unreadable(f"{path}: cannot be read: {error}") from error
    broken = frame.apply(lambda column: column.str.contains("\ufffd", na=False)).any(axis=1).mean()
    if broken > 0.05:
        raise Unreadable(
            f"{path}: {broken:.0%} of its rows are not UTF-8; `iconv -f latin1 -t utf-8` makes them so, if they are "
            "Latin-1"
        )
    return frame


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Values as texts; lists as lists of them."""

    def text(value):
        if isinstance(value, list) or hasattr(value, "tolist"):
            return [str(one) for one in value]
        return pd.NA if value is None or value != value or value == "" else str(value)

    return frame.apply(lambda column: column.map(text).astype(object))
