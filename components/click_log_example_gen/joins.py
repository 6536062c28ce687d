"""Item and user tables: read and checked once, then looked up by key, a column at a time."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tfx.dsl.io import fileio

from components.click_log_example_gen.arrow import TYPES, one_array, shown
from components.click_log_example_gen.config import Table
from components.click_log_example_gen.convert import column_of, parse_field
from components.click_log_example_gen.formats import LINE, read_tables
from components.click_log_example_gen.packing import pack, unpack
from components.click_log_example_gen.plan import Field, Plan
from components.click_log_example_gen.quarantine import SCHEMA, Findings
from components.click_log_example_gen.sources import Source

_KEY = "@key"


@dataclasses.dataclass(frozen=True)
class Lookup:
    """A table that rows are joined with.

    Attributes:
      match: the feature that is matched with the table's key.
      fields: the features it brings.
      files: its glob, for messages.
      path: the Arrow file that `prepare_table` wrote.
    """

    match: str
    fields: tuple[Field, ...]
    files: str
    path: str

    def find(self, keys: pa.Array | pa.ChunkedArray) -> dict[str, pa.Array]:
        """The table's values for ``keys`` [rows], by feature; null for a key the table does not have."""
        table = _load(self.path)
        distinct = one_array(keys).dictionary_encode()
        # The few keys are hashed and the table is scanned: no index of a large table is held.
        place = pc.index_in(table[_KEY], value_set=distinct.dictionary)
        row = np.flatnonzero(one_array(pc.is_valid(place)).to_numpy(zero_copy_only=False))
        row_of = np.full(len(distinct.dictionary), -1)
        row_of[one_array(place).drop_null().to_numpy()] = row
        rows = pa.array(row_of, mask=row_of < 0).take(distinct.indices)
        return {field.name: one_array(table[field.name].take(rows)) for field in self.fields}


@functools.lru_cache(maxsize=8)
def _load(path: str) -> pa.Table:
    with fileio.open(path, "rb") as file:
        return unpack(file.read())


def prepare_table(table: Table, sources: Sequence[Source], plan: Plan, path: str) -> tuple[Lookup, int, list[pa.Table]]:
    """Reads and checks a table and writes it to ``path`` for the workers.

    Returns:
      (its lookup, rows read, the faults of each file).
    """
    fields = tuple(plan.field(name) for name in table.columns)
    wanted = (Field(_KEY, "item", "bytes", columns=(table.key,), must=True),)
    # Whether a value must be there is asked of the rows of the log, not of a table's rows that nothing asks for.
    wanted += tuple(dataclasses.replace(field, must=False, kind="value") for field in fields)
    columns = sorted({column for field in wanted for column in field.columns})
    parts, rows, faults, time_format = [], 0, [], plan.data.timestamp_format
    for source in sources:
        faults.append([])
        for read, chunk, bad in read_tables(source, columns):
            rows += read
            findings = Findings(len(chunk))
            parsed = {f.name: parse_field(f, column_of(chunk, f), " ", time_format, findings) for f in wanted}
            places = {LINE: one_array(chunk[LINE]), "@file": pa.array(np.full(len(chunk), source.index))}
            parts.append(pa.table(parsed | places).filter(pa.array(~findings.bad)))
            faults[-1] += [bad, findings.table(source.index, chunk[LINE].to_numpy())]
    if not parts:  # Parquet without rows
        places = {LINE: pa.array([], pa.int64()), "@file": pa.array([], pa.int64())}
        parts = [pa.table({field.name: pa.array([], TYPES[field.dtype]) for field in wanted} | places)]
    found = pa.concat_tables(parts).combine_chunks()
    codes = one_array(found[_KEY]).dictionary_encode().indices.to_numpy()
    repeated = np.ones(len(codes), bool)
    repeated[np.unique(codes, return_index=True)[1]] = False

    def key_of(i: int) -> str:
        return "the key" if plan.is_private(table.match) else f"the key {shown(found[_KEY], i)}"

    for source in sources:
        findings = Findings(len(codes))
        mine = repeated & (found["@file"].to_numpy() == source.index)
        findings.add(mine, "duplicate_key", lambda i: f"{key_of(i)} has a row already")
        faults[source.index].append(findings.table(source.index, found[LINE].to_numpy()))
    found = found.filter(pa.array(~repeated)).select([field.name for field in wanted])
    with fileio.open(path, "wb") as file:
        file.write(pack(found))
    return (
        Lookup(table.match, fields, table.files, path),
        rows,
        [pa.concat_tables([SCHEMA.empty_table(), *t]) for t in faults],
    )
