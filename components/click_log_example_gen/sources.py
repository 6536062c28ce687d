"""The files of a log: found by glob, read in chunks that end at line ends, each line known by its number."""

import contextlib
import csv
import dataclasses
import gzip
import os
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet
import pyarrow_hotfix  # noqa: F401  without it pyarrow 10 runs code that a Parquet file brings along
import tensorflow as tf
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from tfx.dsl.io import fileio

from components.click_log_example_gen.arrow import one_array, to_python
from components.click_log_example_gen.config import Format

CHUNK_BYTES = 16 << 20
LINE_BYTES = 16 << 20  # a line of as many is no row, and the rest of it is passed over, so that memory is bounded
_PARQUET_ROWS = 65536
_BOM = b"\xef\xbb\xbf"
EXTENSIONS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".json": "json_lines",
    ".parquet": "parquet",
}

csv.field_size_limit(1 << 30)


@dataclasses.dataclass(frozen=True)
class Source:
    """One file of a log or of a table.

    Attributes:
      index: its place in the sorted list of files.
      path: where it lies.
      name: how messages and the quarantine call it, relative to the log's folder.
      format: one of "csv", "tsv", "json_lines", "parquet".
      packed: whether it is gzipped.
      size: bytes on disk.
      earlier: whether it belongs to an older span than the newest.
      header: the columns' names, of a file without a header row.
      on_read: called with the bytes of the file that are read so far.
    """

    index: int
    path: str
    name: str
    format: Format
    packed: bool
    size: int
    earlier: bool = False
    header: tuple[str, ...] | None = None
    on_read: Callable[[float], None] | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def delimiter(self) -> str:
        """Of CSV and TSV."""
        return "," if self.format == "csv" else "\t"

    @property
    def unpacked_bytes(self) -> int:
        """About how much text it holds; logs pack to a fifth, and Parquet to a third."""
        return self.size * (5 if self.packed else 3 if self.format == "parquet" else 1)


def find_sources(
    folder: str, pattern: str, format: Format | None, key: str = "data", header: list[str] | None = None
) -> list[Source]:
    """The files that match a glob, sorted by name.

    Raises:
      ValueError: if there is none, a file's format is not known or has no use for ``header``; names the key below
        ``key``, the configuration's section.
    """
    if not fileio.isdir(folder):
        raise ValueError(f"`data.path`: there is no folder {folder!r}")
    try:
        paths = sorted(path for path in fileio.glob(os.path.join(folder, pattern)) if not fileio.isdir(path))
        there = [] if paths else sorted(fileio.listdir(folder))
    except (OSError, tf.errors.OpError, UnicodeDecodeError) as error:
        raise ValueError(f"`data.path`: the folder {folder!r} cannot be read: {error}") from error
    if not paths:
        listed = ", ".join(there[:10]) + (", ..." if len(there) > 10 else "")
        raise ValueError(
            f"`{key}.files`: no file matches {pattern!r} in {folder!r}, which holds: {listed or 'nothing'}"
        )
    names = [os.path.relpath(path, folder) for path in paths]
    found = [
        source_of(i, path, name, format, f"{key}.files")
        for i, (path, name) in enumerate(zip(paths, names, strict=True))
    ]
    if header is None:
        return found
    for source in found:
        if source.format not in ("csv", "tsv"):
            raise ValueError(
                f"`{key}.header`: {source.path!r} is {source.format}, which names its columns; take it out"
            )
    return [dataclasses.replace(source, header=tuple(header)) for source in found]


def source_of(index: int, path: str, name: str, format: Format | None, key: str) -> Source:
    """One file; its format follows from its name unless ``format`` gives it.

    Raises:
      ValueError: the format is unknown or the file is missing; names ``key``, the setting that names the file.
    """
    packed = name.endswith(".gz")
    extension = os.path.splitext(name.removesuffix(".gz"))[1].lower()
    found = format or EXTENSIONS.get(extension)
    if found is None:
        raise ValueError(
            f"`{key}`: the format of {path!r} does not follow from its name; give `format` "
            f"(csv, tsv, json_lines, parquet), or narrow the glob if it is no part of the log"
        )
    if found == "parquet" and packed:
        raise ValueError(f"`{key}`: {path!r}: Parquet packs its columns itself; unpack the .gz")
    try:
        size = FileSystems.match([path])[0].metadata_list[0].size_in_bytes
    except (OSError, BeamIOError, IndexError) as error:
        raise ValueError(f"{path}: is there no more: {error}") from error
    return Source(index, path, name, found, packed, size)


@contextlib.contextmanager
def _reading(source: Source, place: str = ""):
    """Names the file, whatever library says that it cannot be read."""
    try:
        yield
    except (OSError, EOFError, zlib.error, BeamIOError, pa.ArrowException, RuntimeError) as error:
        # pyarrow_hotfix raises RuntimeError, and takes the code apart on the lines below the first.
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{source.path}: cannot be read{place}: {message}") from error


def _open(source: Source):
    with _reading(source):
        return FileSystems.open(source.path, compression_type=CompressionTypes.UNCOMPRESSED)


@dataclasses.dataclass(frozen=True)
class Lines:
    """Whole lines of a text file.

    Attributes:
      data: their bytes, each line ended by a newline.
      first: the first line's number, from 1.
      starts, ends: int64 [lines], each line's text in ``data`` without its line end (\\n or \\r\\n). Of a line that
        is too long, the beginning.
    """

    data: bytes
    first: int
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, data: bytes, first: int) -> "Lines":
        """Finds the lines of ``data``, which ends with a newline."""
        view = np.frombuffer(data, np.uint8)
        newlines = np.flatnonzero(view == 10)
        starts = np.concatenate([[0], newlines[:-1] + 1])
        crlf = (newlines > starts) & (view[np.maximum(newlines - 1, 0)] == 13)
        return cls(data, first, starts, newlines - crlf)

    @property
    def too_long(self) -> np.ndarray:
        """bool [lines], those of `LINE_BYTES` or more; one byte less, for a line end may have stood behind it."""
        return self.ends - self.starts >= LINE_BYTES - 1

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, i: int) -> bytes:
        return self.data[self.starts[i] : self.ends[i]]


def read_lines(source: Source, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Lines]:
    """Reads a text file in chunks of whole lines; a byte order mark is left out.

    Raises:
      ValueError: naming the file and line from which it cannot be read on; if it became shorter since it was found.
    """
    line = 1
    with _open(source) as raw:
        file = gzip.GzipFile(fileobj=raw) if source.packed else raw
        while True:
            with _reading(source, f" on from about line {line}"):
                data = file.read(chunk_bytes)
                data += (rest := file.readline(LINE_BYTES))
                while len(rest) == LINE_BYTES and not rest.endswith(b"\n"):  # too long
                    rest = file.readline(LINE_BYTES)
            if line == 1:
                data = data.removeprefix(_BOM)
            if not data:
                if (size := raw.tell()) < source.size:
                    raise ValueError(
                        f"{source.path}: ends at byte {size}, near line {line}, but had {source.size} bytes when the "
                        "run began: something writes to it; run again when it is whole"
                    )
                return
            lines = Lines.of(data if data.endswith(b"\n") else data + b"\n", line)
            line += len(lines)
            if source.on_read:
                source.on_read(raw.tell())
            yield lines


def read_parquet(source: Source, columns: list[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
    """Reads a Parquet file batch by batch as (number of the batch's first row from 1, table)."""
    with _open(source) as raw:
        with _reading(source):
            file = pyarrow.parquet.ParquetFile(raw)
            batches = file.iter_batches(_PARQUET_ROWS, columns=columns)
        row = 1
        while True:
            with _reading(source, f" on from row {row}"):
                batch = next(batches, None)
                if batch is None:
                    break
                table = pa.table({f.name: _checked(a) for f, a in zip(batch.schema, batch.columns, strict=True)})
            yield row, table
            row += len(batch)
            if source.on_read:
                source.on_read(source.size * (row - 1) / file.metadata.num_rows)
        if row - 1 != file.metadata.num_rows:
            raise ValueError(f"{source.path}: has {row - 1} rows, but its footer says {file.metadata.num_rows}")


def _checked(array: pa.Array) -> pa.Array:
    """A column in which text is UTF-8, which Parquet's readers do not look at; as bytes, if some is not."""
    try:
        array.validate(full=True)
        return array
    except pa.ArrowInvalid:
        return array.cast(_as_bytes(array.type))


def _as_bytes(type: pa.DataType) -> pa.DataType:
    if pa.types.is_string(type) or pa.types.is_large_string(type):
        return pa.large_binary()
    if pa.types.is_list(type) or pa.types.is_large_list(type):
        return pa.large_list(_as_bytes(type.value_type))
    if pa.types.is_dictionary(type):
        return _as_bytes(type.value_type)
    if pa.types.is_struct(type):
        return pa.struct([(field.name, _as_bytes(field.type)) for field in type])
    return type


def parquet_columns(source: Source) -> list[str]:
    """The names of a Parquet file's columns; raises a ValueError if the file cannot be read."""
    with _open(source) as file, _reading(source):
        return pyarrow.parquet.ParquetFile(file).schema_arrow.names


def raw_rows(source: Source, lines: np.ndarray) -> Iterator[bytes]:
    """The raw text of some rows, by sorted line numbers; of a Parquet row, its columns as JSON.

    Raises:
      ValueError: as `read_lines`; if the file does not have all of them any more.
    """
    found = 0
    for first, chunk in read_parquet(source) if source.format == "parquet" else _numbered(source):
        wanted = lines[np.searchsorted(lines, first) : np.searchsorted(lines, first + len(chunk))] - first
        found += len(wanted)
        if isinstance(chunk, Lines):
            yield from (chunk[i][:LINE_BYTES] for i in wanted)
        elif len(wanted):
            rows = chunk.take(wanted)
            values = [to_python(one_array(column)) for column in rows.columns]
            for row in zip(*values, strict=True):
                yield orjson.dumps(dict(zip(rows.column_names, row, strict=True)), default=str)
    if found < len(lines):
        raise ValueError(f"{source.path}: line {lines[found]} was there and is not any more: something writes to it")


def _numbered(source: Source) -> Iterator[tuple[int, Lines]]:
    for lines in read_lines(source):
        yield lines.first, lines
