"""The ranker inside a model, rebuilt, so that one can look at its experts and feed it shuffled features."""

import json
import os

import tensorflow as tf
import tensorflow_transform as tft

from common.files import TRAINING_FILE
from models.inputs.hierarchy import CategoryHierarchy
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.config import TrainConfig
from models.training.entry import new_ranker
from models.tuning.search_space import with_values
from schemas.log_schema import LogSchema


class CannotRebuild(RuntimeError):
    """The model was not made of this log, configuration and code; the message says what is missing."""


def read_training(model_run: str) -> dict:
    """What the training did, see `models.training.entry.write_result`; {} if that is not known."""
    path = os.path.join(model_run, TRAINING_FILE)
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)


def trained_config(model: ModelConfig, train: TrainConfig, training: dict) -> tuple[ModelConfig, TrainConfig]:
    """What was trained: the configuration, with the values that a search has found."""
    model, train = with_values(model, train, training.get("hyperparameters", {}))
    return model, train.model_copy(update={"strategy": "default"})


def rebuild(
    serving_model: str,
    schema: LogSchema,
    transform_graph: str,
    hierarchy: CategoryHierarchy,
    model: ModelConfig,
    train: TrainConfig,
    batch: dict,
) -> Ranker:
    """The ranker that was exported to the folder ``serving_model``, with the weights that lie beside it.

    Args:
      serving_model: folder of the SavedModel.
      schema, transform_graph, hierarchy: what it was trained on.
      model, train: of `trained_config`.
      batch: transformed requests, any, by which its variables are made.

    Raises:
      CannotRebuild: if there are no weights, or not all of its weights.
    """
    weights = warm_start.weights_path(serving_model)
    if not tf.io.gfile.exists(weights):
        raise CannotRebuild(f"{weights} is missing: the model was made before its weights were kept")
    ranker = new_ranker(schema, transform_graph, model, train, hierarchy)
    ranker(batch)
    rows = warm_start.rows_of(ranker, schema, tft.TFTransformOutput(transform_graph), hierarchy)
    report = warm_start.take_over(ranker, rows, weights)
    fresh = [
        *report["weights_fresh"],
        *(kind for kind, of in report["rows"].items() if of["from_parent"] + of["fresh"]),
    ]
    if fresh:
        raise CannotRebuild(f"{weights} does not hold all weights: {fresh[0]} is missing")
    return ranker
