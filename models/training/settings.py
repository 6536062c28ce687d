"""The settings of a training or a search, read once from what TFX hands over."""

import dataclasses
from typing import Any

from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.tuned_values import decode, with_values
from schemas.log_schema import LogSchema
from schemas.parsing import parse_schema


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to train and how.

    Attributes:
      schema: of the log.
      model, train: the configuration, with the tuned values in it.
      tuned: the values that a search has found, by key as in "model.experts"; {} without a search.
      checkpoints: the folder for checkpoints. It outlives the run.
      code: the fingerprint of the code that trains.
    """

    schema: LogSchema
    model: ModelConfig
    train: TrainConfig
    tuned: dict[str, Any]
    checkpoints: str
    code: str


def read_settings(custom_config: dict[str, Any], hyperparameters: dict[str, Any] | None = None) -> Settings:
    """The settings in TFX's FnArgs.

    Args:
      custom_config: see `models.training.entry.run_fn`.
      hyperparameters: KerasTuner's best hyperparameters. Their values replace those of ``custom_config``.
    """
    tuned = decode((hyperparameters or {}).get("values", {}))
    model = ModelConfig.model_validate(custom_config["model"])
    model, train = with_values(model, TrainConfig.model_validate(custom_config["train"]), tuned)
    schema = parse_schema(custom_config["schema"])
    return Settings(schema, model, train, tuned, custom_config["checkpoints"], custom_config["code"])
