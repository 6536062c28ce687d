"""Reads a run's configuration from one YAML file, and checks it before anything starts."""

import os
import pathlib
from collections.abc import Iterable

from pydantic import ValidationError

from components.click_log_example_gen.plan import check as check_data
from models.ranker.labels import check_features, trained_labels
from pipeline.sections import RunConfig, explain, keys_of
from pipeline.yaml_values import ConfigError, override, read_yaml
from schemas.checking import SchemaError
from schemas.log_schema import LogSchema
from schemas.parsing import read_schema

_PROJECT = pathlib.Path(__file__).resolve().parent.parent


def load_config(
    path: str | os.PathLike, overrides: Iterable[str] = (), data: str | None = None, needs_log: bool = True
) -> tuple[RunConfig, LogSchema]:
    """Reads and checks a run's configuration.

    Args:
      path: the YAML file.
      overrides: "model.experts=16" and the like; the value is read as YAML.
      data: the folder of the log, for `data.path`.
      needs_log: whether there must be a log to train on.

    Returns:
      the configuration, and the schema it names. `data.path`, if given, is absolute.

    Raises:
      ConfigError: naming file, key, value and what is allowed.
    """
    values = read_yaml(path, keys_of(RunConfig))
    for text in overrides:
        override(values, text)
    if data:
        if not isinstance(values.get("data") or {}, dict):
            raise ConfigError(f"{path}: `data` must be a section. Received: {values['data']!r}")
        values["data"] = (values.get("data") or {}) | {"path": data}
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(explain(path, detail) for detail in error.errors())) from error
    schema_path = _find(config.log_schema, path)
    try:
        schema = read_schema(schema_path)
    except SchemaError as error:
        raise ConfigError(str(error)) from error
    _check_against_schema(config, schema, path)
    if needs_log and config.data.path is None and config.simulate is None:
        raise ConfigError(f"{path}: `data.path` is missing. Name the log's folder there or with --data (DATA= in make)")
    if config.data.path:  # whoever reads the configuration sees by `simulate` whether the log is a simulated one
        config = config.model_copy(update={"simulate": None})
    if config.data.path and "://" not in config.data.path:
        folder = os.path.abspath(config.data.path)
        if needs_log and not os.path.isdir(folder):
            raise ConfigError(f"{path}: `data.path` must be a folder. Received: {config.data.path!r}")
        config = config.model_copy(update={"data": config.data.model_copy(update={"path": folder})})
    return config.model_copy(update={"log_schema": str(schema_path)}), schema


def _find(schema: str, config_path) -> pathlib.Path:
    folders = [pathlib.Path(config_path).resolve().parent, pathlib.Path.cwd(), _PROJECT]
    for folder in folders:
        if os.path.isfile(folder / schema):  # False, not an error, for what can be no path
            return folder / schema
    places = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    raise ConfigError(f"{config_path}: `schema`: no file {schema!r} in {places}")


def _check_against_schema(config: RunConfig, schema: LogSchema, path) -> None:
    """Refuses what the schema makes impossible."""
    try:
        trained_labels(schema, config.model)
    except ValueError as error:
        raise ConfigError(f"{path}: `model.tasks`: {error} (schema: {config.log_schema})") from error
    try:
        check_features(schema, config.model)
    except ValueError as error:
        raise ConfigError(f"{path}: `model`: {error} (schema: {config.log_schema})") from error
    needed = {"validation": {"train"}, "tune": {"train", "valid"}}.get(config.stop_after, {"train", "valid", "test"})
    splits = config.data.split
    names = set((splits.values or {}).values()) if splits.by == "column" else set(splits.fractions)
    if not needed <= names:
        key = "values" if splits.by == "column" else "fractions"
        raise ConfigError(
            f"{path}: `data.split.{key}` must name the splits {', '.join(sorted(needed))}. "
            f"Received: {', '.join(sorted(names)) or 'none'}"
        )
    folder = config.validation.serving_log
    if folder and not schema.has_skew_comparator:
        raise ConfigError(
            f"{path}: `validation.serving_log` is given, and no feature of {config.log_schema} has a skew_comparator"
        )
    if folder and (config.data.tables or config.data.history.build):
        raise ConfigError(
            f"{path}: `validation.serving_log` needs rows that hold all features: neither `data.tables` nor "
            "`data.history.build` is made up for what was served"
        )
    if folder and "://" not in folder and not os.path.isdir(folder):
        raise ConfigError(f"{path}: `validation.serving_log` must be a folder. Received: {folder!r}")
    depth = len(schema.categories)
    for level in config.evaluation.slice_levels:
        if not 1 <= level <= depth:
            raise ConfigError(
                f"{path}: `evaluation.slice_levels` must be in [1, {depth}], the category levels of "
                f"{config.log_schema}. Received: {level}"
            )
    try:
        check_data(config.data, schema)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
