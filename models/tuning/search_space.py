"""The section `tune` of a run's YAML file: how a search proceeds, and which values it tries."""

import dataclasses
import difflib
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from common.section import Section
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig

_SECTIONS = {"model": ModelConfig, "train": TrainConfig}
# The variant and the tasks say what is compared, the best of many seeds is luck, and the devices and the limits at
# which a training is ended change nothing.
_NOT_TUNED = {
    "model.variant",
    "model.tasks",
    "model.score_weights",
    "train.seed",
    "train.strategy",
    "train.workers",
    "train.max_adversarial_ratio",
    "train.max_session_auc",
    "train.max_expert_share",
    "train.on_collapse",
}
_DEFAULT = {
    "model": {
        "experts": [4, 10, 16, 32],
        "top_k": [1, 2, 4, 8],
        "disagreeing": [1, 2],
        "hidden": [[64, 32], [128, 64], [256, 128]],
        "embedding_size": [8, 16, 32],
        "hsc_weight": {"min": 1e-4, "max": 1.0, "log": True},
        "adv_weight": {"min": 1e-4, "max": 1e-1, "log": True},
    },
    "train": {"learning_rate": {"min": 3e-4, "max": 3e-3, "log": True}},
}


@dataclasses.dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included, whole numbers if both are; ``log``: even in the logarithm."""

    low: int | float
    high: int | float
    log: bool


class TuneConfig(Section):
    """The search for hyperparameters, judged by the session AUC of the validation split."""

    enabled: bool = Field(False, description="search before training, and train with the best found")
    trials: int = Field(20, ge=1, description="trainings; fewer if the space has no more combinations")
    algorithm: Literal["bayesian", "random"] = Field("bayesian", description="KerasTuner's oracle")
    epochs: int | None = Field(None, ge=1, description="of a trial; those of `train` unless named")
    seed: int = Field(1, ge=1, description="of the search; a trial's own is that of `train`")
    space: dict[str, dict[str, Any]] = Field(
        _DEFAULT,
        description="by section and key, a list of values or {min, max, log}; what is not named is not searched",
    )

    @field_validator("space")
    @classmethod
    def _searchable(cls, space: dict) -> dict:
        for key, values in _flat(space).items():
            _parse(key, values)
        return space


def searched(space: dict[str, dict[str, Any]], model: ModelConfig) -> dict[str, list | Range]:
    """The values to search by key, as in "model.experts", without the keys that the variant does not read."""
    return {
        key: _parse(key, values)
        for key, values in _flat(space).items()
        if not key.startswith("model.") or model.reads(key.removeprefix("model."))
    }


def show(value) -> str:
    """A value as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _flat(space: dict) -> dict[str, Any]:
    return {f"{section}.{name}": values for section, keys in space.items() for name, values in keys.items()}


def _parse(key: str, values) -> list | Range:
    section, _, name = key.partition(".")
    allowed = [
        allowed
        for prefix, section_class in _SECTIONS.items()
        for field in section_class.model_fields
        if (allowed := f"{prefix}.{field}") not in _NOT_TUNED
    ]
    if key not in allowed:
        close = difflib.get_close_matches(key, allowed, 1) if key not in _NOT_TUNED else []
        hint = f" Did you mean `{close[0]}`?" if close else ""
        raise ValueError(f"`{key}` cannot be tuned.{hint} Allowed: {', '.join(allowed)}")
    field = _SECTIONS[section].model_fields[name]
    one = TypeAdapter(Annotated[field.annotation, field], config=ConfigDict(strict=True))
    try:
        if isinstance(values, list) and values:
            return [one.validate_python(value) for value in values]
        if isinstance(values, dict) and {"min", "max"} <= values.keys() <= {"min", "max", "log"}:
            return _range(key, values, one)
    except ValidationError as error:
        detail = error.errors()[0]
        raise ValueError(f"`{key}`: {detail['msg']}. Received: {detail['input']!r}") from error
    raise ValueError(f"`{key}` must be a list of values or {{min: , max: , log: true or false}}. Received: {values!r}")


def _range(key: str, values: dict, one: TypeAdapter) -> Range:
    found = Range(one.validate_python(values["min"]), one.validate_python(values["max"]), values.get("log", False))
    if not {type(found.low), type(found.high)} <= {int, float} or not isinstance(found.log, bool):
        raise ValueError(f"`{key}`: `min` and `max` must be numbers, `log` true or false. Received: {values!r}")
    if found.low >= found.high or (found.log and found.low <= 0):
        raise ValueError(f"`{key}`: `min` must be below `max`, and above 0 if `log`. Received: {values!r}")
    return found
