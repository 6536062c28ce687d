"""Hot keys: what one request or one user has too much of is left out early, so that memory does not follow it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.click_log_example_gen.arrow import codes_of
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.plan import Plan
from components.click_log_example_gen.quarantine import SCHEMA
from components.click_log_example_gen.requests import TIME
from components.click_log_example_gen.rows import FILE

# A request keeps so many times `max_items` rows until it is built: some of them may turn out to be malformed.
_SPARE = 5


def cut_rows(plan: Plan, rows: pa.Table) -> tuple[pa.Table, pa.Table | None]:
    """Divides rows of layout impressions, in the order of the log, into those that may count and those that cannot.

    Of one request, the rows after the first ``5 max_items`` cannot: `max_items` would cut them when the request is
    built (or refuse it as a whole, which the rows that are left suffice for). With `duplicate_items: merge` a row
    counts only if its item is new, for rows of one item become one.

    Returns:
      (the rows that stay, those that are cut or None).
    """
    limit = _SPARE * plan.data.max_items
    if len(rows) <= limit:
        return rows, None
    owner, _ = codes_of(rows[plan.schema.request_id.name])
    if np.bincount(owner).max() <= limit:
        return rows, None
    counted = np.arange(len(rows))
    if plan.data.duplicate_items == "merge":
        items, distinct = codes_of(rows[plan.schema.item_id.name])
        keys = owner * max(1, len(distinct) + 1) + items
        _, counted, first_of = np.unique(keys, return_index=True, return_inverse=True)
        rank = _ranks(owner[np.sort(counted)])[np.argsort(np.argsort(counted))][first_of]
    else:
        rank = _ranks(owner)
    cut = rank >= limit
    if not cut.any():
        return rows, None
    return rows.filter(pa.array(~cut)), rows.filter(pa.array(cut))


def _ranks(owner: np.ndarray) -> np.ndarray:
    """int64 [rows]: how many rows of the same owner stand before each."""
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(owner)))
    ranks = np.empty(len(owner), np.int64)
    ranks[order] = np.arange(len(owner)) - np.repeat(starts, sizes)
    return ranks


def too_many_items(plan: Plan, files: np.ndarray, lines: np.ndarray) -> pa.Table:
    """The faults of rows that are cut for their request's size."""
    detail = f"the request has more items, `data.max_items` is {plan.data.max_items}"
    words = [pa.array([word]).take(pa.array(np.zeros(len(lines), np.int64))) for word in ("too_many_items", detail)]
    return pa.Table.from_arrays([pa.array(files, pa.int32()), pa.array(lines, pa.int64()), *words], schema=SCHEMA)


def last_events(events: pa.Table, length: int) -> pa.Table:
    """Leaves out events that no history of ``length`` can show.

    A history takes the last events before a moment, so of one user's events in one second only the last ``length``
    are ever seen, in the order of (file, line, index).
    """
    if len(events) <= length:
        return events
    order = pc.sort_indices(events, [(name, "ascending") for name in ("@user", TIME, FILE, LINE, "@index")])
    events = events.take(order)
    who, _ = codes_of(events["@user"])
    new = (np.diff(who, prepend=-1) != 0) | (np.diff(events[TIME].to_numpy(), prepend=-1) != 0)
    ends = np.append(np.flatnonzero(new)[1:], len(events))
    from_end = np.repeat(ends, np.diff(np.append(0, ends))) - np.arange(len(events))
    return events.filter(pa.array(from_end <= length))
