"""The Beam stages from requests to the shards of each split, and from faults to the quarantine."""

import concurrent.futures
import functools
import itertools
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx.dsl.io import fileio

from common.progress import progress
from components.click_log_example_gen.arrow import filled, lists_of, one_array
from components.click_log_example_gen.encode import encode_examples
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.histories import build_histories
from components.click_log_example_gen.job import EVENTS, REQUESTS, Stage, parts
from components.click_log_example_gen.negatives import add_items, add_negatives, items_of
from components.click_log_example_gen.progress import meter_of
from components.click_log_example_gen.quarantine import REASONS, write_rows
from components.click_log_example_gen.requests import ROWS, events_schema, is_history_join
from components.click_log_example_gen.rows import FILE
from components.click_log_example_gen.sources import Source, raw_rows
from components.click_log_example_gen.spill import Piece, read_pieces

_SLICE = 4096  # requests that are encoded at once
_FAULTS = 65536  # rows at fault that are written at once
_COMPRESSION = 1  # of the TFRecords' gzip: level 6 takes three times as long for a file 7 % smaller


class CountItems(Stage):
    """(partition, (REQUESTS or EVENTS, place of a table)s) -> (part of the items, place of a table of them)."""

    def process(self, element: tuple[int, Iterable[tuple[str, Piece]]], counts=None) -> Iterator[tuple[int, Piece]]:
        """Looks through one partition for items that can be sampled."""
        plan, tables = self._job.plan, []
        for requests in read_pieces(piece for kind, piece in element[1] if kind == REQUESTS):
            tables.append(items_of(plan, requests, self._job.split_of(requests, counts)))
        if tables:
            items = add_items(plan.schema.item_id.name, tables)
            with self._spill() as spill:
                for part, table in parts(items, items[plan.schema.item_id.name], self._job.partitions):
                    yield part, spill.write(table)


class AddItems(Stage):
    """(part of the items, places of tables of them) -> the place of one."""

    def process(self, element: tuple[int, Iterable[Piece]]) -> Iterator[Piece]:
        """Adds up one part."""
        with self._spill() as spill:
            place = spill.write(add_items(self._job.plan.schema.item_id.name, read_pieces(element[1])))
        yield place


class WriteRequests(Stage):
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


class WriteQuarantine(Stage):
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
