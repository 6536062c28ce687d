"""The category hierarchy: its files, the class they are read into, and the lookup of category ids.

Each level of the tree has a vocabulary. **The id of a key is its line number in the vocabulary file, from 1;
0 is unknown** (never seen, empty, or too rare). Lines are ordered by requests descending, then by key (code point).

A level's key is the category's name, and a child seen under two parents belongs to the parent with most requests
(``conflicts: majority``); or, below the top, the whole path joined with " > ", so that such a child becomes two
nodes (``conflicts: split``).

The artifact's folder:

==================  ===================================================================================
``level_1.txt`` ..  one key a line, UTF-8, top level first
``hierarchy.json``  ``conflicts``, ``min_count``; per level its ``feature`` and, in the order of the lines,
                    ``counts`` (requests) and ``parents`` (id at the level above, 0 for none)
``report.json``     what was odd in the log: see `models.inputs.hierarchy_report`
==================  ===================================================================================
"""

import dataclasses
import functools
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.inputs import hierarchy_report

SEPARATOR = " > "
Conflicts = Literal["majority", "split"]

_HIERARCHY_FILE = "hierarchy.json"
_REPORT_FILE = "report.json"


class HierarchyError(ValueError):
    """A hierarchy that cannot be built or read."""


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of the tree; the three tuples are aligned, the entry at index i belongs to id i + 1.

    Attributes:
      feature: the request feature that holds the names.
      keys: names, or paths if ``conflicts`` is split; bytes that are no UTF-8 stand as surrogate escapes.
      counts: requests of the category in the log that was counted.
      parents: ids at the level above; 0 at the top and where no parent is known.
      vocabulary_path: the file of the keys; empty until the hierarchy is written.
    """

    feature: str
    keys: tuple[str, ...]
    counts: tuple[int, ...]
    parents: tuple[int, ...]
    vocabulary_path: str = ""

    @functools.cached_property
    def parent_ids(self) -> np.ndarray:
        """int64 [1 + keys]: the parent's id at the index of the child's; 0 at index 0, for unknown."""
        return np.array([0, *self.parents], np.int64)


@dataclasses.dataclass(frozen=True)
class CategoryHierarchy:
    """A tree of categories. Made by `build_hierarchy` and `read_hierarchy`.

    Attributes:
      levels: top first.
      conflicts: "majority" or "split".
      min_count: how many requests a category needs to be known.
      report: what was odd in the log, see `models.inputs.hierarchy_report`.
    """

    levels: tuple[Level, ...]
    conflicts: Conflicts
    min_count: int
    report: Mapping[str, Any]

    @property
    def depth(self) -> int:
        """L, the number of levels."""
        return len(self.levels)

    def size(self, level: int) -> int:
        """How many ids ``levels[level]`` has, 0 for unknown included: the rows of its embedding table."""
        return len(self.levels[level].keys) + 1


def build_hierarchy(
    path_counts: Mapping[tuple[str | bytes, ...], int],
    features: Sequence[str],
    min_count: int = 1,
    conflicts: Conflicts = "majority",
) -> CategoryHierarchy:
    """Builds the tree from how many requests each full category path has.

    A key is known if it has at least ``min_count`` requests and its name is neither empty nor holds a line break
    (a vocabulary file cannot hold one). A child's parent is the known one it has most requests under, ties to the
    smaller key. The result does not depend on the order of ``path_counts``.

    Args:
      path_counts: requests by path, one name a level, top first; "" where the request has none.
      features: the request features of the levels, top first.
      min_count: requests that a category needs.
      conflicts: see the module's description.

    Raises:
      HierarchyError: if no category is known at any level.
    """
    paths = Counter()
    for path, count in path_counts.items():
        if len(path) != len(features):
            raise ValueError(f"A path must have {len(features)} names, one a level. Received: {path!r}")
        paths[tuple(_text(name) for name in path)] += count

    levels, ids_above = [], {}
    report = {"requests": paths.total(), "conflicts": [], "orphans": [], "dropped": []}
    for depth, feature in enumerate(features, start=1):
        counts, empty, line_breaks = Counter(), Counter(), Counter()
        parents = defaultdict(Counter)  # key -> parent's key -> requests
        nodes = defaultdict(set)  # name -> its keys
        for path, count in paths.items():
            name, key = path[depth - 1], _key(path[:depth], conflicts)
            if not name:
                empty[name] += count
            elif "\n" in key or "\r" in key:
                line_breaks[key] += count
            else:
                counts[key] += count
                nodes[name].add(key)
                if depth > 1:
                    # An empty name is nobody's parent, whatever the rule makes of its path.
                    parents[key][_key(path[: depth - 1], conflicts) if path[depth - 2] else ""] += count
        keys = sorted((key for key in counts if counts[key] >= min_count), key=lambda key: (-counts[key], key))
        parent_ids = [_parent(parents[key], ids_above) for key in keys]
        ids = {key: line for line, key in enumerate(keys, start=1)}
        levels.append(Level(feature, tuple(keys), tuple(counts[key] for key in keys), tuple(i for i, _ in parent_ids)))
        rare = Counter({key: count for key, count in counts.items() if key not in ids})
        report["dropped"] += [
            {"level": depth, "reason": reason, **hierarchy_report.names(found)}
            for reason, found in (("empty", empty), ("line break", line_breaks), ("below min_count", rare))
        ]
        if depth > 1:
            choices = {key: name for key, (_, name) in zip(keys, parent_ids, strict=True)}
            report["conflicts"] += hierarchy_report.conflicts(depth, nodes, parents, choices)
            report["orphans"] += hierarchy_report.orphans(depth, parents, choices)
        ids_above = ids
    if not any(level.keys for level in levels):
        raise HierarchyError(
            f"no category is known: of {paths.total():,} requests none has a name in {', '.join(features)} "
            f"that stands in at least min_count={min_count} requests. "
            "Look at the columns that these features are read from, or lower `hierarchy.min_count`"
        )
    report["conflicts"] = hierarchy_report.capped(report["conflicts"])
    report["orphans"] = hierarchy_report.capped(report["orphans"])
    report["cycles"] = hierarchy_report.capped(hierarchy_report.cycles(paths))
    return CategoryHierarchy(tuple(levels), conflicts, min_count, report)


def write_hierarchy(hierarchy: CategoryHierarchy, path: str) -> CategoryHierarchy:
    """Writes the artifact's files into the folder ``path`` and returns the hierarchy with their paths."""
    tf.io.gfile.makedirs(path)
    for number, level in enumerate(hierarchy.levels, start=1):
        lines = "".join(f"{key}\n" for key in level.keys)
        _write(os.path.join(path, _vocabulary_file(number)), lines.encode("utf-8", "surrogateescape"))
    content = {
        "conflicts": hierarchy.conflicts,
        "min_count": hierarchy.min_count,
        "levels": [
            {"feature": level.feature, "counts": level.counts, "parents": level.parents} for level in hierarchy.levels
        ],
    }
    _write(os.path.join(path, _HIERARCHY_FILE), _json(content))
    _write(os.path.join(path, _REPORT_FILE), _json(hierarchy.report, indent=2))
    return read_hierarchy(path)


def read_hierarchy(path: str) -> CategoryHierarchy:
    """Reads the artifact's files from the folder ``path``.

    Raises:
      HierarchyError: naming the file, if one is missing or they do not fit each other.
    """
    content = _read_json(os.path.join(path, _HIERARCHY_FILE))
    levels = []
    for number, entry in enumerate(content["levels"], start=1):
        vocabulary = os.path.join(path, _vocabulary_file(number))
        # Not splitlines(): it would also cut at a form feed or U+2028, which a name may hold.
        keys = _read(vocabulary).decode("utf-8", "surrogateescape").split("\n")[:-1]
        if not len(keys) == len(entry["counts"]) == len(entry["parents"]):
            raise HierarchyError(
                f"{vocabulary}: holds {len(keys)} keys, but {_HIERARCHY_FILE} beside it has "
                f"{len(entry['counts'])} counts and {len(entry['parents'])} parents for level {number}. "
                "Run CategoryHierarchyGen again"
            )
        levels.append(Level(entry["feature"], tuple(keys), tuple(entry["counts"]), tuple(entry["parents"]), vocabulary))
    report = _read_json(os.path.join(path, _REPORT_FILE))
    return CategoryHierarchy(tuple(levels), content["conflicts"], content["min_count"], report)


def hierarchy_folder(transform_graph: str) -> str:
    """Where a transform graph keeps the hierarchy that it looks categories up in."""
    return os.path.join(transform_graph, "category_hierarchy")


def asset_name(level: int) -> str:
    """The name of a level's vocabulary among a Transform graph's assets, for `tft.TFTransformOutput`."""
    return f"category_level_{level}"


def lookup(hierarchy: CategoryHierarchy, paths: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Looks up the ids of category paths; the vocabularies become assets of the graph it is called in.

    Each level's name is looked up; then the path is made one of the tree, from the leaf up: where a level's id is
    known its parent is the tree's, whatever the request says; where it is not, the level above is the request's own.

    Args:
      hierarchy: as read from its files.
      paths: string [B] a level, top first; "" for none.

    Returns:
      int64 [B] a level, top first; 0 for unknown.
    """
    if len(paths) != hierarchy.depth:
        raise ValueError(f"`paths` must have one tensor a level, depth={hierarchy.depth}. Received: {len(paths)}")
    return as_path(hierarchy, [_own_ids(hierarchy, number, paths) for number in range(1, hierarchy.depth + 1)])


def as_path(hierarchy: CategoryHierarchy, ids: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Ids of each level, int64 [B], made a path of the tree: the parent of a known id is the tree's."""
    ids = list(ids)
    for index in range(hierarchy.depth - 1, 0, -1):
        parents = tf.gather(tf.constant(hierarchy.levels[index].parent_ids), ids[index])
        ids[index - 1] = tf.where(ids[index] > 0, parents, ids[index - 1])
    return ids


def path_names(hierarchy: CategoryHierarchy, level: int) -> list[str]:
    """The names of ``levels[level]`` with those above them, joined by `SEPARATOR`; that of id i at index i - 1."""
    of_level = hierarchy.levels[level]
    if level == 0 or hierarchy.conflicts == "split":  # a key is the path then
        return list(of_level.keys)
    above = ["", *(f"{name}{SEPARATOR}" for name in path_names(hierarchy, level - 1))]
    return [above[parent] + key for key, parent in zip(of_level.keys, of_level.parents, strict=True)]


def _own_ids(hierarchy: CategoryHierarchy, number: int, paths: Sequence[tf.Tensor]) -> tf.Tensor:
    """The ids of the names themselves at level ``number``: int64 [B]."""
    level, names = hierarchy.levels[number - 1], paths[number - 1]
    if not level.keys:  # A lookup table cannot be made from an empty file.
        return tf.zeros_like(names, tf.int64)
    split = hierarchy.conflicts == "split" and number > 1
    keys = tf.strings.join(paths[:number], SEPARATOR) if split else names
    ids = 1 + tft.apply_vocabulary(keys, level.vocabulary_path, default_value=-1, name=asset_name(number))
    tft.annotate_asset(asset_name(number), os.path.basename(level.vocabulary_path))
    return tf.where(names == "", tf.zeros_like(ids), ids)


def _key(path: tuple[str, ...], conflicts: Conflicts) -> str:
    return SEPARATOR.join(path) if conflicts == "split" else path[-1]


def _parent(parents: Mapping[str, int], ids_above: Mapping[str, int]) -> tuple[int, str | None]:
    """The id and key of the known parent with most requests, ties to the smaller key; (0, None) if none is known."""
    known = [(-count, key) for key, count in parents.items() if key in ids_above]
    if not known:
        return 0, None
    key = min(known)[1]
    return ids_above[key], key


def _text(name: str | bytes) -> str:
    """Text whose order is that of code points and that encodes to the same bytes again, valid UTF-8 or not."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def _vocabulary_file(level: int) -> str:
    return f"level_{level}.txt"


def _json(content: Any, indent: int | None = None) -> bytes:
    # backslashreplace writes a byte that is no UTF-8 as the JSON escape of its surrogate, and nothing else.
    return json.dumps(content, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace") + b"\n"


def _write(path: str, content: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)


def _read_json(path: str) -> dict[str, Any]:
    try:
        return json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise HierarchyError(f"{path}: is no JSON ({error}). Run CategoryHierarchyGen again") from error


def _read(path: str) -> bytes:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise HierarchyError(
            f"{path}: cannot be read ({error.message}). A category hierarchy's folder is an output of "
            "CategoryHierarchyGen; run it again if it was moved or cut"
        ) from error
