"""The table of scores by request, in memory and in Parquet.

A file has a row for each request, in row groups of about half a million items:

=====================  ================================================================================
``request``            int64, hash of the request's id (`models.inputs.reading.name_hash`): the join key
``items``              list of int64, hashes of the items' ids
``grades``             list of int32, the label that the model is evaluated by
``positions``          list of int32, places as they were shown; only if the log has them
``scores``             list of float32, of the model
``baseline``           list of float32, of the last blessed model; only if there is a comparable one
``name:<feature>``     the name of the request's category at a level of the path, as in the log
``id:<feature>``       int64, the id of that category; 0 if it is unknown
``category_requests``  int64, requests of the training split in the leaf category
``history``            int64, length of the longest history; only if the log has histories
=====================  ================================================================================
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  without it pyarrow 10 runs code that a Parquet file brings along
from apache_beam.io.filesystems import FileSystems
from tfx.dsl.io import fileio

PATTERN = "scores-*.parquet"
_NAME, _ID = "name:", "id:"
_OF_ITEMS = {
    "items": pa.int64(),
    "grades": pa.int32(),
    "positions": pa.int32(),
    "scores": pa.float32(),
    "baseline": pa.float32(),
}
_OPTIONAL = ("positions", "baseline", "history")


@dataclasses.dataclass(frozen=True)
class RequestScores:
    """R requests of T items in all, request after request.

    Attributes:
      requests: [R] int64, hashes of the requests' ids.
      lengths: [R] number of items of each request.
      items: [T] int64, hashes of the items' ids.
      grades: [T] of the label that the model is evaluated by.
      positions: [T] places as they were shown; None if the log does not have them.
      scores: [T] float32, of the model.
      baseline: [T] float32, of the last blessed model; None without a comparable one.
      levels: L features of the category path, top first.
      names: [R, L] bytes, category names as in the log.
      categories: [R, L] category ids, 0 for an unknown category.
      category_requests: [R] requests of the training split in the leaf category.
      history: [R] length of the longest history; None if the log has no history.
    """

    requests: np.ndarray
    lengths: np.ndarray
    items: np.ndarray
    grades: np.ndarray
    positions: np.ndarray | None
    scores: np.ndarray
    baseline: np.ndarray | None
    levels: tuple[str, ...]
    names: np.ndarray
    categories: np.ndarray
    category_requests: np.ndarray
    history: np.ndarray | None

    @property
    def positive(self) -> np.ndarray:
        """[T] bool, whether the grade is above 0."""
        return self.grades > 0

    @property
    def request_of_item(self) -> np.ndarray:
        """[T] places of the items' requests."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """[T] -> [R] float64, the sum over the items of each request."""
        return np.bincount(self.request_of_item, values, len(self.lengths))

    def take(self, places: np.ndarray) -> "RequestScores":
        """The requests at ``places``, in the order of ``places``."""
        return self._replaced(places, item_places(self.lengths, places))

    def where(self, items: np.ndarray) -> "RequestScores":
        """The same requests with some of their items: those where [T] bool is true."""
        lengths = np.bincount(self.request_of_item[items], minlength=len(self.lengths))
        found = self._replaced(slice(None), np.flatnonzero(items))
        return dataclasses.replace(found, lengths=lengths)

    def _replaced(self, requests, items: np.ndarray) -> "RequestScores":
        found = {name: values for name, values in vars(self).items() if values is not None and name != "levels"}
        return dataclasses.replace(
            self, **{name: values[items if name in _OF_ITEMS else requests] for name, values in found.items()}
        )


def joined(parts: Sequence[RequestScores]) -> RequestScores:
    """The parts as one; all of it is in memory.

    Raises:
      ValueError: without a part.
    """
    if not parts:
        raise ValueError("`parts` must hold at least one part. Received: []")
    first = vars(parts[0])
    arrays = {name for name, values in first.items() if values is not None and name != "levels"}
    return RequestScores(**first | {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays})


def places_of(requests: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of ``wanted`` [W] stands among ``requests`` [R]: [W], -1 for a request that is not there."""
    if not len(requests):
        return np.full(len(wanted), -1)
    order = np.argsort(requests, kind="stable")
    found = order[np.minimum(np.searchsorted(requests, wanted, sorter=order), len(order) - 1)]
    return np.where(requests[found] == wanted, found, -1)


def item_places(lengths: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where the items of the requests at ``places`` stand, if requests of ``lengths`` [R] items follow each other."""
    of_places = lengths[places]
    starts = (np.cumsum(lengths) - lengths)[places]
    return np.repeat(starts - (np.cumsum(of_places) - of_places), of_places) + np.arange(of_places.sum())


def table(scores: RequestScores) -> pa.Table:
    """The rows as Arrow has them, see the head of this module."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(scores.lengths)]), pa.int32())
    columns = {"request": pa.array(scores.requests, pa.int64())}
    for name, dtype in _OF_ITEMS.items():
        if (values := getattr(scores, name)) is not None:
            columns[name] = pa.ListArray.from_arrays(offsets, pa.array(values, dtype))
    for place, level in enumerate(scores.levels):
        columns[_NAME + level] = pa.array(scores.names[:, place], pa.binary())
        columns[_ID + level] = pa.array(scores.categories[:, place], pa.int64())
    columns["category_requests"] = pa.array(scores.category_requests, pa.int64())
    if scores.history is not None:
        columns["history"] = pa.array(scores.history, pa.int64())
    return pa.table(columns)


def read_parts(folder: str) -> Iterator[RequestScores]:
    """The rows of all files of a folder, a row group at a time; the order of files means nothing.

    Raises:
      FileNotFoundError: if no file is there.
    """
    for path in files(folder):
        yield from read_file(path)


def read_file(path: str) -> Iterator[RequestScores]:
    """The rows of a file, a row group at a time."""
    with FileSystems.open(path) as opened:
        names = [name for name in pq.read_schema(opened).names if name.startswith(_NAME)]
        opened.seek(0)
        file = pq.ParquetFile(opened, read_dictionary=names)
        for group in range(file.num_row_groups):
            yield _rows(file.read_row_group(group))


def files(folder: str) -> list[str]:
    """Paths of the files of scores.

    Raises:
      FileNotFoundError: if no file is there.
    """
    if not (paths := sorted(fileio.glob(f"{folder}/{PATTERN}"))):
        raise FileNotFoundError(f"{folder}: there are no scores")
    return paths


def has_baseline(folder: str) -> bool:
    """Whether the last blessed model has scored the requests, too."""
    with FileSystems.open(files(folder)[0]) as opened:
        return "baseline" in pq.read_schema(opened).names


def _rows(rows: pa.Table) -> RequestScores:
    levels = tuple(name.removeprefix(_ID) for name in rows.column_names if name.startswith(_ID))
    found = dict.fromkeys(_OPTIONAL)
    for name in rows.column_names:
        if name in _OF_ITEMS:
            found[name] = _flat(rows[name])
        elif not name.startswith((_NAME, _ID)):
            found["requests" if name == "request" else name] = rows[name].to_numpy()
    return RequestScores(
        **found,
        lengths=np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in rows["items"].chunks] or [[]]).astype(
            np.int64
        ),
        levels=levels,
        names=np.stack([_names(rows[_NAME + level]) for level in levels], axis=1),
        categories=np.stack([rows[_ID + level].to_numpy() for level in levels], axis=1),
    )


def _flat(lists: pa.ChunkedArray) -> np.ndarray:
    return np.concatenate([chunk.flatten().to_numpy() for chunk in lists.chunks] or [np.zeros(0)])


def _names(column: pa.ChunkedArray) -> np.ndarray:
    """[R] bytes; requests of one category share the object."""
    parts = [chunk.dictionary.to_numpy(False)[chunk.indices.to_numpy()] for chunk in column.chunks]
    return np.concatenate(parts or [np.zeros(0, object)])
