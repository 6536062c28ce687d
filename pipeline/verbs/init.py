"""init: look at a log, and write the schema and the configuration that read it."""

import os
import pathlib
import re

from absl import flags

from pipeline.verbs.common import OUT, Refused

_LOG = flags.DEFINE_string("log", None, "The log, a file or a folder; tables to join lie beside it.")
_NAME = flags.DEFINE_string("name", None, "Of the files and of the run; the log's name unless given.")
_SAMPLE_ROWS = flags.DEFINE_integer("sample_rows", 200_000, "Rows to look at in each kind of file.", lower_bound=10)
_HEADER = flags.DEFINE_multi_string(
    "header",
    [],
    "Names of columns for files without a header row, a,b,c, for those of as many columns; or items*=a,b,c for "
    "those whose names match; repeatable.",
)


def init() -> None:
    """Looks, writes, and says what it was unsure of."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pipeline.config import ConfigError, is_run_name, load_config
    from pipeline.inspection.proposal import propose
    from pipeline.inspection.sample import Unreadable, read_samples
    from pipeline.inspection.write import check_free, write_config, write_files, write_schema

    if not _LOG.value:
        raise Refused("init needs --log=<file or folder>")
    log = pathlib.Path(_LOG.value)
    if not os.path.exists(log):  # False, not an error, for what can be no path
        raise Refused(f"{log}: there is no such file or folder")
    name = _NAME.value or re.sub("[^A-Za-z0-9_.-]+", "_", log.name.split(".")[0])[:100].strip("_.-") or "log"
    if not is_run_name(name):
        raise Refused(
            f"--name={name}: must have at most 100 letters, digits, `_`, `.` and `-`, a letter or a digit first"
        )
    folder = pathlib.Path(OUT.value or ".")
    schema_path, config_path = folder / f"{name}.pbtxt", folder / f"{name}.yaml"
    try:
        check_free([schema_path, config_path])
        proposal = propose(read_samples(log, _SAMPLE_ROWS.value, _HEADER.value))
    except (Unreadable, OSError) as error:
        raise Refused(str(error)) from error
    texts = {
        schema_path: write_schema(proposal, name, _LOG.value),
        config_path: write_config(proposal, name, schema_path.name, _LOG.value),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_files(texts)
    except OSError as error:
        raise Refused(
            f"--out={folder}: cannot be written to: {error.strerror}; name a folder that can, or that can be made"
        ) from error
    data = log if log.is_dir() else log.parent
    out = Console()
    table = Table(title=f"{log} as requests", title_justify="left")
    for column in ("feature", "column", "role", "why"):
        table.add_column(column)
    for feature in proposal.features:
        roles = " ".join(tag.removeprefix("role:") for tag in feature.tags if ":" in tag)
        table.add_row(*map(Text, (feature.name, feature.column, f"{feature.scope} {roles}", feature.why)))
    out.print(table)
    for text in proposal.unsure:
        out.print(f"unsure: {text}", markup=False, highlight=False, soft_wrap=True)
    out.print(
        f"\nwritten: {schema_path}, {config_path}. Read them, then", markup=False, highlight=False, soft_wrap=True
    )
    out.print(f"    make run CONFIG={config_path} DATA={data}", markup=False, highlight=False, soft_wrap=True)
    try:
        load_config(config_path, data=str(data))
    except ConfigError as error:
        raise Refused(f"which is refused as it stands: {error}") from error
