"""The sections of a run's configuration."""

import datetime
import difflib
import typing
import zoneinfo
from collections.abc import Container
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from common.section import Section
from components.category_hierarchy_gen.config import HierarchyConfig
from components.click_log_example_gen.config import DataConfig
from components.evaluator.config import EvaluationConfig
from components.model_report.config import ReportConfig
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.tuning.search_space import TuneConfig, searched
from pipeline.beam import BeamConfig


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
        [],
        description="tasks that wait until they have succeeded the day before, for example [RankerTrainer]; a day that "
        "failed then holds up all later days",
    )
    pool: str = Field("default_pool", min_length=1, description="Airflow's pool of the tasks; must be there")
    pools: dict[str, str] = Field(
        {}, description="task: its pool, where it is another, for example {RankerTrainer: gpu}"
    )
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


def explain(path, detail: dict) -> str:
    """What pydantic found wrong in a configuration, in a sentence with the file, the key and what is allowed."""
    key = ".".join(str(part) for part in detail["loc"])
    received = "" if detail["type"] in ("missing", "value_error") else f". Received: {detail['input']!r}"
    if detail["type"] == "extra_forbidden":
        allowed = keys_of(_section_at(detail["loc"][:-1]))
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


def keys_of(section: type[Section]) -> list[str]:
    """The keys of a section, as the YAML file has them."""
    return [field.alias or name for name, field in section.model_fields.items()]
