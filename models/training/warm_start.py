"""Warm start: a ranker takes over what an earlier one has learnt, by name and token.

Vocabularies change from day to day, and an id with them. So weights are kept together with what their rows stand for:
the token of an embedding, the category of a gate's row, the feature of an input column. A row whose token the earlier
ranker knew starts from that ranker's value; a weight without such rows, if it has the same name and shape. Everything
else starts as it would without [D]. Two kinds of rows have someone to ask [D]:

* A new category's gate starts as its parent's constraint gate, see `CategoryTable`. Without constraint gates it is as
  the next.
* The other embeddings of a new category start from the mean of its siblings' that were taken over.

The state of the optimizer is not taken over. Numbers are scaled by the mean and variance of the new log, to which the
weights have to adapt.
"""

import dataclasses
import io
import json
import os
import re
import zipfile

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.inputs.hierarchy import CategoryHierarchy
from models.layers.routing import CategoryTable
from models.ranker.model import Ranker
from schemas.log_schema import LogSchema

WEIGHTS_FILE = "weights.npz"
_ROWS = "rows of "
# Names that no token has: a vocabulary file's line holds no line break.
_UNKNOWN, _BUCKET = b"\nunknown", b"\nbucket %d of %d"


class WarmStartError(ValueError):
    """Weights that cannot be read; the message names the file."""


def weights_path(serving_model: str) -> str:
    """Where the weights of an exported model lie: beside the SavedModel, which is pushed without them."""
    return os.path.join(os.path.dirname(serving_model.rstrip("/")), WEIGHTS_FILE)


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the rows of a ranker's weights stand for, as names by kind: ``table <name>``, ``level <number>``, ``input``.

    Attributes:
      names: by kind, the name of each row.
      axes: by the weight's name, the kind of each axis that has one.
      parents: by kind of a category level below the top, the row of each row's parent at the level above; 0 for none.
    """

    names: dict[str, list[bytes]]
    axes: dict[str, dict[int, str]]
    parents: dict[str, np.ndarray]


def rows_of(
    ranker: Ranker, schema: LogSchema, transform_output: tft.TFTransformOutput, hierarchy: CategoryHierarchy
) -> Rows:
    """What the rows of a ranker's weights stand for.

    Args:
      ranker: with its variables made.
      schema: of the log.
      transform_output, hierarchy: of the data it is trained on.
    """
    names, parents = {}, {}
    for feature in (*schema.categorical, *schema.histories):
        owner = schema.vocabulary_of(feature)
        buckets = owner.hash_buckets
        names[f"table {owner.name}"] = transform_output.vocabulary_by_name(owner.name) + [
            _BUCKET % (bucket, buckets) for bucket in range(buckets)
        ]
    for number, level in enumerate(hierarchy.levels, start=1):
        names[f"level {number}"] = [_UNKNOWN, *(key.encode("utf-8", "surrogateescape") for key in level.keys)]
        if number > 1:
            parents[f"level {number}"] = level.parent_ids
    items, requests = ([name.encode() for name in columns] for columns in ranker.encoder.columns)
    names |= {"items' input": items, "requests' input": requests, "input": items + requests}
    return Rows(names, _axes(ranker), parents)


def _axes(ranker: Ranker) -> dict[str, dict[int, str]]:
    encoder, axes = ranker.encoder, {}

    def has(variable: tf.Variable, **kinds: str) -> None:
        axes[_name(variable)] = {int(axis.removeprefix("axis_")): kind for axis, kind in kinds.items()}

    for name, table in encoder.tables.items():
        has(table.embeddings, axis_0=f"table {name}")
    for level, table, _ in _category_tables(ranker):
        has(table.embeddings, axis_0=f"level {level}")
    for normalisation, part in zip(encoder.normalisations, ("items'", "requests'"), strict=False):
        for statistic in normalisation.weights:
            has(statistic, axis_0=f"{part} input")
    for cross in encoder.crosses:
        for weight in cross.weights:
            has(weight, **{f"axis_{axis}": "input" for axis in range(len(weight.shape))})
    has(ranker.experts.kernels[0], axis_1="input")
    for gate in ranker.gates:
        for kernel in gate.input_kernels:
            has(kernel, axis_0="input")
    return axes


def _category_tables(ranker: Ranker) -> list[CategoryTable]:
    """The embeddings by category, the encoder's first, of each gate the upper levels first."""
    tables = [CategoryTable(level, table) for level, table in enumerate(ranker.encoder.category_tables, start=1)]
    return tables + [table for gate in ranker.gates for table in gate.category_tables]


def _weights(ranker: Ranker) -> dict[str, tf.Variable]:
    """By name, without the metrics' state."""
    layers = (ranker.encoder, ranker.experts, *ranker.gates, *ranker.position_towers)
    return {_name(weight): weight for layer in layers for weight in layer.weights}


def _name(weight: tf.Variable) -> str:
    # Keras numbers what TensorFlow Recommenders' Cross leaves unnamed, over all models of a process.
    return re.sub(r"/dense_\d+/", "/dense/", weight.name.removeprefix("ranker/").removesuffix(":0"))


def save(ranker: Ranker, rows: Rows, path: str) -> None:
    """Writes the weights and what their rows stand for: numpy arrays by name, packed into one file."""
    arrays = {name: weight.numpy() for name, weight in _weights(ranker).items()}
    for kind, names in rows.names.items():
        # Not as numpy's own strings, which are all as wide as the longest, and lose NULs at the end.
        arrays[_ROWS + kind] = np.frombuffer(json.dumps([name.decode("latin-1") for name in names]).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(packed.getvalue())


def take_over(ranker: Ranker, rows: Rows, path: str) -> dict:
    """Sets the weights of ``ranker`` to those of an earlier one, as far as their names and tokens are the same.

    Args:
      ranker: with its variables made.
      rows: of ``ranker``.
      path: a file that `save` wrote.

    Returns:
      the report: ``weights``, the file; ``rows`` by kind, each with ``taken_over``, ``from_parent`` and ``fresh`` rows;
      ``weights_taken_over``, a number; and ``weights_fresh``, the names of the others with the reason.

    Raises:
      WarmStartError: if the file cannot be read.
    """
    old, old_names = _read(path)
    places = {kind: _places(names, old_names.get(kind, [])) for kind, names in rows.names.items()}
    fresh, taken = {}, set()
    for name, weight in _weights(ranker).items():
        if name not in old:
            fresh[name] = "the earlier ranker has none of this name"
            continue
        value = _with_rows(weight.numpy(), old[name], [places.get(kind) for kind in _kinds(rows, name, weight)])
        if isinstance(value, str):
            fresh[name] = value
        else:
            weight.assign(value)
            taken.add(name)
    from_parent = _from_parents(ranker, rows, places, taken)
    kinds = sorted({kind for name in taken for kind in rows.axes.get(name, {}).values()})
    report = {}
    for kind in kinds:
        known, parent = int((places[kind] >= 0).sum()), len(from_parent.get(kind, ()))
        report[kind] = {"taken_over": known, "from_parent": parent, "fresh": len(places[kind]) - known - parent}
    return {"weights": path, "rows": report, "weights_taken_over": len(taken), "weights_fresh": fresh}


def summary(report: dict) -> str:
    """One line of what `take_over` reports."""
    parts = [f"{report['weights_taken_over']} of {report['weights_taken_over'] + len(report['weights_fresh'])} weights"]
    for kind, rows in report["rows"].items():
        new = [
            f"{rows[key]:,} {words}" for key, words in (("from_parent", "from parents"), ("fresh", "new")) if rows[key]
        ]
        if new and kind.startswith(("table", "level")):
            parts.append(f"{kind} {rows['taken_over']:,} rows, {', '.join(new)}")
    return "; ".join(parts)


def _kinds(rows: Rows, name: str, weight: tf.Variable) -> list[str | None]:
    axes = rows.axes.get(name, {})
    return [axes.get(axis) for axis in range(len(weight.shape))]


def _read(path: str) -> tuple[dict[str, np.ndarray], dict[str, list[bytes]]]:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            arrays = dict(np.load(io.BytesIO(file.read()), allow_pickle=False))
        names = {
            key.removeprefix(_ROWS): [name.encode("latin-1") for name in json.loads(arrays.pop(key).tobytes())]
            for key in list(arrays)
            if key.startswith(_ROWS)
        }
    except (tf.errors.OpError, zipfile.BadZipFile, ValueError, EOFError) as error:
        raise WarmStartError(
            f"{path}: the weights of the model to start from cannot be read ({error}). Without "
            "`train.warm_start` the ranker is trained from the beginning"
        ) from error
    return arrays, names


def _places(names: list[bytes], old: list[bytes]) -> np.ndarray:
    """[rows] int64, where each name stands among the old ones; -1 for one that is new."""
    place = {name: row for row, name in enumerate(old)}
    return np.array([place.get(name, -1) for name in names], np.int64)


def _with_rows(value: np.ndarray, old: np.ndarray, places: list[np.ndarray | None]) -> np.ndarray | str:
    """``value`` with the old values where all axes know the row; or why there is none."""
    sizes = [None if place is not None else size for size, place in zip(value.shape, places, strict=True)]
    if old.ndim != value.ndim or any(size not in (None, of) for size, of in zip(sizes, old.shape, strict=True)):
        return f"its shape was {list(old.shape)} and is {list(value.shape)}"
    to, start = [], []
    for size, place in zip(value.shape, places, strict=True):
        known = np.arange(size) if place is None else np.flatnonzero(place >= 0)
        to.append(known)
        start.append(known if place is None else place[known])
    if not to:  # a scalar has no rows
        return old
    value = value.copy()
    value[np.ix_(*to)] = old[np.ix_(*start)]
    return value


def _from_parents(ranker: Ranker, rows: Rows, places: dict[str, np.ndarray], taken: set[str]) -> dict[str, set[int]]:
    """Starts new categories from their parents, top first; gives the rows of each level that could be."""
    started: dict[str, set[int]] = {}
    for level, table, like_parents in _category_tables(ranker):
        kind, above = f"level {level}", f"level {level - 1}"
        if kind not in rows.parents or _name(table.embeddings) not in taken:
            continue
        value, parents = table.embeddings.numpy(), rows.parents[kind]
        if like_parents:
            learnt = places[above] >= 0
            learnt[list(started.get(above, ()))] = True
            learnt[0] = False
            new = np.flatnonzero((places[kind] < 0) & learnt[parents])
            value[new] = like_parents(parents[new])
        else:
            value, new = _means_of_siblings(value, places[kind], parents)
        table.embeddings.assign(value)
        started.setdefault(kind, set()).update(new)
    return started


def _means_of_siblings(value: np.ndarray, place: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``value`` [rows, width] with each new row the mean of its parent's rows that are not new; which these are."""
    known = (place >= 0) & (parents > 0)
    count = np.bincount(parents[known], minlength=parents.max(initial=0) + 1)
    total = np.zeros((len(count), value.shape[1]))
    np.add.at(total, parents[known], value[known])
    new = np.flatnonzero((place < 0) & (count[parents] > 0))
    value = value.copy()
    value[new] = total[parents[new]] / count[parents[new], np.newaxis]
    return value, new
