"""Consoles on the real stdout and stderr, while the output of libraries goes to a file."""

import contextlib
import os
import sys
import typing
from collections.abc import Iterator

from rich.console import Console

_WIDTH_OF_FILES = 120


@contextlib.contextmanager
def quiet(log: str) -> Iterator[tuple[Console, Console]]:
    """Redirects all output of libraries to stdout and stderr, that of C++ included, to a file.

    Args:
      log: the file; output is appended.

    Yields:
      consoles on the real stdout and stderr.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    real = [os.dup(1), os.dup(2)]
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    out, err = (os.fdopen(descriptor, "w", encoding="utf-8") for descriptor in real)
    try:
        yield _console(out), _console(err)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        out.flush()
        err.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        out.close()
        err.close()


def _console(file: typing.TextIO) -> Console:
    """A console on the real file. Rich reads the width of the descriptors 0, 1 and 2, which are redirected now."""
    if not os.isatty(file.fileno()):
        return Console(file=file, width=_WIDTH_OF_FILES)
    console = Console(file=file)
    measure(console)
    return console


def measure(console: Console) -> None:
    """Sets the console to the present size of its terminal."""
    with contextlib.suppress(OSError, ValueError):  # the file is no terminal
        columns, lines = os.get_terminal_size(console.file.fileno())
        if columns and lines:
            console.size = (columns, lines)
