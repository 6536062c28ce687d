"""A shuffle by way of files: tables wait on disk and Beam carries their places, so memory does not follow the log."""

import os
import uuid
from collections.abc import Iterable, Iterator

import pyarrow as pa
from tfx.dsl.io import fileio

from components.click_log_example_gen.packing import pack, unpack

Piece = tuple[str, int, int]  # path, first byte, bytes: where a table lies


class Spill:
    """Appends tables to one file of its own, which is made with the first; to be read when it is closed.

    Args:
      folder: a directory that all workers see.
    """

    def __init__(self, folder: str):
        self._path = os.path.join(folder, f"{uuid.uuid4().hex}.spill")
        self._file, self._size = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()

    def write(self, table: pa.Table) -> Piece:
        """Writes a table; returns its place."""
        if self._file is None:
            self._file = fileio.open(self._path, "wb")
        data, first = pack(table), self._size
        self._file.write(data)
        self._size += len(data)
        return self._path, first, len(data)


def read_pieces(pieces: Iterable[Piece]) -> Iterator[pa.Table]:
    """The tables at some places, file by file in the order in which they were written."""
    file, path = None, None
    try:
        for name, first, size in sorted(pieces):
            if name != path:
                if file is not None:
                    file.close()
                file, path = fileio.open(name, "rb"), name
            file.seek(first)
            yield unpack(file.read(size))
    finally:
        if file is not None:
            file.close()
