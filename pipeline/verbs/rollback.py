"""rollback: serve an earlier pushed version again."""

import pathlib

from absl import flags

from pipeline.verbs.common import CONFIG, DATA, RUNS, SET, Refused

_TO = flags.DEFINE_integer("to", None, "The version to serve; the one before the present unless given.")
_LIST = flags.DEFINE_bool("list", False, "List the pushed versions and change nothing.")


def rollback() -> None:
    """Withdraws the versions above an earlier one, which servers then take."""
    from rich.console import Console
    from rich.table import Table

    from pipeline.config import MODEL, ConfigError, load_config
    from pipeline.run_folder.database import METADATA_FILE
    from pipeline.run_folder.rollback import RollbackError, list_versions, roll_back

    try:
        config, _ = load_config(CONFIG.value, SET.value, DATA.value, needs_log=False)
    except ConfigError as error:
        raise Refused(str(error)) from error
    run = pathlib.Path(RUNS.value) / config.name
    folder, metadata = run / "serving" / MODEL, run / METADATA_FILE
    said = []
    if not _LIST.value:
        try:
            served, withdrawn = roll_back(folder, metadata, _TO.value)
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
