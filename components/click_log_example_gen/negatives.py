"""Sampled negatives: the table of items that a log holds, and requests completed with items of the same shelf.

What is sampled for a split depends on that split and those before it: the training requests are what they would be had
the log ended where the training split does. So popularity is counted in the training split, and a user's own items are
those of the request's split and the ones before.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.splits import EARLIER
from components.click_log_example_gen.arrow import TEXT, codes_of, lists_of, one_array
from components.click_log_example_gen.convert import UNIT
from components.click_log_example_gen.draw import Owned, Shelves, Units, draw, uniform
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.plan import Plan
from components.click_log_example_gen.quarantine import fault_table
from components.click_log_example_gen.requests import ROW_FILES, ROW_ITEMS, ROW_LINES, ROWS, SHELVES
from components.click_log_example_gen.rows import FILE
from components.click_log_example_gen.splits import hash_of

_SHELF, _COUNT, _TIME = "@shelf", "@count", "@time"
_RANKS = {"train": 0, EARLIER: 0, "valid": 1}  # of the splits; any other is judged by, last


def mark(plan: Plan) -> str:
    """What everyone who quotes a figure must know."""
    negatives = plan.data.negatives
    level = (plan.candidates or [feature.name for feature in plan.schema.categories])[plan.negatives_level - 1]
    return f"negatives are sampled: {negatives.per_positive} a positive from the same {level}"


def items_of(plan: Plan, requests: pa.Table, split: np.ndarray) -> pa.Table:
    """The items of some requests, as `add_items` adds them up: of each (shelf, item) its positives in the training
    split, and the features of its first row.

    Args:
      plan: the configuration and the schema.
      requests: as `Requests.table` gives them.
      split: int64 [requests], indices into `Plan.splits`.
    """
    owner = _owner(requests, plan.schema.item_id.name)
    names = [feature.name for feature in plan.schema.features if feature.scope == "item"]
    trained = _ranks(plan)[split] == 0
    table = {
        _SHELF: pc.list_flatten(one_array(requests[SHELVES])),
        _COUNT: pa.array((_positive(plan, requests) & trained[owner]).astype(np.int64)),
        _TIME: requests[plan.schema.timestamp.name].take(pa.array(owner)),
        FILE: requests[FILE].take(pa.array(owner)),
        LINE: requests[LINE].take(pa.array(owner)),
    }
    labels = {label.name for label in plan.schema.labels}
    table |= {name: pc.list_flatten(one_array(requests[name])) for name in names if name not in labels}
    return add_items(plan.schema.item_id.name, [pa.table(table)])


def add_items(item_id: str, tables: Iterable[pa.Table]) -> pa.Table:
    """Adds up tables of `items_of`; one row a (shelf, item), in their order. ``item_id``: the feature's name."""
    table = pa.concat_tables(tables).combine_chunks()
    by = [_SHELF, item_id, _TIME, FILE, LINE]
    table = table.take(pc.sort_indices(table, [(name, "ascending") for name in by]))
    codes = [codes_of(table[name])[0] for name in by[:2]]
    first = np.flatnonzero((np.diff(codes[0], prepend=-1) != 0) | (np.diff(codes[1], prepend=-1) != 0))
    counts = np.add.reduceat(table[_COUNT].to_numpy(), first) if len(table) else np.zeros(0, np.int64)
    table = table.take(pa.array(first))
    return table.set_column(table.column_names.index(_COUNT), _COUNT, pa.array(counts))


def add_negatives(
    plan: Plan, requests: pa.Table, split: np.ndarray, items: pa.Table
) -> tuple[pa.Table, np.ndarray, pa.Table, dict]:
    """Completes requests with items that are drawn from the shelves of their positives.

    All items of a request, positive or drawn, get the features of their first row in the log (which for a positive is
    never later than its own): the features of the moment are known of what was bought alone, and would give it away.
    The order of a request's items is chance.

    Args:
      plan: the configuration and the schema.
      requests: all requests of some users (of any requests, if `exclude` is `request`), in the order of time.
      split: int64 [requests], indices into `Plan.splits`.
      items: of the whole log, as `add_items` gives them.

    Returns:
      (the requests that are left, their splits, the faults of the rows that are not, {"items_sampled": {split},
      "requests_short"}: how many requests got fewer negatives than they were to have).
    """
    return _Completion(plan, requests, split, items).result()


class _Completion:
    def __init__(self, plan: Plan, requests: pa.Table, split: np.ndarray, items: pa.Table):
        self._plan, self._negatives = plan, plan.data.negatives
        self._requests, self._split, self._items = requests, split, items
        self._name = plan.schema.item_id.name
        self._owner = _owner(requests, self._name)
        self._item = pc.list_flatten(one_array(requests[self._name]))
        self._shelf = pc.list_flatten(one_array(requests[SHELVES]))
        self._positive = _positive(plan, requests)
        self._who = self._owners()
        self._hashes = hash_of(requests[plan.schema.request_id.name], "negatives") ^ np.uint64(self._negatives.seed)

    def _owners(self) -> np.ndarray:
        """int64 [requests], whose items are never drawn: the user's, or the request's where no user is known."""
        alone = np.arange(len(self._requests))
        if self._negatives.exclude == "request":
            return alone
        users = one_array(self._requests[self._plan.schema.user_id.name])
        codes, _ = codes_of(users)
        unknown = pc.equal(users, "").to_numpy(zero_copy_only=False)
        return np.where(unknown, alone, len(alone) + codes)

    def result(self) -> tuple[pa.Table, np.ndarray, pa.Table, dict]:
        repeated = self._repeated()
        unit, row, short = self._draw(~repeated)
        size = np.bincount(self._owner[~repeated], minlength=len(self._requests))
        size += np.bincount(unit, minlength=len(self._requests))
        few = size < self._plan.data.min_items
        faults, rows = self._faults(repeated, few, size)
        self._requests = self._with(ROWS, pa.array(rows, pa.int64()))
        unit, row = unit[~few[unit]], row[~few[unit]]
        table = self._table(~(repeated | few[self._owner]), unit, row).filter(pa.array(~few))
        sampled = np.bincount(self._split[unit], minlength=len(self._plan.splits)).tolist()
        report = {
            "items_sampled": dict(zip(self._plan.splits, sampled, strict=True)),
            "requests_short": int((short & ~few).sum()),
        }
        return table, self._split[~few], faults, report

    def _repeated(self) -> np.ndarray:
        """bool [items], the positives that their user had in a request before."""
        codes, names = codes_of(self._item)
        key = self._who[self._owner] * max(1, len(names)) + codes
        later = np.ones(len(key), bool)
        later[np.unique(key, return_index=True)[1]] = False
        return later & self._positive

    def _draw(self, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(request, row of the items) of what is drawn; bool [requests], which got less than they were to have."""
        distinct = one_array(self._items[self._name]).unique()
        ranks = _ranks(self._plan)[self._split]
        mine = pc.fill_null(pc.index_in(self._item, value_set=distinct), len(distinct)).to_numpy()
        owned = Owned(self._who[self._owner], mine.astype(np.int64), ranks[self._owner])
        shelves = Shelves(
            pc.index_in(one_array(self._items[self._name]), value_set=distinct).to_numpy().astype(np.int64),
            _weights(self._items[_COUNT].to_numpy(), self._negatives.smoothing),
        )
        codes, starts, ends = self._shelves()
        positive = self._positive & kept
        pairs, positives = np.unique(self._owner[positive] * max(1, len(starts)) + codes[positive], return_counts=True)
        request, shelf = pairs // max(1, len(starts)), pairs % max(1, len(starts))
        wanted = positives * self._negatives.per_positive
        asked = np.bincount(request, wanted, len(self._requests))
        room = self._plan.data.max_items - np.bincount(self._owner[kept], minlength=len(self._requests))
        before = np.cumsum(wanted) - wanted
        before -= before[np.searchsorted(request, request)]  # within the request
        wanted = np.clip(room[request] - before, 0, wanted)
        names = hash_of(self._items[_SHELF].take(pa.array(starts)), "negatives")
        key = self._hashes[request] + names[shelf] * np.uint64(3)
        units = Units(key, starts[shelf], ends[shelf], wanted, self._who[request], ranks[request])
        unit, row = draw(shelves, units, owned)
        return request[unit], row, np.bincount(request[unit], minlength=len(self._requests)) < asked

    def _shelves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(int64 [items], each item's shelf; its first row and its end in the table of items, int64 [shelves])."""
        of_row, _ = codes_of(self._items[_SHELF])
        starts = np.flatnonzero(np.diff(of_row, prepend=-1))
        names = self._items[_SHELF].take(pa.array(starts))
        codes = pc.index_in(self._shelf, value_set=one_array(names)).to_numpy().astype(np.int64)
        return codes, starts, np.append(starts[1:], len(of_row))[: len(starts)]

    def _faults(self, repeated: np.ndarray, few: np.ndarray, size: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        """(the faults of the rows that are left out; int64 [requests], how many rows are not)."""
        rows = pc.list_value_length(self._requests[ROW_ITEMS]).to_numpy()
        request = np.repeat(np.arange(len(rows)), rows)
        sizes = pc.list_value_length(self._requests[self._name]).to_numpy()
        again = repeated[(np.cumsum(sizes) - sizes)[request] + self._flat(ROW_ITEMS)]
        gone = np.flatnonzero(again | few[request])
        data = self._plan.data
        details = [
            "the user had the item before, and negatives are never what the user had: the history would tell"
            if again[i]
            else f"the request has {size[request[i]]} items with the negatives, `data.min_items` is {data.min_items}"
            for i in gone
        ]
        reasons = ["repeated_item" if again[i] else "too_few_items" for i in gone]
        faults = fault_table(self._flat(ROW_FILES)[gone], self._flat(ROW_LINES)[gone], reasons, details)
        return faults, rows - np.bincount(request[gone], minlength=len(rows))

    def _flat(self, name: str) -> np.ndarray:
        return pc.list_flatten(one_array(self._requests[name])).to_numpy()

    def _with(self, name: str, values: pa.Array) -> pa.Table:
        return self._requests.set_column(self._requests.column_names.index(name), name, values)

    def _table(self, kept: np.ndarray, unit: np.ndarray, row: np.ndarray) -> pa.Table:
        """The requests with their items of ``kept`` and those that were drawn, in an order of chance."""
        place = pc.index_in(_names(self._shelf, self._item), value_set=_names(*self._item_columns())).to_numpy()
        owner = np.concatenate([self._owner[kept], unit])
        rows = np.concatenate([place[kept].astype(np.int64), row])
        chance = uniform(self._hashes[owner], np.uint64(1 << 50) + rows.astype(np.uint64))
        order = np.lexsort((chance, owner))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(self._requests)))])
        labels = {label.name for label in self._plan.schema.labels}
        for feature in self._plan.schema.features:
            if feature.scope != "item":
                continue
            if feature.name in labels:
                grades = self._flat(feature.name)[kept]
                values = pa.array(np.concatenate([grades, np.zeros(len(unit), grades.dtype)])[order])
            else:
                values = one_array(self._items[feature.name].take(pa.array(rows[order])))
            self._requests = self._with(feature.name, lists_of(offsets, values))
        return self._requests

    def _item_columns(self) -> tuple[pa.Array, pa.Array]:
        return one_array(self._items[_SHELF]), one_array(self._items[self._name])


def _names(shelf: pa.Array, item: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(shelf, item, pa.scalar(UNIT + UNIT, TEXT))


def _weights(counts: np.ndarray, smoothing: float) -> np.ndarray:
    """float64: what the training split does not have is never drawn, whatever the smoothing."""
    return np.where(counts > 0, np.maximum(counts, 1.0) ** smoothing, 0.0)


def _ranks(plan: Plan) -> np.ndarray:
    return np.array([_RANKS.get(name, 2) for name in plan.splits])


def _owner(requests: pa.Table, name: str) -> np.ndarray:
    """int64 [items], the request of each."""
    return np.repeat(np.arange(len(requests)), pc.list_value_length(requests[name]).to_numpy())


def _positive(plan: Plan, requests: pa.Table) -> np.ndarray:
    """bool [items]."""
    grades = [pc.list_flatten(one_array(requests[label.name])).to_numpy() for label in plan.schema.labels]
    return np.any([values > 0 for values in grades], axis=0)
