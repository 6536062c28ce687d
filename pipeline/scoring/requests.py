"""How a log is read when its requests are only to be scored: nobody has clicked yet."""

import glob
import os
import pathlib

from google.protobuf import text_format

from components.click_log_example_gen.config import DataConfig, History, Split, Table
from models.export.limits import MOST_ITEMS, MOST_PAIRS
from schemas.log_schema import LogSchema
from schemas.parsing import parse_schema


class ScoringError(ValueError):
    """What cannot be scored; the message says why and how to go on."""


def without_outcomes(data: DataConfig, schema: LogSchema) -> tuple[DataConfig, LogSchema]:
    """The section `data` and the schema for requests that are only to be scored.

    Rows are read and checked as for training, with these differences:

    * Labels, weights, positions and hidden features are not read, whether the log has them or not. (A hidden feature
      by which a table is joined or the category path is found is read.)
    * All requests are in one split, and none is left out but those longer than a model takes.
    * No negatives are sampled.
    * Histories are not built, since there are no clicks to build them of: the log brings them, in columns (or fields)
      that are named like the features.

    Args:
      data: as for training.
      schema: of the log.
    """
    path = data.category_path
    used = {table.match for table in data.tables} | set(path.candidates or () if path else ())
    dropped = {feature.name for feature in schema.outcomes} | {feature.name for feature in schema.hidden} - used

    def kept(values: dict) -> dict:
        return {name: value for name, value in values.items() if name not in dropped}

    tables = [table.model_copy(update={"columns": kept(table.columns)}) for table in data.tables]
    update = {
        "columns": kept(data.columns),
        "constants": kept(data.constants),
        "missing": kept(data.missing),
        "grades": {},
        "tables": [table for table in tables if table.columns],
        "negatives": None,
        "history": History(length=data.history.length),
        "window": 1,
        "split": Split(by="request", fractions={"all": 1.0}),
        "min_items": 1,
        "max_items": min(MOST_ITEMS, MOST_PAIRS // data.history.length),
    }
    proto = type(schema.proto)()
    proto.CopyFrom(schema.proto)
    del proto.feature[:]
    proto.feature.extend(feature for feature in schema.proto.feature if feature.name not in dropped)
    text = text_format.MessageToString(proto, as_utf8=True)
    return data.model_copy(update=update), parse_schema(text, labelled=False)


def with_input(data: DataConfig, folder: pathlib.Path) -> DataConfig:
    """The section `data` with the log in ``folder``; a table that is not there comes from `data.path`.

    Raises:
      ScoringError: if the folder has no file of the log, or there is no table.
    """
    if not folder.is_dir():
        raise ScoringError(f"--input must be a folder. Received: {str(folder)!r}")
    if not log_files(data, folder):
        there = sorted(path.name for path in folder.iterdir())
        listed = ", ".join(there[:10]) + (", ..." if len(there) > 10 else "")
        raise ScoringError(
            f"--input: no file in {str(folder)!r} matches `data.files` ({data.files}). There are: {listed or 'none'}. "
            "If the files have other names than those of training, say so with --set 'data.files=\"...\"'"
        )
    tables = [_with_files(table, data.path, folder) for table in data.tables]
    return data.model_copy(update={"path": str(folder), "tables": tables})


def log_files(data: DataConfig, folder: pathlib.Path) -> list[str]:
    """The files of the log; of a log in spans, those of all spans."""
    # {SPAN}, {YYYY} and so on are filled in by TFX, when it reads.
    parts = data.files.replace("}", "{").split("{")
    return _files(folder, "*".join(parts[::2]))


def table_files(data: DataConfig) -> list[str]:
    """The files of the tables, of a `data` of `with_input`."""
    return [path for table in data.tables for path in _files(pathlib.Path(data.path), table.files)]


def _with_files(table: Table, log: str | None, folder: pathlib.Path) -> Table:
    if _files(folder, table.files):
        return table
    if log is None or not _files(pathlib.Path(log), table.files):
        raise ScoringError(
            f"`data.tables`: there is no file {table.files} in --input ({folder}), nor in "
            f"`data.path` ({log or 'not given'}). Name the local folder that has it with --data (DATA= in make)"
        )
    return table.model_copy(update={"files": os.path.join(glob.escape(log), table.files)})


def _files(folder: pathlib.Path, pattern: str) -> list[str]:
    found = glob.glob(os.path.join(glob.escape(str(folder)), pattern), recursive=True)
    return sorted(path for path in found if not os.path.isdir(path))
