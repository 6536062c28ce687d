"""A ranker on the made-up log as it is pushed, and requests for it."""

import pathlib

import numpy as np

from benchmarks.made_up_log import HISTORY_LENGTH
from models.export.signatures import ServedRanker
from models.inputs.features import id_name
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.placement import new_ranker
from schemas.log_schema import Feature, LogSchema
from schemas.parsing import parse_schema


def export(settings: dict, folder: str | pathlib.Path) -> LogSchema:
    """Writes a SavedModel; gives the log's schema.

    Settings: ``schema`` (text), ``transform_graph``, ``valid_files`` (glob patterns), ``model`` (section of the
    configuration), ``folded`` (whether the gate is a table). The ranker is not trained: that makes no difference to the
    time.
    """
    schema = parse_schema(settings["schema"])
    data = TrainingData(schema, settings["transform_graph"], valid_files=settings["valid_files"])
    ranker = new_ranker(data, ModelConfig.model_validate(settings["model"]), TrainConfig())
    ServedRanker(ranker, data.transform_output, data.hierarchy, schema, settings["folded"]).save(str(folder))
    return schema


def requests(schema: LogSchema, signature: str, items: int, count: int) -> list[dict]:
    """Requests of `rank` or `rank_ids`, by input name: most with a known category, with up to 20 past items."""
    rng = np.random.default_rng(1)
    return [dict(_input(rng, feature, signature, items) for feature in schema.model_inputs) for _ in range(count)]


def _input(rng, feature: Feature, signature: str, items: int) -> tuple:
    count = int(rng.integers(1, HISTORY_LENGTH + 1)) if feature.is_history else items
    size = None if feature.is_scalar else count
    if feature.dtype == "bytes":
        numbers = rng.integers(0, 1_000, size)
        if signature == "rank_ids":
            return id_name(feature), np.int64(numbers % 10)
        return feature.name, f"sub{numbers % 143}" if feature.is_scalar else np.char.mod("%d", numbers).astype(bytes)
    return feature.name, np.float32(rng.integers(0, 50, size))
