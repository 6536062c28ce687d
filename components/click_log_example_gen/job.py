"""What every Beam stage of ingestion knows of its job, and how it hands tables on."""

import dataclasses
import os
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import TaggedOutput

from components.click_log_example_gen.arrow import mask_of, one_array
from components.click_log_example_gen.joins import Lookup
from components.click_log_example_gen.plan import Plan
from components.click_log_example_gen.rows import FILE
from components.click_log_example_gen.sources import Source
from components.click_log_example_gen.spill import Spill
from components.click_log_example_gen.splits import hash_of, split_of, time_cuts

REQUESTS, EVENTS = "requests", "events"


@dataclasses.dataclass(frozen=True)
class Job:
    """What every stage knows.

    Attributes:
      plan: the configuration and the schema.
      sources: the files of the log.
      lookups: the tables to join.
      partitions: into how many parts rows and requests are divided by hash; also the shards of each split.
      examples: the directory of each split, by its name.
      quarantine: the directory of the quarantine.
      staging: a directory for files that are not finished.
      direct: build the requests of a file whose rows seem grouped as it is read; only what is left is shuffled.
    """

    plan: Plan
    sources: tuple[Source, ...]
    lookups: tuple[Lookup, ...]
    partitions: int
    examples: dict[str, str]
    quarantine: str
    staging: str
    direct: bool

    @property
    def report_path(self) -> str:
        """Where the counts of all workers end up."""
        return os.path.join(self.staging, "report.json")

    def split_of(self, requests: pa.Table, counts: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        """int64 [requests], indices into `Plan.splits`; ``counts`` of the request times, if the split is by time."""
        cuts = None if counts is None else time_cuts(*counts, list(self.plan.data.split.fractions.values()))
        return split_of(self.plan, requests, cuts, self.is_earlier(requests))

    def is_earlier(self, requests: pa.Table) -> np.ndarray:
        """bool [requests], those that began in a file of an older span."""
        return np.array([source.earlier for source in self.sources])[requests[FILE].to_numpy()]


def parts(table: pa.Table, keys: pa.ChunkedArray, partitions: int) -> Iterator[tuple[int, pa.Table]]:
    """Divides a table by the hash of ``keys`` [rows]."""
    if partitions == 1:
        if len(table):
            yield 0, table
        return
    part = (hash_of(keys, "partition") % np.uint64(partitions)).astype(np.int64)
    order = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[order], np.arange(partitions + 1))
    for i in range(partitions):
        if bounds[i] < bounds[i + 1]:
            yield i, compact(table.take(pa.array(order[bounds[i] : bounds[i + 1]])))


def compact(table: pa.Table) -> pa.Table:
    """Leaves out of a table's dictionaries what its rows do not use: a part is to hold its own values only."""
    for i, name in enumerate(table.column_names):
        column = one_array(table[name])
        if pa.types.is_dictionary(column.type):
            missing, index = mask_of(pc.is_null(column.indices)), pc.fill_null(column.indices, 0).to_numpy()
            used = np.zeros(max(1, len(column.dictionary)), bool)
            used[index[~missing]] = True
            index = pa.array((np.cumsum(used) - 1)[index], pa.int32(), mask=missing)
            values = column.dictionary.take(pa.array(np.flatnonzero(used)))
            table = table.set_column(i, name, pa.DictionaryArray.from_arrays(index, values))
    return table


class Stage(beam.DoFn):
    """A stage that knows its job."""

    def __init__(self, job: Job):
        self._job = job

    def _spill(self) -> Spill:
        return Spill(self._job.staging)

    def _faults(self, faults: pa.Table, spill: Spill) -> Iterator[TaggedOutput]:
        for file in np.unique(faults["file"].to_numpy()):
            yield TaggedOutput("faults", (int(file), spill.write(faults.filter(pc.equal(faults["file"], int(file))))))
