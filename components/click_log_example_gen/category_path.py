"""The category path of a request: from its own columns, one column, or its items; and the shelf of each item."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.click_log_example_gen.arrow import TEXT, codes_of, one_array
from components.click_log_example_gen.convert import UNIT, split_lists
from components.click_log_example_gen.plan import PATH, Plan


def with_category_path(plan: Plan, request: pa.Table, item: pa.Table, owner: np.ndarray) -> pa.Table:
    """The requests with the levels of the category path; a level below the last known one repeats it.

    Args:
      plan: the configuration and the schema.
      request: one row a request.
      item: one row an item.
      owner: int64 [items], the request of each item.
    """
    names = [feature.name for feature in plan.schema.categories]
    if plan.candidates:
        levels = _path_of_candidates(plan, len(request), item, owner)
    elif PATH in request.column_names:
        levels = _levels(request[PATH], plan.data.category_path.separator, len(names))
    else:
        levels = [one_array(request[name]) for name in names]
        request = request.drop(names)
    if plan.data.negatives:
        depth = plan.negatives_level
        levels[depth:] = [pa.nulls(len(request), TEXT)] * (len(levels) - depth)
    for name, level in zip(names, _downwards(levels), strict=True):
        request = request.append_column(name, level)
    return request


def shelves_of(plan: Plan, request: pa.Table, item: pa.Table, owner: np.ndarray) -> pa.Array:
    """The shelf of each item: where it is known of the item itself, its own, and else its request's.

    Args:
      plan, request, item, owner: as of `with_category_path`, which made ``request``.
    """
    depth = plan.negatives_level
    if names := plan.candidates[:depth]:
        levels = [one_array(item[name]) for name in names]
    else:
        names = [feature.name for feature in plan.schema.categories[:depth]]
        levels = [one_array(request[name]).take(pa.array(owner)) for name in names]
    return pc.binary_join_element_wise(*_downwards(levels), pa.scalar(UNIT, TEXT))


def _path_of_candidates(plan: Plan, requests: int, item: pa.Table, owner: np.ndarray) -> list[pa.Array]:
    """The most frequent path among each request's items, unknown ones aside; ties to the smaller name."""
    columns = [pc.fill_null(one_array(item[name]), "") for name in plan.candidates]
    codes, paths = codes_of(pc.binary_join_element_wise(*columns, pa.scalar(UNIT, TEXT)))
    rank = np.empty(len(paths), np.int64)
    by_name = pc.sort_indices(paths).to_numpy()
    rank[by_name] = np.arange(len(paths))
    known = np.array([bool(path.strip(UNIT)) for path in paths.to_pylist()], bool)[codes]
    keys, counts = np.unique(owner[known] * max(1, len(paths)) + rank[codes[known]], return_counts=True)
    request, path = keys // max(1, len(paths)), keys % max(1, len(paths))
    best = np.lexsort((path, -counts, request))
    best = best[np.flatnonzero(np.diff(request[best], prepend=-1))]
    chosen = np.full(requests, -1)
    chosen[request[best]] = by_name[path[best]]
    return _levels(paths.take(pa.array(chosen, mask=chosen < 0)), UNIT, len(plan.schema.categories))


def _levels(paths: pa.Array, separator: str, depth: int) -> list[pa.Array]:
    """The first ``depth`` parts of each path, null where it has fewer."""
    sizes, flat = split_lists(paths, separator)
    starts = np.cumsum(sizes) - sizes
    return [flat.take(pa.array(starts + i, mask=sizes <= i)) for i in range(depth)]


def _downwards(levels: Sequence[pa.Array]) -> list[pa.Array]:
    """Levels in which one below the last known one repeats it."""
    filled_levels: list[pa.Array] = []
    for level in levels:
        level = pc.fill_null(level, "")
        if filled_levels:
            level = pc.if_else(pc.equal(level, ""), filled_levels[-1], level)
        filled_levels.append(level)
    return filled_levels
