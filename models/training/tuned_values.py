"""The values that a search has found: as KerasTuner writes them, and put into a configuration."""

import json
from typing import Any

from models.ranker.config import ModelConfig
from models.training.config import TrainConfig


def with_values(model: ModelConfig, train: TrainConfig, values: dict[str, Any]) -> tuple[ModelConfig, TrainConfig]:
    """Both sections with ``values`` put in by key, as in {"model.experts": 16}.

    Raises:
      ValueError: if a section does not allow one of the values.
    """
    sections = {"model": model.model_dump(), "train": train.model_dump()}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections[section][name] = value
    return ModelConfig.model_validate(sections["model"]), TrainConfig.model_validate(sections["train"])


def encode(values: list) -> list:
    """Values as KerasTuner takes them: numbers of one type as they are, all other values as JSON."""
    types = {type(value) for value in values}
    return values if types in ({int}, {float}) else [json.dumps(value) for value in values]


def decode(values: dict[str, Any]) -> dict[str, Any]:
    """Values by key as they stand in a configuration, from those of KerasTuner."""
    return {key: json.loads(value) if isinstance(value, str) else value for key, value in values.items()}
