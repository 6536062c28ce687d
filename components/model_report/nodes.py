"""The category tree as a list of nodes, and which of them each request is in."""

import dataclasses

import numpy as np

from models.inputs.hierarchy import SEPARATOR, CategoryHierarchy

UNKNOWN = "(unknown)"


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the tree, or the requests of a known parent, or of the top, whose category is unknown.

    Attributes:
      name: without its path.
      level: from 1.
      parent: its place in the list; None at the top, and for a category whose parent is unknown.
      path: ids of the category path, 0 below the node.
      requests: of the training split.
    """

    name: str
    level: int
    parent: int | None
    path: tuple[int, ...]
    requests: int


def list_nodes(hierarchy: CategoryHierarchy, categories: np.ndarray) -> tuple[list[Node], np.ndarray]:
    """Lists the tree, parents before their children and these in order of traffic, the unknown ones last.

    Args:
      hierarchy: of the training split.
      categories: [R, L] ids of the category paths of requests. An unknown category gets a node if it has one of them.

    Returns:
      the nodes, and [R, L] the place of each request's node at each level, -1 where it is in none.
    """
    depth = hierarchy.depth
    children: dict[
        tuple[int, int], list[int]
    ] = {}  # of (level from 0, id at the level above); ids rise as traffic falls
    for level, of_level in enumerate(hierarchy.levels):
        for child, parent in enumerate(of_level.parents, start=1):
            children.setdefault((level, parent), []).append(child)
    for level in range(depth):
        # Below an unknown category there is nothing to tell apart.
        above = categories[:, level - 1] if level else None
        unknown = categories[:, level] == 0
        for parent in [0] if level == 0 else np.unique(above[unknown & (above > 0)]).tolist():
            if level or unknown.any():
                children.setdefault((level, parent), []).append(0)
    nodes: list[Node] = []
    left = [_left(hierarchy, level) for level in range(depth)]
    places = [np.full(hierarchy.size(level), -1) for level in range(depth)]
    unknown_under = [np.full(hierarchy.size(level - 1) if level else 1, -1) for level in range(depth)]

    def add(level: int, own: int, above: tuple[int, ...], parent: int | None) -> None:
        path = (*above, own)
        of_level = hierarchy.levels[level]
        requests = of_level.counts[own - 1] if own else int(left[level][above[-1] if above else 0])
        name = _shown(of_level.keys[own - 1], hierarchy.conflicts == "split", above, hierarchy) if own else UNKNOWN
        place = len(nodes)
        nodes.append(Node(name, level + 1, parent, path + (0,) * (depth - level - 1), requests))
        if own:
            places[level][own] = place
        else:
            unknown_under[level][above[-1] if above else 0] = place
        if own and level + 1 < depth:
            for child in children.get((level + 1, own), ()):
                add(level + 1, child, path, place)

    for level in range(depth):
        for orphan in children.get((level, 0), ()):
            if orphan or level == 0:
                add(level, orphan, (0,) * level, None)
    of_requests = np.empty_like(categories)
    for level in range(depth):
        ids, above = categories[:, level], categories[:, level - 1] if level else np.zeros(len(categories), np.int64)
        of_requests[:, level] = np.where(ids > 0, places[level][ids], unknown_under[level][above])
    return nodes, of_requests


def _left(hierarchy: CategoryHierarchy, level: int) -> np.ndarray:
    """By id of the level above, how many of its training requests are in none of its known children."""
    of_level = hierarchy.levels[level]
    if not level:
        return np.array([max(0, hierarchy.report["requests"] - sum(of_level.counts))])
    whole = np.array([0, *hierarchy.levels[level - 1].counts])
    known = np.bincount(np.array(of_level.parents, np.int64), of_level.counts, len(whole))
    return np.maximum(whole - known, 0)


def _shown(key: str, split: bool, above: tuple[int, ...], hierarchy: CategoryHierarchy) -> str:
    """A category's name; bytes that are no UTF-8, which JSON cannot hold, become escapes."""
    if split and above and above[-1]:
        key = key.removeprefix(hierarchy.levels[len(above) - 1].keys[above[-1] - 1] + SEPARATOR)
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
