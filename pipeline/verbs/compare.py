"""compare: two finished runs side by side."""

import argparse
import contextlib
import os
import pathlib

from pipeline.verbs.parser import Parser, Refused


def add_flags(parser: Parser) -> None:
    """Adds the verb's words and flags."""
    parser.usage = "%(prog)s <run> <another run> [--out=<file>.html]"
    parser.description += (
        " Runs are folders, for example runs/monday runs/tuesday; a difference is the second run's figure minus the "
        "first's. Figures are paired by request where both runs were evaluated on the same requests; the tables say "
        "where they were not. Also writes a page."
    )
    parser.add_argument("runs", nargs="*", metavar="<run> <another run>", help="The folders of two runs.")
    parser.add_argument(
        "--out", help="The page; without the flag, comparison-with-<run>.html in the second run's folder."
    )


def compare(flags: argparse.Namespace) -> None:
    """Shows how the second run differs from the first, and writes a page."""
    if len(flags.runs) != 2 or not all(flags.runs):
        given = " ".join(filter(None, flags.runs)) or "none"
        raise Refused(f"compare: takes <run> <another run>. Received: {given}")
    first, second = flags.runs
    from common.escaping import printable
    from pipeline.terminal.console import quiet

    name = os.path.basename(os.path.realpath(first))
    out = pathlib.Path(flags.out or pathlib.Path(second) / f"comparison-with-{name}.html")
    if flags.out:
        _prepare(out)
    with quiet(os.devnull) as (console, _):
        from pipeline.comparison import page
        from pipeline.comparison.compare import compare as compared
        from pipeline.comparison.runs import ComparisonError, read_runs
        from pipeline.comparison.screen import screen

        try:
            runs = read_runs(first, second)
        except ComparisonError as error:
            raise Refused(printable(str(error))) from error
        _prepare(out)
        comparison = compared(*runs)
        html = page.render(comparison, *runs)
        temporary = out.with_name(f".{out.name[:100]}.tmp")
        with _writing(out):  # whole at once
            temporary.write_text(html, encoding="utf-8")
            temporary.replace(out)
        console.print(screen(comparison))
        console.print(str(out), markup=False, highlight=False, soft_wrap=True)


def _prepare(path: pathlib.Path) -> None:
    """Finds out whether it can be written before the work is done."""
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise Refused(f"--out={path}: is a folder; name a file")


@contextlib.contextmanager
def _writing(path: pathlib.Path):
    try:
        yield
    except OSError as error:
        raise Refused(f"{path}: cannot be written: {error.strerror}; name another file with --out=<file>") from error
