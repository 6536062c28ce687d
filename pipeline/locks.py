"""Locks on files, so that two processes do not write to one place; the system takes them from a process that dies."""

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator

from common.progress import progress


class Busy(RuntimeError):
    """Another process holds the lock; the message names it, the place and the remedy."""


@contextlib.contextmanager
def alone(path: pathlib.Path, place: str | os.PathLike, *, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Holds a lock, or refuses.

    Args:
      path: the lock's file; it is made, and holds the number of the process that took it last.
      place: what is written to, for the message.
      shared: with others that ask so; one that does not is kept out.
      wait: for the end of the process that holds it, instead of refusing.

    Raises:
      Busy: if another process holds it.
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
    """The lock of a run's folder: one whole run at a time, or any number of an orchestrator's tasks."""
    return folder / "run.lock"
