"""A run's configuration: one YAML file, read into typed classes and checked before anything starts."""

import datetime
import difflib
import os
import pathlib
import re
import typing
import zoneinfo
from collections.abc import Container, Iterable
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from common.section import Section
from components.category_hierarchy_gen.config import HierarchyConfig
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.plan import check as check_data
from components.evaluator.config import EvaluationConfig
from components.model_report.config import ReportConfig
from models.ranker.config import ModelConfig
from models.ranker.labels import check_features, trained_labels
from models.training.config import TrainConfig
from models.tuning.search_space import TuneConfig, searched
from pipeline.beam import BeamConfig
from schemas.checking import SchemaError
from schemas.log_schema import LogSchema
from schemas.parsing import read_schema

# The name under which rankers are pushed and served.
MODEL = "ranker"
_PROJECT = pathlib.Path(__file__).resolve().parent.parent


class ConfigError(ValueError):
    """A configuration that is refused; names the file, the key, the value and what is allowed."""


class SimulateConfig(Section):
    """The simulated log that stands in where `data.path` is not given."""

    rows: int = Field(300_000, ge=1_000, description="impressions")
    seed: int = Field(1, ge=0)
    category_taste: bool = Field(True, description="what sells differs by category; false: one taste on all shelves")
    inheritance: bool = Field(True, description="a sub-category shares its top's taste; false: it has its own")
    user_taste: bool = Field(True, description="users differ; false: all are alike")


class ValidationConfig(Section):
    """The checks between ingestion and training."""

    on_anomaly: Literal["stop", "warn"] = Field("stop", description="what an anomaly of the statistics does to the run")
    serving_log: str | None = Field(
        None,
        description="a folder of requests as they were served, in the form and the span of the log, with or without "
        "labels; compared with the train split by the schema's skew_comparators",
    )


class AirflowConfig(Section):
    """The DAG that `compile --target=airflow` describes; nothing else reads this."""

    schedule: str = Field("@daily", min_length=1, description="cron expression or preset; one run a day of the log")
    timezone: str = Field("UTC", description="in which a day of the log begins, as Asia/Shanghai")
    start_date: datetime.date = Field(datetime.date(2024, 1, 1), description="the first day")
    end_date: datetime.date | None = Field(None, description="the last day")
    catchup: bool = Field(False, description="run all days since start_date, not the latest alone")
    retries: int = Field(2, ge=0, description="of a task")
    retry_seconds: int = Field(60, ge=0, description="between two attempts")
    timeout_minutes: int = Field(24 * 60, ge=1, description="for an attempt of a task")
    wait_for_day_before: list[str] = Field(
        [], description="tasks that wait until they have succeeded the day before, as [Trainer]; a day that failed "
        "then holds up all after it"
    )  # fmt: skip
    pool: str = Field("default_pool", min_length=1, description="Airflow's pool of the tasks; must be there")
    pools: dict[str, str] = Field({}, description="task: its pool, where that is another, as {Trainer: gpu}")
    queue: str | None = Field(None, description="Airflow's queue of the tasks, whose workers have the project's folder")
    tags: list[str] = Field(["aislerank"], description="in Airflow's list of DAGs")

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, timezone: str) -> str:
        if timezone != "UTC" and timezone not in zoneinfo.available_timezones():
            raise ValueError(f"must be a name as Europe/Berlin. Received: {timezone!r}")
        return timezone


# It becomes a part of longer names of files, of which none may have more than 255 bytes.
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


class RunConfig(Section):
    """The whole of a run."""

    name: RunName = Field(description="the run's folder is runs/<name>")
    log_schema: str = Field(alias="schema", description="schema file; relative to this file, the folder or the project")
    simulate: SimulateConfig | None = None
    data: DataConfig = DataConfig()
    validation: ValidationConfig = ValidationConfig()
    hierarchy: HierarchyConfig = HierarchyConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    tune: TuneConfig = TuneConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    report: ReportConfig = ReportConfig()
    airflow: AirflowConfig = AirflowConfig()
    beam: BeamConfig = BeamConfig()
    stop_after: Literal["validation", "transform", "tune", "push"] = Field(
        "push",
        description="validation: ingest and validate only; transform: all before the training; tune: the search, "
        "no training after it",
    )

    @model_validator(mode="after")
    def _something_to_tune(self):
        if self.stop_after == "tune" and not self.tune.enabled:
            raise ValueError("`stop_after: tune` needs `tune.enabled: true`. Received: false")
        if self.tune.enabled and not searched(self.tune.space, self.model):
            raise ValueError(
                f"`tune.space` must name a key that the variant {self.model.variant} reads. Received: {self.tune.space}"
            )
        return self


class YamlLoader(yaml.SafeLoader):
    """Reads configurations. YAML 1.2's numbers: 1e-3 is a number, where YAML 1.1 reads a text."""

    def construct_mapping(self, node, deep=False):
        """Of a mapping's node; refuses a key that stands there twice."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]  # others the base refuses
        if duplicates := {key for key in keys if keys.count(key) > 1}:
            raise yaml.MarkedYAMLError(
                problem=f"key {sorted(duplicates)[0]!r} stands there twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


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
    values = _read_yaml(path)
    for override in overrides:
        _override(values, override)
    if data:
        if not isinstance(values.get("data") or {}, dict):
            raise ConfigError(f"{path}: `data` must be a section. Received: {values['data']!r}")
        values["data"] = (values.get("data") or {}) | {"path": data}
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, detail) for detail in error.errors())) from error
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


def is_run_name(text: str) -> bool:
    """Whether `RunConfig.name` takes it."""
    try:
        TypeAdapter(RunName).validate_python(text)
    except ValidationError:
        return False
    return True


def unused_keys(model: ModelConfig, among: Container[str] | None = None) -> list[str]:
    """Warns of keys that were set, in the file or by ``--set``, and that the variant does not read.

    Args:
      model: a section as `load_config` gives it.
      among: the keys that are looked at, as "model.experts"; all unless given.
    """
    keys = [f"model.{key}" for key in model.unread]
    named = ", ".join(f"`{key}`" for key in keys if among is None or key in among)
    return [f"{named}: not used by the variant {model.variant}"] if named else []


def describe_keys(section: type[Section] = RunConfig, prefix: str = "") -> str:
    """All keys with default and meaning, a line each, for a command's help."""
    lines = []
    for name, field in section.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        if inner := _sections_in(field.annotation):
            lines.append(describe_keys(inner[0], f"{key}."))
        else:
            default = "needed" if field.is_required() else field.default
            lines.append(f"  {key} ({default})" + (f": {field.description}" if field.description else ""))
    return "\n".join(lines)


def _read_yaml(path: str | os.PathLike) -> dict:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as error:  # a ValueError: not UTF-8, or a path that no file can have
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    values = _parse_yaml(text, f"{path}: is no YAML")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold keys and values. Allowed keys: {', '.join(_keys(RunConfig))}")
    return values


def _parse_yaml(text: str, problem: str):
    try:
        return yaml.load(text, Loader=YamlLoader)
    except Exception as error:  # PyYAML lets out what int(), datetime() and dict() say, and RecursionError
        raise ConfigError(f"{problem}: {error}") from error


def _override(values: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set needs key=value, as in model.experts=16. Received: {override!r}")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if inner is None:
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: `{section}` is no section")
        values = inner
    values[last] = _parse_yaml(text, f"--set {override}: the value is no YAML")


def _explain(path, detail: dict) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    received = "" if detail["type"] in ("missing", "value_error") else f". Received: {detail['input']!r}"
    if detail["type"] == "extra_forbidden":
        allowed = _keys(_section_at(detail["loc"][:-1]))
        close = difflib.get_close_matches(str(detail["loc"][-1]), allowed, 1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        return f"{path}: unknown key `{key}`.{hint} Allowed here: {', '.join(allowed)}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}: `{key}`: {message}{received}" if key else f"{path}: {message}{received}"


def _section_at(location: tuple) -> type[Section]:
    section = RunConfig
    for part in location:
        field = section.model_fields.get(part) if isinstance(part, str) else None
        candidates = _sections_in(field.annotation) if field else [section]
        section = candidates[0] if candidates else section
    return section


def _is_section(annotation) -> bool:
    # In Python 3.10 list[int] passes for a class, and yet not for one that issubclass takes.
    return typing.get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, Section)


def _sections_in(annotation) -> list[type[Section]]:
    if _is_section(annotation):
        return [annotation]
    return [section for inner in getattr(annotation, "__args__", ()) for section in _sections_in(inner)]


def _keys(section: type[Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


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
