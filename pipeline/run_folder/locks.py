"""File locks, so that two processes do not write to one folder. The system releases the lock of a dead process."""

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator

from common.progress import progress


class Busy(RuntimeError):
    """Another process holds the lock; the message names the process, the folder and the remedy."""


@contextlib.contextmanager
def alone(path: pathlib.Path, place: str | os.PathLike, *, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Holds a lock during the block.

    Args:
      path: the lock's file. It is made, and holds the id of the last process that took the lock.
      place: the folder or task that the lock protects, for messages.
      shared: share the lock with other processes that pass True; a process that passes False is kept out.
      wait: wait for the process that holds the lock, instead of raising `Busy`.

    Raises:
      Busy: another process holds the lock, and ``wait`` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read() or "unknown"
            if not wait:
                raise Busy(
                    f"{place}: the process {holder} is at work there already. Wait for its end, or end it and start "
                    "again: what it has finished is reused"
                ) from None
            progress.warning("the process %s is at %s already; waiting for its end", holder, place)
            fcntl.flock(file, kind)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def run_lock(folder: pathlib.Path) -> pathlib.Path:
    """The lock of a run's folder: a whole run holds it alone, an orchestrator's tasks share it."""
    return folder / "run.lock"
