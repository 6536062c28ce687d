"""The parts of the test split that variants are compared in."""

from collections.abc import Callable

import numpy as np

from common.escaping import one_line
from models.inputs.hierarchy import CategoryHierarchy
from pipeline.ablation.members import MemberScores

UNKNOWN = "(unknown)"
_HISTORY_LENGTHS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0": lambda length: length == 0,
    "1-2": lambda length: (length >= 1) & (length <= 2),
    "3-9": lambda length: (length >= 3) & (length <= 9),
    "10 or more": lambda length: length >= 10,
    "at most 2": lambda length: length <= 2,
    "at most 5": lambda length: length <= 5,
}


def slices(scores: MemberScores, hierarchy: CategoryHierarchy) -> dict[str, dict[str, np.ndarray]]:
    """Which requests are in which slice.

    * ``top category``: by name, most training requests first, then the unknown one.
    * ``size of leaf category``: the known leaves in thirds by rank of their training requests, then the unknown one.
    * ``length of history``: buckets, and the long tail of users with at most 2 and at most 5; not if the log has none.

    Args:
      scores: of any member.
      hierarchy: of the training split.

    Returns:
      {dimension: {slice: [R] bool}}; slices without a request are left out.
    """
    top_names = [*(one_line(key) for key in hierarchy.levels[0].keys), UNKNOWN]
    parts = {
        "top category": {name: scores.top == (i + 1) % len(top_names) for i, name in enumerate(top_names)},
        "size of leaf category": _by_size(scores.leaf, hierarchy.levels[-1].counts),
    }
    if scores.history is not None:
        parts["length of history"] = {name: holds(scores.history) for name, holds in _HISTORY_LENGTHS.items()}
    return {dimension: {name: mask for name, mask in masks.items() if mask.any()} for dimension, masks in parts.items()}


def _by_size(leaf: np.ndarray, counts: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Thirds of the leaves; ids fall with the training requests, so they are the ranks."""
    third = (leaf - 1) * 3 // max(1, len(counts))
    masks = {}
    for place, name in enumerate(("largest", "middle", "smallest")):
        inside = [count for rank, count in enumerate(counts) if rank * 3 // len(counts) == place]
        if inside:
            range_ = f"{min(inside):,} to {max(inside):,} requests in the training split"
            masks[f"{name} third: {range_}"] = (leaf > 0) & (third == place)
    return masks | {UNKNOWN: leaf == 0}
