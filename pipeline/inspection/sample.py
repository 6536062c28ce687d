"""The head of a log, file by file, as texts: what its schema is guessed from."""

import collections
import dataclasses
import gzip
import json
import pathlib

import pandas as pd
import pyarrow.parquet

_FORMATS = {".csv": "csv", ".tsv": "tsv", ".json": "json_lines", ".jsonl": "json_lines", ".parquet": "parquet"}
_SEPARATORS = {"csv": ",", "tsv": "\t"}


class Unreadable(ValueError):
    """A file that no schema can be guessed from; the message names it and the remedy."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of each of the files that have the same columns.

    Attributes:
      files: sorted by name.
      format: csv, tsv, json_lines or parquet.
      named: whether the format follows from the files' names.
      rows: texts, pandas' NA where the file has nothing; lists of texts in columns that are lists in the file.
    """

    files: tuple[pathlib.Path, ...]
    format: str
    named: bool
    rows: pd.DataFrame

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


def read_samples(log: pathlib.Path, rows: int) -> list[Sample]:
    """Samples of a file, or of a folder's files by their columns; the one with the most bytes first.

    Args:
      log: a file or a folder.
      rows: about so many of each group of files.

    Raises:
      Unreadable: if there is no file, or a file is no log.
    """
    files = [log] if log.is_file() else sorted(path for path in log.glob("*") if _is_data(path))
    if not files:
        raise Unreadable(f"{log}: holds no file .csv, .tsv, .json, .jsonl (also with .gz), .parquet or .txt")
    groups = collections.defaultdict(list)
    for file in files:
        format, named = _format_of(file)
        groups[format, named, tuple(_columns(file, format))].append(file)
    found = [_sample(format, named, files, rows) for (format, named, _), files in groups.items()]
    return sorted(found, key=lambda sample: -sum(file.stat().st_size for file in sample.files))


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
    try:
        names = list(pd.read_csv(path, sep=_SEPARATORS[format], nrows=0, dtype=str, encoding_errors="replace").columns)
    except (ValueError, OSError, EOFError) as error:
        raise Unreadable(f"{path}: cannot be read: {error}") from error
    if any(_is_number(name.partition(".")[0]) for name in names):
        raise Unreadable(
            f"{path}:1: the first line must name the columns. It holds values: {', '.join(map(repr, names[:4]))}, ..."
        )
    return names


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdigit()


def _sample(format: str, named: bool, files: list[pathlib.Path], rows: int) -> Sample:
    each = max(1, rows // len(files))
    frame = pd.concat([_read(file, format, each) for file in files[:rows]], ignore_index=True)
    return Sample(tuple(files), format, named, frame)


def _read(path: pathlib.Path, format: str, rows: int) -> pd.DataFrame:
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
            dtype="string",
            keep_default_na=False,
            na_values=[""],
            nrows=rows,
            on_bad_lines="skip",
            encoding_errors="replace",
        )
    except (ValueError, OSError, EOFError) as error:
        raise Unreadable(f"{path}: cannot be read: {error}") from error
    return frame


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Values as texts; lists as lists of them."""

    def text(value):
        if isinstance(value, list) or hasattr(value, "tolist"):
            return [str(one) for one in value]
        return pd.NA if value is None or value != value or value == "" else str(value)

    return frame.apply(lambda column: column.map(text).astype(object))
