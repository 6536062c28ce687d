"""The Beam stages from files to requests. Elements are places of tables on disk, never the rows themselves."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from common.progress import progress
from components.click_log_example_gen.arrow import codes_of, one_array
from components.click_log_example_gen.capping import cut_rows, last_events, too_many_items
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.job import EVENTS, REQUESTS, Stage, compact, parts
from components.click_log_example_gen.progress import meter_of
from components.click_log_example_gen.requests import build_requests, is_history_join
from components.click_log_example_gen.rows import FILE, ListRows, read_rows
from components.click_log_example_gen.sources import Source
from components.click_log_example_gen.spill import Piece, Spill, read_pieces
from components.click_log_example_gen.splits import count_times, hash_of

_BUILT = 64  # parts in which the names of all requests are compared


class _RequestStage(Stage):
    def _rows(self, rows: pa.Table, spill: Spill) -> Iterator[tuple[int, Piece]]:
        for part, table in parts(rows, rows[self._job.plan.schema.request_id.name], self._job.partitions):
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
        for part, table in parts(requests, requests[key], partitions):
            yield TaggedOutput(REQUESTS, (part, (REQUESTS, spill.write(table))))
        if events is not None:
            yield from self._events(events, spill)

    def _events(self, events: pa.Table, spill: Spill) -> Iterator[TaggedOutput]:
        events = last_events(events, self._job.plan.data.history.length)
        for part, table in parts(events, events["@user"], self._job.partitions):
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


class ReadImpressions(_RequestStage):
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
                    direct, last = grouped, compact(rows.slice(starts[-2])) if grouped else None
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


class BuildRequests(_RequestStage):
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


class ReadRequests(_RequestStage):
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
