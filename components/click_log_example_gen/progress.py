"""How far ingestion is: what the readers and writers of this process have read and written, together."""

import dataclasses
import threading

from common.progress import Meter, speed
from components.click_log_example_gen.sources import Source

_MEGABYTE = 1e6
_lock = threading.Lock()
_last: tuple[object, "IngestionMeter | None"] = (None, None)


class IngestionMeter:
    """Counts over all files and parts, whichever of Beam's threads works on them.

    Args:
      sources: the files of the log.
      partitions: how many parts will be written.
    """

    def __init__(self, sources: tuple[Source, ...], partitions: int):
        megabytes = sum(source.size for source in sources) / _MEGABYTE
        self._reading = Meter("MB", max(1, round(megabytes)), doing="reading")
        self._writing = Meter("parts", partitions, doing="writing")
        self._rows = 0

    def watched(self, source: Source) -> Source:
        """The same file, whose bytes are counted as it is read."""
        counted = 0.0

        def on_read(size: float) -> None:
            nonlocal counted
            figures = [f"{self._rows:,} rows", speed(self._rows, self._reading.seconds, "rows")] if self._rows else []
            self._reading.add((size - counted) / _MEGABYTE, *figures)
            counted = size

        return dataclasses.replace(source, on_read=on_read)

    def add_rows(self, count: int) -> None:
        """So many rows more are read; they are said with the next bytes."""
        with _lock:
            self._rows += count

    def part_written(self) -> None:
        """One more is written."""
        self._writing.add()


def meter_of(job) -> IngestionMeter:
    """The one meter of a job in this process, for which Beam makes copies of the job."""
    global _last
    with _lock:
        if _last[0] != (key := (job.staging, job.direct)):
            _last = (key, IngestionMeter(job.sources, job.partitions))
        return _last[1]
