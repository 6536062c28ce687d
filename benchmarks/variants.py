"""A variant of the ranker as it stands in a flag: ``adv_hsc_moe;bfloat16=true;train.optimizer=lazy_adam``."""

import yaml

from models.ranker.config import ModelConfig
from models.training.config import TrainConfig


def sections(text: str, model: dict | None = None, train: dict | None = None) -> dict[str, dict]:
    """The sections `model` and `train` of a variant; its keys stand above those of ``model`` and ``train``.

    Raises:
      ValueError: for a key or value that there is not (pydantic's ValidationError).
    """
    variant, *pairs = text.split(";")
    found = {"model": {**(model or {}), "variant": variant}, "train": dict(train or {})}
    for pair in pairs:
        key, _, value = pair.partition("=")
        section = "train" if key.startswith("train.") else "model"
        found[section][key.removeprefix("train.").removeprefix("model.")] = yaml.safe_load(value)
    return {
        "model": ModelConfig.model_validate(found["model"]).model_dump(),
        "train": TrainConfig.model_validate(found["train"]).model_dump(),
    }
