"""The Beam stages of ingestion. Elements are places of tables of many rows on disk, never the rows themselves."""

import concurrent.futures
import dataclasses
import functools
import itertools
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from apache_beam.pvalue import TaggedOutput
from tfx.dsl.io import fileio

from common.progress import progress
from components.click_log_example_gen.capping import cut_rows, last_events, too_many_items
from components.click_log_example_gen.columns import codes_of, filled, lists_of, mask_of, one_array
from components.click_log_example_gen.encode import encode_examples
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.histories import build_histories
from components.click_log_example_gen.joins import Lookup
from components.click_log_example_gen.negatives import add_items, add_negatives, items_of
from components.click_log_example_gen.plan import Plan
from components.click_log_example_gen.progress import meter_of
from components.click_log_example_gen.quarantine import REASONS, merge_reports, write_rows
from components.click_log_example_gen.requests import ROWS, build_requests, events_schema, is_history_join
from components.click_log_example_gen.rows import FILE, ListRows, read_rows
from components.click_log_example_gen.sources import Source, raw_rows
from components.click_log_example_gen.spill import Piece, Spill, read_pieces
from components.click_log_example_gen.splits import add_counts, count_times, hash_of, split_of, time_cuts

REQUESTS, EVENTS = "requests", "events"
_SLICE = 4096  # requests that are encoded at once
_FAULTS = 65536  # rows at fault that are written at once
_BUILT = 64  # parts in which the names of all requests are compared
_COMPRESSION = 1  # of the TFRecords' gzip: level 6 takes three times as long for a file 7 % smaller


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


def _parts(table: pa.Table, keys: pa.ChunkedArray, partitions: int) -> Iterator[tuple[int, pa.Table]]:
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
            yield i, _compact(table.take(pa.array(order[bounds[i] : bounds[i + 1]])))


def _compact(table: pa.Table) -> pa.Table:
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


class _Stage(beam.DoFn):
    def __init__(self, job: Job):
        self._job = job

    def _spill(self) -> Spill:
        return Spill(self._job.staging)

    def _faults(self, faults: pa.Table, spill: Spill) -> Iterator[TaggedOutput]:
        for file in np.unique(faults["file"].to_numpy()):
            yield TaggedOutput("faults", (int(file), spill.write(faults.filter(pc.equal(faults["file"], int(file))))))

    def _rows(self, rows: pa.Table, spill: Spill) -> Iterator[tuple[int, Piece]]:
        for part, table in _parts(rows, rows[self._job.plan.schema.request_id.name], self._job.partitions):
            yield part, spill.write(table)

    def _requests(self, rows: pa.Table | ListRows, spill: Spill) -> Iterator[Any]:
        """Builds requests and sends them where they are finished: to the user's partition, if `Plan.by_user`."""
        plan, partitions = self._job.plan, self._job.partitions
        if isinstance(rows, pa.Table):
            hashes = hash_of(one_array(rows[plan.schema.request_id.name]).unique(), "partition")
            part = hashes % np.uint64(_BUILT)
            for i in np.unique(part).tolist():
                yield TaggedOutput("built", (i, hashes[part == i]))
        lookups = [lookup for lookup in self._job.lookups if not is_history_join(plan, lookup.match)]
        requests, events, faults, cut = build_requests(plan, rows, lookups)
        yield from self._faults(faults, spill)
        if cut:
            yield TaggedOutput("report", {"items_cut": cut})
        if plan.data.split.by == "time":
            times = requests[plan.schema.timestamp.name].to_numpy()
            yield TaggedOutput("times", count_times(times[~self._job.is_earlier(requests)]))
        key = (plan.schema.user_id if plan.by_user else plan.schema.request_id).name
        for part, table in _parts(requests, requests[key], partitions):
            yield TaggedOutput(REQUESTS, (part, (REQUESTS, spill.write(table))))
        if events is not None:
            yield from self._events(events, spill)

    def _events(self, events: pa.Table, spill: Spill) -> Iterator[TaggedOutput]:
        events = last_events(events, self._job.plan.data.history.length)
        for part, table in _parts(events, events["@user"], self._job.partitions):
            yield TaggedOutput(REQUESTS, (part, (EVENTS, spill.write(table))))

    def _capped(self, rows: pa.Table, spill: Spill) -> Iterator[TaggedOutput]:
        """Quarantines rows of requests that have far too many; what they did is part of histories all the same."""
        plan = self._job.plan
        yield from self._faults(too_many_items(plan, rows[FILE].to_numpy(), rows[LINE].to_numpy()), spill)
        if plan.data.too_many_items == "truncate":
            yield TaggedOutput("report", {"items_cut": len(rows)})
        if plan.built_histories:
            lookups = [lookup for lookup in self._job.lookups if not is_history_join(plan, lookup.match)]
            yield from self._events(build_requests(plan, rows, lookups)[1], spill)


class ReadImpressions(_Stage):
    """Source -> (partition, place of rows) that are still to be grouped; also all outputs of `BuildRequests`.

    A file whose first chunk has each request's rows together is taken to be grouped: its requests are built here, all
    but the first and the last, which may go on in another file. Where a request comes back later in the file, the
    report says `scattered`; where it does in another file, `built` shows it.
    """

    def process(self, source: Source) -> Iterator[Any]:
        """Reads one file."""
        progress.info("reading %s", source.name)
        meter = meter_of(self._job)
        direct, begun, last = self._job.direct, False, None
        with self._spill() as spill:
            for read, rows, faults in read_rows(meter.watched(source), self._job.plan):
                meter.add_rows(read)
                yield TaggedOutput("report", {"rows_read": read})
                yield from self._faults(faults, spill)
                if last is not None:
                    rows = pa.concat_tables([last, rows]).combine_chunks()
                rows, cut = cut_rows(self._job.plan, rows)
                if cut is not None:
                    yield from self._capped(cut, spill)
                if direct and len(rows):
                    starts, grouped = self._runs(rows)
                    if begun and not grouped:
                        yield TaggedOutput("report", {"scattered": 1})
                        return
                    direct, last = grouped, _compact(rows.slice(starts[-2])) if grouped else None
                    if grouped:
                        rows = rows.slice(0, starts[-2])
                        if not begun and len(rows):
                            begun = True
                            yield from self._rows(rows.slice(0, starts[1]), spill)
                            rows = rows.slice(starts[1])
                        if len(rows):
                            yield from self._requests(rows, spill)
                if not direct:
                    yield from self._rows(rows, spill)
            if last is not None:
                yield from self._rows(last, spill)

    def _runs(self, rows: pa.Table) -> tuple[np.ndarray, bool]:
        """Where each run of rows of one request begins, and the end; whether each request has one run."""
        codes, _ = codes_of(rows[self._job.plan.schema.request_id.name])
        starts = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
        return starts, len(starts) - 1 == len(np.unique(codes[starts[:-1]]))


class BuildRequests(_Stage):
    """(partition, places of rows) -> nothing; outputs `requests`, `faults`, `report`, `times`, `built`.

    `requests` are (partition, (REQUESTS or EVENTS, place of a table)), `built` (part, hashes of the requests' names).
    """

    def process(self, element: tuple[int, Iterable[Piece]]) -> Iterator[Any]:
        """Builds the requests of one partition."""
        part, pieces = element
        tables = list(read_pieces(pieces))
        # Beam hands over the chunks in any order; the log's order costs no sorting of rows.
        tables.sort(key=lambda table: (table[FILE][0].as_py(), table[LINE][0].as_py()))
        rows = pa.concat_tables(tables).combine_chunks()
        del tables
        progress.info("grouping part %d of %d: %d rows", part + 1, self._job.partitions, len(rows))
        with self._spill() as spill:
            yield from self._requests(rows, spill)


class ReadRequests(_Stage):
    """Source -> nothing; outputs as `BuildRequests`, of layout requests."""

    def process(self, source: Source) -> Iterator[Any]:
        """Reads one file; each of its rows is a request."""
        progress.info("reading %s", source.name)
        meter = meter_of(self._job)
        with self._spill() as spill:
            for read, rows, faults in read_rows(meter.watched(source), self._job.plan):
                meter.add_rows(read)
                yield TaggedOutput("report", {"rows_read": read})
                yield from self._faults(faults, spill)
                yield from self._requests(rows, spill)


class CountItems(_Stage):
    """(partition, (REQUESTS or EVENTS, place of a table)s) -> (part of the items, place of a table of them)."""

    def process(self, element: tuple[int, Iterable[tuple[str, Piece]]], counts=None) -> Iterator[tuple[int, Piece]]:
        """Looks through one partition for items that can be sampled."""
        plan, tables = self._job.plan, []
        for requests in read_pieces(piece for kind, piece in element[1] if kind == REQUESTS):
            tables.append(items_of(plan, requests, self._job.split_of(requests, counts)))
        if tables:
            items = add_items(plan.schema.item_id.name, tables)
            with self._spill() as spill:
                for part, table in _parts(items, items[plan.schema.item_id.name], self._job.partitions):
                    yield part, spill.write(table)


class AddItems(_Stage):
    """(part of the items, places of tables of them) -> the place of one."""

    def process(self, element: tuple[int, Iterable[Piece]]) -> Iterator[Piece]:
        """Adds up one part."""
        with self._spill() as spill:
            place = spill.write(add_items(self._job.plan.schema.item_id.name, read_pieces(element[1])))
        yield place


class WriteRequests(_Stage):
    """(partition, (REQUESTS or EVENTS, place of a table)s) -> a report; writes one shard of each split.

    Where negatives are sampled, another output is `faults`, as of `BuildRequests`.
    """

    def process(
        self,
        element: tuple[int, Iterable[tuple[str, Piece]]],
        counts=None,
        items=(),
    ) -> Iterator[Any]:
        """Finishes one partition: histories, splits, negatives, tf.Examples.

        Args:
          element: the partition.
          counts: of the request times, see splits.py.
          items: the places of `AddItems`.
        """
        part, pieces = element[0], list(element[1])
        tables = {kind: list(read_pieces(piece for k, piece in pieces if k == kind)) for kind in (REQUESTS, EVENTS)}
        if not tables[REQUESTS]:
            return
        plan, schema = self._job.plan, self._job.plan.schema
        requests = pa.concat_tables(tables[REQUESTS]).combine_chunks()
        by = [(name, "ascending") for name in (schema.timestamp.name, schema.request_id.name, FILE, LINE)]
        requests = requests.take(pc.sort_indices(requests, by))
        if plan.built_histories:
            users = one_array(requests[schema.user_id.name])
            times = requests[schema.timestamp.name].to_numpy()
            events = pa.concat_tables([events_schema(plan).empty_table(), *tables[EVENTS]]).combine_chunks()
            built = build_histories(users, times, events, plan.built_histories, plan.data.history.length)
            for name, values in built.items():
                requests = requests.append_column(name, values)
        requests = self._join_histories(requests)
        split = self._job.split_of(requests, counts)
        if plan.data.negatives:
            requests, split, faults, report = add_negatives(
                plan, requests, split, _items(schema.item_id.name, tuple(sorted(items)))
            )
            yield report
            with self._spill() as spill:
                yield from self._faults(faults, spill)
        features = [feature.name for feature in schema.features]
        item_id = one_array(requests[schema.item_id.name])
        sizes = pc.list_value_length(item_id).to_numpy()
        labels = {label.name: _count_positives(one_array(requests[label.name])) for label in schema.labels}
        yield {"rows_in_requests": int(requests[ROWS].to_numpy().sum())}
        for i, name in enumerate(plan.splits):
            mine = split == i
            if mine.any():
                shard = f"data_tfrecord-{part:05d}-of-{self._job.partitions:05d}.gz"
                progress.info("writing %s of split %s: %d requests", shard, name, mine.sum())
                self._write(
                    requests.select(features).filter(pa.array(mine)), os.path.join(self._job.examples[name], shard)
                )
            yield {"requests": {name: int(mine.sum())}, "items": {name: int(sizes[mine].sum())}}
            yield {"labels": {label: {name: _sums(counts, mine)} for label, counts in labels.items()}}
        meter_of(self._job).part_written()

    def _join_histories(self, requests: pa.Table) -> pa.Table:
        for lookup in self._job.lookups:
            if is_history_join(self._job.plan, lookup.match):
                lists = one_array(requests[lookup.match])
                offsets = np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())])
                for name, values in lookup.find(pc.list_flatten(lists)).items():
                    requests = requests.append_column(name, lists_of(offsets, filled(values, "bytes")))
        return requests

    def _write(self, requests: pa.Table, path: str) -> None:
        """Writes a shard under another name first, so that a worker that is run again leaves no half of one."""
        unfinished = os.path.join(self._job.staging, uuid.uuid4().hex)
        options = tf.io.TFRecordOptions("GZIP", compression_level=_COMPRESSION)
        with tf.io.TFRecordWriter(unfinished, options) as writer, concurrent.futures.ThreadPoolExecutor(1) as thread:

            def write(examples):
                for example in examples:
                    writer.write(example)

            # One thread packs what the other has encoded.
            written = []
            for start in range(0, len(requests), _SLICE):
                examples = encode_examples(requests.slice(start, _SLICE))
                for earlier in written[-1:]:
                    earlier.result()
                written.append(thread.submit(write, examples))
            for last in written:
                last.result()
        fileio.rename(unfinished, path, overwrite=True)


@functools.lru_cache(maxsize=1)
def _items(item_id: str, places: tuple[Piece, ...]) -> pa.Table:
    """The items of the whole log, once a process."""
    return add_items(item_id, read_pieces(places))


class WriteQuarantine(_Stage):
    """(file, places of faults) -> a report; reads the rows at fault once more and writes them with their reasons."""

    def process(self, element: tuple[int, Iterable[Piece]]) -> Iterator[dict]:
        """Writes the quarantine of one file."""
        index, pieces = element
        source = self._job.sources[index]
        progress.info("writing the quarantine of %s", source.name)
        # The same few words over and over: as dictionaries, millions of them fit.
        faults = pa.concat_tables(_with_dictionaries(table) for table in read_pieces(pieces)).unify_dictionaries()
        path = os.path.join(self._job.quarantine, f"rows-{index:05d}.jsonl.gz")
        unfinished = os.path.join(self._job.staging, uuid.uuid4().hex)
        reasons = write_faults(source, faults, unfinished)
        fileio.rename(unfinished, path, overwrite=True)
        rows = sum(found["rows"] for name, found in reasons.items() if REASONS[name] != "note")
        yield {"rows_quarantined": rows, "reasons": reasons}


def write_faults(source: Source, faults: pa.Table, path: str) -> dict:
    """Writes the rows of ``faults``, all of one file, with their raw text; returns the reasons' counts."""
    faults = faults.combine_chunks().sort_by("line") if len(faults) else faults

    def rows() -> Iterator[tuple[bytes, int, str, str]]:
        raw = raw_rows(source, faults["line"].to_numpy())
        for start in range(0, len(faults), _FAULTS):
            few = faults.slice(start, _FAULTS)
            columns = [few[name].to_pylist() for name in ("line", "reason", "detail")]
            yield from zip(itertools.islice(raw, len(few)), *columns, strict=True)

    return write_rows(path, source.name, rows())


def _with_dictionaries(faults: pa.Table) -> pa.Table:
    for i, name in enumerate(faults.column_names):
        if pa.types.is_string(faults[name].type):
            faults = faults.set_column(i, name, faults[name].dictionary_encode())
    return faults


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds ingestion to a Beam pipeline; the counts are in `Job.report_path` when it has run."""
    sources = pipeline | "Files" >> beam.Create(job.sources) | "OneByOne" >> beam.Reshuffle()
    outputs = (REQUESTS, "faults", "report", "times", "built")
    if job.plan.data.layout == "impressions":
        read = sources | "ReadRows" >> beam.ParDo(ReadImpressions(job)).with_outputs(*outputs, main="rows")
        grouped = read.rows | "GroupRows" >> beam.GroupByKey()
        built = grouped | "BuildRequests" >> beam.ParDo(BuildRequests(job)).with_outputs(*outputs)
        made = {name: (read[name], built[name]) | f"All[{name}]" >> beam.Flatten() for name in outputs}
    else:
        made = sources | "ReadRequests" >> beam.ParDo(ReadRequests(job)).with_outputs(*outputs)
    again = made["built"] | "Built" >> beam.CombinePerKey(_joined) | "BuiltTwice" >> beam.MapTuple(_count_repeated)
    counts = {}
    if job.plan.data.split.by == "time":
        counts["counts"] = beam.pvalue.AsSingleton(made["times"] | "CountTimes" >> beam.CombineGlobally(add_counts))
    grouped = made[REQUESTS] | "GroupRequests" >> beam.GroupByKey()
    items = {}
    if job.plan.data.negatives:
        counted = grouped | "CountItems" >> beam.ParDo(CountItems(job), **counts)
        added = counted | "GroupItems" >> beam.GroupByKey() | "AddItems" >> beam.ParDo(AddItems(job))
        items["items"] = beam.pvalue.AsList(added)
    writing = beam.ParDo(WriteRequests(job), **counts, **items).with_outputs("faults", main="report")
    written = grouped | "WriteRequests" >> writing
    faults = (made["faults"], written.faults) | "AllFaults" >> beam.Flatten()
    quarantined = faults | "GroupFaults" >> beam.GroupByKey() | "WriteQuarantine" >> beam.ParDo(WriteQuarantine(job))
    report = (made["report"], again, written.report, quarantined) | "AllReports" >> beam.Flatten()
    report = report | "AddReports" >> beam.CombineGlobally(merge_reports)
    _ = report | "WriteReport" >> beam.Map(_write_json, job.report_path)


def _count_positives(grades: pa.Array) -> dict[str, np.ndarray]:
    """Of lists of grades, int64 [requests] each: the positive ones; whether there is any; whether others are too."""
    positive = (grades.flatten().to_numpy() > 0).astype(np.int64)
    sizes = pc.list_value_length(grades).to_numpy()
    sums = np.diff(np.concatenate([[0], np.cumsum(positive)])[np.concatenate([[0], np.cumsum(sizes)])])
    return {
        "positive_items": sums,
        "requests_with_positive": (sums > 0).astype(np.int64),
        "requests_with_both": ((sums > 0) & (sums < sizes)).astype(np.int64),
    }


def _sums(counts: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, int]:
    return {name: int(values[mask].sum()) for name, values in counts.items()}


def _joined(hashes: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.uint64), *hashes])


def _count_repeated(_: int, hashes: np.ndarray) -> dict:
    """How many requests were built in more than one place."""
    return {"scattered": len(hashes) - len(np.unique(hashes))}


def _write_json(report: dict, path: str) -> None:
    with fileio.open(path, "w") as file:
        file.write(json.dumps(report))
