"""The embedding projector's files: gates and embeddings as points, with the names of what they stand for.

TensorBoard reads ``projector_config.pbtxt`` and, for each set of points, two files of tab-separated values beside it.
"""

import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from common.escaping import one_line
from models.inputs.hierarchy import CategoryHierarchy, as_path, path_names
from models.ranker.model import Ranker
from models.training.warm_start import Rows
from schemas.log_schema import LogSchema

# Of each level, those of most traffic. TensorBoard asks for the first 100,000 points of a set: where the levels that
# route have more together, the file holds them all, and the last of the lower levels are not shown.
_CATEGORIES = 100_000
_ITEMS = 10_000  # the most frequent
_OF_CATEGORIES = ("category", "level", "top category", "training requests")


def write_projector(ranker: Ranker, rows: Rows, schema: LogSchema, hierarchy: CategoryHierarchy, folder: str) -> None:
    """Writes what the projector shows of a trained ranker.

    * ``gates of <label>``: the weights of the experts, [C, N], for the categories of the levels that route, of each
      level the 100,000 of most traffic, the upper levels first; of a gate that sees behaviours those of a user without
      any. MMoE's gates see items and have none.
    * ``leaf categories``: the embeddings of the 100,000 of most traffic in the experts' input.
    * ``items``: the embeddings of the 10,000 most frequent, if the item's id is a feature.

    Args:
      ranker: as it was trained, of one device.
      rows: of `models.training.warm_start.rows_of`.
      schema: of the log.
      hierarchy: of the data it was trained on.
      folder: where to.
    """
    tf.io.gfile.makedirs(folder)
    config = projector.ProjectorConfig()

    def write(name: str, vectors: np.ndarray, columns: Sequence[str], metadata: Iterator[tuple]) -> None:
        entry = config.embeddings.add()
        file = f"points_{len(config.embeddings)}"
        entry.tensor_name, entry.tensor_path, entry.metadata_path = name, f"{file}.tsv", f"{file}_names.tsv"
        entry.tensor_shape.extend(vectors.shape)
        row = "\t".join(["%.6g"] * vectors.shape[1])
        _write(os.path.join(folder, entry.tensor_path), (row % tuple(values) for values in vectors.tolist()))
        row = "\t".join(["%s"] * len(columns))
        lines = (row % (one_line(name), *others) for name, *others in (columns, *metadata))
        _write(os.path.join(folder, entry.metadata_path), lines)

    names = [path_names(hierarchy, level) for level in range(hierarchy.depth)]
    leaf = hierarchy.depth - 1
    for label, gate in zip(ranker.labels, ranker.gates, strict=False):  # one tower has no gate
        if not gate.levels:
            continue
        found = [_paths(hierarchy, level) for level in gate.levels]
        vectors = np.concatenate([gate.category_vectors(paths.T) for paths in found])
        metadata = itertools.chain.from_iterable(
            _categories(hierarchy, names, level, paths) for level, paths in zip(gate.levels, found, strict=True)
        )
        write(f"gates of {label.name}", vectors, _OF_CATEGORIES, metadata)
    paths = _paths(hierarchy, leaf)
    table = ranker.encoder.category_tables[-1].embeddings.numpy()
    write("leaf categories", table[paths[leaf]], _OF_CATEGORIES, _categories(hierarchy, names, leaf, paths))
    if schema.item_id in schema.categorical:
        owner = schema.vocabulary_of(schema.item_id)
        count = min(_ITEMS, ranker.inputs.table_sizes[owner.name] - owner.hash_buckets)
        items = (name.decode("utf-8", "surrogateescape") for name in rows.names[f"table {owner.name}"][:count])
        vectors = ranker.encoder.tables[owner.name].embeddings.numpy()[:count]
        write("items", vectors, ("item", "place by frequency"), [(name, place) for place, name in enumerate(items, 1)])
    projector.visualize_embeddings(folder, config)


def _paths(hierarchy: CategoryHierarchy, level: int) -> np.ndarray:
    """[L, C], the ids of the paths of the categories of a level, in order of traffic; 0 below it."""
    ids = tf.range(1, min(hierarchy.size(level), _CATEGORIES + 1), dtype=tf.int64)
    path = [ids if place == level else tf.zeros_like(ids) for place in range(hierarchy.depth)]
    return np.stack([of_level.numpy() for of_level in as_path(hierarchy, path)])


def _categories(hierarchy: CategoryHierarchy, names: list[list[str]], level: int, paths: np.ndarray) -> Iterator[tuple]:
    """What is said of each category of `_paths`: `_OF_CATEGORIES`."""
    counts = hierarchy.levels[level].counts
    for own, top in zip(paths[level].tolist(), paths[0].tolist(), strict=True):
        yield names[level][own - 1], level + 1, one_line(names[0][top - 1]) if top else "(unknown)", counts[own - 1]


def _write(path: str, lines: Iterator[str]) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
