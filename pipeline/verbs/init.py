"""init: look at a log, and write the schema and the configuration that read it."""

import argparse
import os
import pathlib
import re
import typing

from pipeline.verbs.parser import Parser, Refused, number

if typing.TYPE_CHECKING:
    from rich.table import Table

    from pipeline.inspection.draft import Proposal


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.add_argument("--log", help="The log, a file or a folder; tables to join lie beside it.")
    parser.add_argument("--out", help="The folder to write to; without the flag, this folder.")
    parser.add_argument("--name", help="The name of the files and of the run; without the flag, the log's name.")
    parser.add_argument(
        "--sample_rows", type=number(int, 10), default=200_000, help="Rows to look at in each kind of file."
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        help="Names of columns for files without a header row: a,b,c for files with as many columns, or items*=a,b,c "
        "for files whose names match; repeatable.",
    )


def init(flags: argparse.Namespace) -> None:
    """Looks at the log, writes the two files, and says what it was unsure of."""
    from pipeline.config import ConfigError, load_config
    from pipeline.sections import is_run_name
    from pipeline.terminal.console import quiet

    if not flags.log:
        raise Refused("init needs --log=<file or folder>")
    log = pathlib.Path(flags.log)
    if not os.path.exists(log):  # False, not an error, for what can be no path
        raise Refused(f"{log}: there is no such file or folder")
    name = flags.name or re.sub("[^A-Za-z0-9_.-]+", "_", log.name.split(".")[0])[:100].strip("_.-") or "log"
    if not is_run_name(name):
        raise Refused(
            f"--name={name}: must have at most 100 letters, digits, `_`, `.` and `-`, a letter or a digit first"
        )
    folder = pathlib.Path(flags.out or ".")
    schema_path, config_path = folder / f"{name}.pbtxt", folder / f"{name}.yaml"
    with quiet(os.devnull) as (out, _):  # ingestion's readers import TensorFlow
        from pipeline.inspection.proposal import propose
        from pipeline.inspection.sample import Unreadable, read_samples
        from pipeline.inspection.write import check_free, write_config, write_files, write_schema

        try:
            check_free([schema_path, config_path])
            proposal = propose(read_samples(log, flags.sample_rows, flags.header))
        except (Unreadable, OSError) as error:
            raise Refused(str(error)) from error
        texts = {
            schema_path: write_schema(proposal, name, flags.log),
            config_path: write_config(proposal, name, schema_path.name, flags.log),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_files(texts)
        except OSError as error:
            raise Refused(
                f"--out={folder}: cannot be written to: {error.strerror}; name a folder that can, or that can be made"
            ) from error
        data = log if log.is_dir() else log.parent
        out.print(_table(proposal, f"{log} as requests"))
        for text in (
            *(f"unsure: {text}" for text in proposal.unsure),
            f"\nwritten: {schema_path}, {config_path}. Read them, then",
            f"    make run CONFIG={config_path} DATA={data}",
        ):
            out.print(text, markup=False, highlight=False, soft_wrap=True)
        try:
            load_config(config_path, data=str(data))
        except ConfigError as error:
            raise Refused(f"which is refused as it stands: {error}") from error


def _table(proposal: "Proposal", title: str) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in ("feature", "column", "role", "why"):
        table.add_column(column)
    for feature in proposal.features:
        roles = " ".join(tag.removeprefix("role:") for tag in feature.tags if ":" in tag)
        table.add_row(*map(Text, (feature.name, feature.column, f"{feature.scope} {roles}", feature.why)))
    return table
