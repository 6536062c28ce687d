"""rollback: serve an earlier pushed version again."""

import argparse
import pathlib

from pipeline.verbs.parser import Parser, Refused, add_run_flags, load


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    add_run_flags(parser)
    parser.add_argument("--to", type=int, help="The version to serve; without the flag, the one before the served one.")
    parser.add_boolean("list", False, "List the pushed versions and change nothing.")


def rollback(flags: argparse.Namespace) -> None:
    """Withdraws the versions above an earlier version, so that servers take the earlier one."""
    from rich.console import Console
    from rich.table import Table

    from pipeline.model_names import RANKER
    from pipeline.run_folder.database import METADATA_FILE
    from pipeline.run_folder.rollback import RollbackError, list_versions, roll_back

    config, _ = load(flags, needs_log=False)
    run = pathlib.Path(flags.runs) / config.name
    folder, metadata = run / "serving" / RANKER, run / METADATA_FILE
    said = []
    if not flags.list:
        try:
            served, withdrawn = roll_back(folder, metadata, flags.to)
        except RollbackError as error:
            raise Refused(str(error)) from error
        gone = ", ".join(map(str, withdrawn))
        said = [
            f"{folder / str(served)} is served{f', withdrawn: {gone}' if withdrawn else ''}. Servers that watch the "
            "folder change over by themselves.",
            "The next run compares its model with this version. One that comes to a withdrawn model again does not "
            "push it.",
        ]
    versions = list_versions(folder, metadata)
    if not versions:
        raise Refused(f"{folder}: holds no pushed version")
    table = Table("version", "pushed", "session AUC", "")
    for version in versions:
        auc = "-" if version.session_auc is None else f"{version.session_auc:.4f}"
        table.add_row(str(version.number), version.pushed, auc, version.state)
    console = Console()
    console.print(table)
    for line in said:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
