"""From rows to requests: grouping, the checks that need a whole request, joins.

Works on whole partitions of a log in Arrow and numpy. A partition holds all rows of its requests.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.click_log_example_gen.arrow import (
    TEXT,
    codes_of,
    decoded,
    filled,
    last_of,
    lists_of,
    mask_of,
    one_array,
    shown,
)
from components.click_log_example_gen.category_path import shelves_of, with_category_path
from components.click_log_example_gen.convert import UNIT, split_lists
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.joins import Lookup
from components.click_log_example_gen.plan import SPLIT, Plan
from components.click_log_example_gen.quarantine import SCHEMA, fault_table
from components.click_log_example_gen.rows import FILE, ListRows, constant_column

ROWS = "@rows"  # how many rows of the log a request was made of
SHELVES = "@shelves"  # of each item, if negatives are sampled: the part of the category path they share
ROW_FILES, ROW_LINES, ROW_ITEMS = "@row_files", "@row_lines", "@row_items"  # then also the rows, and their items
TIME = "@time"  # of a row or an item: its own time, which may be later than its request's


class Requests:
    """Requests in the making: a table of requests, a table of their items, and the rows they came from.

    Attributes:
      request: one row a request.
      item: one row an item, the items of a request together, in the order of the log.
      owner: int64 [items], the request of each item.
      faults: tables of the rows that were taken out.
    """

    def __init__(self, plan: Plan, rows: pa.Table | ListRows):
        self.plan = plan
        self.faults: list[pa.Table] = []
        self.items_cut = 0
        self._row_is_item = not isinstance(rows, ListRows)
        if self._row_is_item:
            self._from_impressions(rows)
        else:
            self._from_lists(rows)

    def __len__(self):
        return len(self.request)

    @property
    def sizes(self) -> np.ndarray:
        """int64 [requests], the items of each."""
        return np.bincount(self.owner, minlength=len(self))

    def _from_lists(self, rows: ListRows) -> None:
        self.request, self.item = rows.request, rows.item
        self.owner = np.repeat(np.arange(len(rows.sizes)), rows.sizes)
        self._set_rows(rows.request, np.arange(len(rows.sizes)))
        time = self.plan.schema.timestamp.name
        if time in self.request.column_names:
            self.item = self.item.append_column(TIME, self.request[time].take(pa.array(self.owner)))

    def _from_impressions(self, rows: pa.Table) -> None:
        schema, fields = self.plan.schema, self.plan.read
        codes, _ = codes_of(rows[schema.request_id.name])
        file, line = rows[FILE].to_numpy(), rows[LINE].to_numpy()
        order = np.lexsort((line, file, codes))
        if (np.diff(order) != 1).any():
            rows, codes = rows.take(pa.array(order)), codes[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        self.owner = np.cumsum(np.diff(codes, prepend=-1) != 0) - 1
        self.item = rows
        self._set_rows(rows, np.arange(len(rows)))
        alike = [f.name for f in fields if f.scope == "request" and f.kind != "timestamp"]
        self.request = decoded(rows.select(alike).take(pa.array(starts)))
        self._drop_inconsistent(alike)
        time, request_columns = schema.timestamp.name, set(alike) | {FILE, LINE}
        if time in self.item.column_names:
            starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
            times = self.item[time].to_numpy()
            earliest = np.minimum.reduceat(times, starts) if len(times) else times
            self.request = self.request.append_column(time, pa.array(earliest, pa.int64()))
            self.item = self.item.rename_columns([TIME if name == time else name for name in self.item.column_names])
        self.item = self.item.select([name for name in self.item.column_names if name not in request_columns])
        first = np.searchsorted(self._row_owner, np.flatnonzero(np.diff(self.owner, prepend=-1)))
        self.request = self.request.append_column(FILE, pa.array(self._file[first], pa.int32()))
        self.request = self.request.append_column(LINE, pa.array(self._line[first], pa.int64()))

    def _set_rows(self, rows: pa.Table, owner: np.ndarray) -> None:
        """Remembers where each row stands and which item (or request, in layout requests) it became."""
        self._file, self._line, self._row_owner = rows[FILE].to_numpy(), rows[LINE].to_numpy(), owner

    def _drop_inconsistent(self, names: Sequence[str]) -> None:
        """Takes out the rows that disagree with their request's first row."""
        first = np.flatnonzero(np.diff(self.owner, prepend=-1))[self.owner]
        bad, which = np.zeros(len(first), bool), np.zeros(len(first), np.int64)
        for i, name in enumerate(names):
            codes, _ = codes_of(self.item[name])
            differs = (codes != codes[first]) & ~bad
            which[differs] = i
            bad |= differs

        def detail(i):
            name, there = names[which[i]], f"in the first row of the request (line {self._line[first[i]]})"
            if self.plan.is_private(name):
                return f"{name}: another than {there}"
            return f"{name}: {shown(self.item[name], i)}, but {shown(self.item[name], first[i])} {there}"

        self.drop_items(bad, "inconsistent_request", detail)

    def drop_items(self, bad: np.ndarray, reason: str, detail: Callable[[int], str]) -> None:
        """Takes out items (bool [items]) with the rows they came from; in layout requests, their requests."""
        if not bad.any():
            return
        if not self._row_is_item:
            requests, first = np.unique(self.owner[bad], return_index=True)
            item_of = dict(zip(requests.tolist(), np.flatnonzero(bad)[first].tolist(), strict=True))
            mask = np.zeros(len(self), bool)
            mask[requests] = True
            self.drop_requests(mask, reason, lambda request: detail(item_of[request]))
            return
        self._quarantine(bad[self._row_owner], reason, detail)
        self._keep_items(~bad)
        self._keep_requests(self.sizes > 0)

    def drop_requests(self, bad: np.ndarray, reason: str, detail: Callable[[int], str]) -> None:
        """Takes out whole requests (bool [requests]) with their rows."""
        if not bad.any():
            return
        owner = self.owner[self._row_owner] if self._row_is_item else self._row_owner
        if self._row_is_item:
            self._quarantine(bad[owner], reason, lambda item: detail(self.owner[item]))
        else:
            self._quarantine(bad[owner], reason, detail)
        self._keep_requests(~bad)

    def _quarantine(self, rows: np.ndarray, reason: str, detail: Callable[[int], str]) -> None:
        details = [detail(owner) for owner in self._row_owner[rows].tolist()]
        self.faults.append(fault_table(self._file[rows], self._line[rows], [reason] * len(details), details))
        self._keep_rows(~rows)

    def _keep_rows(self, keep: np.ndarray) -> None:
        self._file, self._line, self._row_owner = self._file[keep], self._line[keep], self._row_owner[keep]

    def _keep_items(self, keep: np.ndarray) -> None:
        if keep.all():
            return
        self.item, self.owner = self.item.filter(pa.array(keep)), self.owner[keep]
        if self._row_is_item:
            self._row_owner = (np.cumsum(keep) - 1)[self._row_owner]

    def _keep_requests(self, keep: np.ndarray) -> None:
        if keep.all():
            return
        self._keep_items(keep[self.owner])
        self.request = self.request.filter(pa.array(keep))
        self.owner = (np.cumsum(keep) - 1)[self.owner]
        if not self._row_is_item:
            self._row_owner = (np.cumsum(keep) - 1)[self._row_owner]

    def add_constants(self) -> None:
        """Adds the features whose value stands in the configuration."""
        for field in self.plan.constants:
            value = self.plan.data.constants[field.name]
            if field.scope == "request":
                self.request = self.request.append_column(field.name, constant_column(field, value, len(self)))
            else:
                self.item = self.item.append_column(field.name, constant_column(field, value, len(self.item)))
            if field.kind == "timestamp":
                self.item = self.item.append_column(TIME, constant_column(field, value, len(self.item)))

    def join(self, lookup: Lookup) -> None:
        """Joins an item or user table; a feature that must have a value and gets none takes its row out."""
        of_item = lookup.match in self.item.column_names
        table = self.item if of_item else self.request
        for name, values in lookup.find(table[lookup.match]).items():
            table = table.append_column(name, values)
        if of_item:
            self.item = table
        else:
            self.request = table
        for field in lookup.fields:
            if field.must:
                table = self.item if of_item else self.request
                keys, private = table[lookup.match], self.plan.is_private(lookup.match)
                drop = self.drop_items if of_item else self.drop_requests
                drop(
                    mask_of(one_array(pc.is_null(table[field.name]))),
                    "missing_value",
                    lambda i, keys=keys, name=field.name, private=private: (
                        f"{name}: there is no value for {lookup.match}{'' if private else f' {shown(keys, i)}'} in "
                        f"{lookup.files}, "
                        "and it must have one"
                    ),
                )

    def duplicates(self) -> np.ndarray:
        """bool [items], those whose item stands in the request before."""
        items, distinct = codes_of(self.item[self.plan.schema.item_id.name])
        keys = self.owner * max(1, len(distinct)) + items
        repeated = np.ones(len(keys), bool)
        repeated[np.unique(keys, return_index=True)[1]] = False
        return repeated

    def drop_duplicates(self) -> None:
        """Takes out the second and later rows of an item in a request (in layout requests, the request)."""
        items = self.item[self.plan.schema.item_id.name]
        self.drop_items(
            self.duplicates(), "duplicate_item", lambda i: f"item {shown(items, i)} is in the request already"
        )

    def merge_duplicates(self) -> None:
        """Makes one item of the rows of an item in a request: its highest grades, the first row's features."""
        items, distinct = codes_of(self.item[self.plan.schema.item_id.name])
        keys = self.owner * max(1, len(distinct)) + items
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        if len(first) == len(keys):
            return
        target = first[inverse]
        for label in self.plan.schema.labels:
            place = self.item.column_names.index(label.name)
            grades = self.item[label.name].to_numpy().copy()
            np.maximum.at(grades, target, grades.copy())
            self.item = self.item.set_column(place, label.name, pa.array(grades))
        if self._row_is_item:
            self._row_owner = target[self._row_owner]
        keep = np.zeros(len(keys), bool)
        keep[first] = True
        self._keep_items(keep)

    def apply_size_rules(self) -> None:
        """Takes out requests with too few items, and what is over the limit."""
        data, sizes = self.plan.data, self.sizes
        if data.negatives is None:  # or it is asked when they are there
            self.drop_requests(
                sizes < data.min_items,
                "too_few_items",
                lambda i: f"the request has {sizes[i]} items, `data.min_items` is {data.min_items}",
            )
        sizes = self.sizes
        over = f"`data.max_items` is {data.max_items}"
        if data.too_many_items == "quarantine":
            self.drop_requests(
                sizes > data.max_items, "too_many_items", lambda i: f"the request has {sizes[i]} items, {over}"
            )
            return
        rank = np.arange(len(self.owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        cut = rank >= data.max_items
        if not cut.any():
            return
        self.items_cut += int(cut.sum())
        if self._row_is_item:
            self.drop_items(
                cut, "too_many_items", lambda i: f"item {rank[i] + 1} of a request of {sizes[self.owner[i]]}, {over}"
            )
            return
        rows = (sizes > data.max_items)[self._row_owner]
        details = [f"items {data.max_items + 1} to {sizes[i]} were cut, {over}" for i in self._row_owner[rows]]
        self.faults.append(fault_table(self._file[rows], self._line[rows], ["items_cut"] * len(details), details))
        self._keep_items(~cut)

    def events(self) -> pa.Table:
        """The rows a history is built of: items with a positive grade, of requests whose user is known.

        A table of `events_schema`; `@index` is the item's place, for items of one row.
        """
        schema, file = self.plan.schema, self._file
        positive = np.zeros(len(self.item), bool)
        for label in schema.labels:
            positive |= self.item[label.name].to_numpy() > 0
        user = one_array(self.request[schema.user_id.name]).take(pa.array(self.owner))
        positive &= mask_of(pc.and_(pc.is_valid(user), pc.fill_null(pc.not_equal(user, ""), False)))
        row = np.arange(len(self.item)) if self._row_is_item else self.owner
        table = pa.table(
            {
                "@user": user,
                TIME: self.item[TIME],
                FILE: pa.array(file[row], pa.int32()),
                LINE: pa.array(self._line[row], pa.int64()),
                "@index": pa.array(np.arange(len(self.item))),
            }
            | {name: self.item[name] for name in self.plan.built_histories.values()}
        )
        return table.filter(pa.array(positive)).cast(events_schema(self.plan))

    def _rows_of_items(self) -> dict[str, pa.Array]:
        """The columns that sampling negatives needs besides."""
        item_offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        order = np.argsort(self._row_owner, kind="stable")
        item = self._row_owner[order]
        request = self.owner[item]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(request, minlength=len(self)))])
        return {
            SHELVES: lists_of(item_offsets, shelves_of(self.plan, self.request, self.item, self.owner)),
            ROW_FILES: lists_of(offsets, pa.array(self._file[order], pa.int32())),
            ROW_LINES: lists_of(offsets, pa.array(self._line[order], pa.int64())),
            ROW_ITEMS: lists_of(offsets, pa.array(item - item_offsets[request], pa.int64())),
        }

    def table(self) -> pa.Table:
        """The requests with FILE, LINE, ROWS, SPLIT if there is one, and their features; also what negatives need.

        Request features as one value (int64, float32, large_string), item features as lists. Missing numbers are
        NaN, missing names "". A history that is read is a list, its last values; one that is built is not there.
        """
        owner = self.owner[self._row_owner] if self._row_is_item else self._row_owner
        columns = {name: self.request[name] for name in (FILE, LINE, SPLIT) if name in self.request.column_names}
        columns[ROWS] = pa.array(np.bincount(owner, minlength=len(self)))
        if self.plan.data.negatives:
            columns |= self._rows_of_items()
        offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        for feature in self.plan.schema.features:
            name = feature.name
            if feature.is_history:
                if name in self.request.column_names:
                    columns[name] = self._history(name)
            elif feature.scope == "request":
                columns[name] = filled(one_array(self.request[name]), feature.dtype)
            else:
                columns[name] = lists_of(offsets, filled(one_array(self.item[name]), feature.dtype))
        return pa.table(columns)

    def _history(self, name: str) -> pa.Array:
        sizes, flat = split_lists(self.request[name], UNIT)
        missing = self.plan.data.missing.get(name, [])
        flat = one_array(flat)
        if missing:
            flat = pc.if_else(pc.is_in(flat, value_set=pa.array(missing, TEXT)), "", flat)
        return last_of(sizes, flat, self.plan.data.history.length)


def events_schema(plan: Plan) -> pa.Schema:
    """The columns of events: whose, when, where in the log, and the item features that histories are of."""
    places = [("@user", TEXT), (TIME, pa.int64()), (FILE, pa.int32()), (LINE, pa.int64()), ("@index", pa.int64())]
    return pa.schema(places + [(name, TEXT) for name in dict.fromkeys(plan.built_histories.values())])


def build_requests(
    plan: Plan, rows: pa.Table | ListRows, lookups: Sequence[Lookup]
) -> tuple[pa.Table, pa.Table | None, pa.Table, int]:
    """Makes requests of all rows of a partition.

    Args:
      plan: the configuration and the schema.
      rows: of layout impressions, a table; of layout requests, `ListRows`.
      lookups: the tables to join, but those that are joined with a history.

    Returns:
      (the requests as `Requests.table` gives them, the events as `Requests.events` or None, the faults, how many
      items were cut because of `max_items`).
    """
    requests = Requests(plan, rows)
    requests.add_constants()
    for lookup in lookups:
        requests.join(lookup)
    merge = plan.data.duplicate_items == "merge"
    if not merge:
        requests.drop_duplicates()
    # A row that a rule leaves out has still happened: it is part of its user's history. A malformed one is not.
    events = requests.events() if plan.built_histories else None
    if merge:
        requests.merge_duplicates()
    requests.apply_size_rules()
    requests.request = with_category_path(plan, requests.request, requests.item, requests.owner)
    faults = pa.concat_tables([SCHEMA.empty_table(), *requests.faults])
    return requests.table(), events, faults, requests.items_cut


def is_history_join(plan: Plan, match: str) -> bool:
    """Whether a table is joined with a history, which happens when histories stand."""
    return plan.schema[match].is_history
