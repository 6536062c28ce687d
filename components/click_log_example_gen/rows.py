"""From the files to checked rows: typed columns, one row an impression, or one row a request with its lists."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.click_log_example_gen.arrow import TYPES
from components.click_log_example_gen.convert import column_of, parse_field, parse_lists, parse_repeated
from components.click_log_example_gen.formats import LINE, read_tables
from components.click_log_example_gen.plan import Field, Plan
from components.click_log_example_gen.quarantine import Findings
from components.click_log_example_gen.sources import Source

FILE = "@file"


@dataclasses.dataclass(frozen=True)
class ListRows:
    """Rows of layout requests.

    Attributes:
      request: the features of scope request, and FILE and LINE, one row a request.
      sizes: int64 [requests], the items of each.
      item: the features of scope item, one row an item, request after request.
    """

    request: pa.Table
    sizes: np.ndarray
    item: pa.Table


def read_rows(source: Source, plan: Plan) -> Iterator[tuple[int, pa.Table | ListRows, pa.Table]]:
    """Reads and checks a file chunk by chunk.

    Yields:
      (rows read, the good rows, the faults of the others). In layout impressions the good rows are a table with
      the columns FILE, LINE and those of `plan.read`.
    """
    columns = sorted({column for field in plan.read for column in field.columns})
    repeated, take = frozenset(), _requests
    if plan.data.layout == "impressions":
        repeated = frozenset(column for field in plan.read if field.scope == "request" for column in field.columns)
        take = _impressions
    for read, table, faults in read_tables(source, columns, repeated):
        findings = Findings(len(table))
        rows = take(source, plan, table, findings)
        if findings.bad.any():
            faults = pa.concat_tables([faults, findings.table(source.index, table[LINE].to_numpy())])
        yield read, rows, faults


def _places(source: Source, table: pa.Table) -> dict[str, pa.Array]:
    return {FILE: pa.array(np.full(len(table), source.index), pa.int32()), LINE: table[LINE].combine_chunks()}


def _impressions(source: Source, plan: Plan, table: pa.Table, findings: Findings) -> pa.Table:
    columns, data = _places(source, table), plan.data
    for field in plan.read:
        # What a request shares stands in all of its rows: as a dictionary it is parsed, sent and compared once.
        parse = parse_repeated if field.scope == "request" else parse_field
        values = column_of(table, field)
        columns[field.name] = parse(field, values, data.list_separator, data.timestamp_format, findings)
    rows = pa.table(columns)
    return rows.filter(pa.array(~findings.bad)) if findings.bad.any() else rows


def _requests(source: Source, plan: Plan, table: pa.Table, findings: Findings) -> ListRows:
    request, lists, data = _places(source, table), {}, plan.data
    for field in plan.read:
        parse, into = (parse_field, request) if field.scope == "request" else (parse_lists, lists)
        values = column_of(table, field)
        into[field.name] = parse(field, values, data.list_separator, data.timestamp_format, findings)
    item_fields = [field for field in plan.read if field.scope == "item"]
    item_id = plan.schema.item_id.name
    items = lists[item_id][0]
    findings.add(items == 0, "missing_value", f"{item_id}: the list is empty")
    for field in item_fields:
        sizes = lists[field.name][0]
        findings.add((sizes == 0) & field.must, "missing_value", f"{field.label}: the list is empty")
        findings.add(
            (sizes != items) & (sizes > 0),
            "unequal_lists",
            lambda i, sizes=sizes, field=field: f"{field.label} has {sizes[i]} values, {item_id} {items[i]}",
        )
    good = ~findings.bad
    return ListRows(
        request=pa.table(request).filter(pa.array(good)),
        sizes=items[good],
        item=pa.table({name: _aligned(sizes, flat, items, good) for name, (sizes, flat) in lists.items()}),
    )


def _aligned(sizes: np.ndarray, flat: pa.Array, items: np.ndarray, good: np.ndarray) -> pa.Array:
    """The values of the good rows; a list that is not there at all becomes a list of missing values."""
    flat = flat.filter(pa.array(np.repeat(good, sizes)))
    there = np.repeat(sizes[good] > 0, items[good])
    return flat.take(pa.array(np.cumsum(there) - 1, mask=~there)) if not there.all() else flat


def constant_column(field: Field, value, rows: int) -> pa.Array:
    """A field's one value, for each row."""
    return pc.cast(pa.array([value]), TYPES[field.dtype]).take(pa.array(np.zeros(rows, np.int64)))
