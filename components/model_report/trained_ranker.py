"""The ranker inside a model, rebuilt, so that one can look at its experts and feed it shuffled features."""

import json
import os

import tensorflow as tf

from common.files import TRAINING_FILE
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.tuned_values import with_values


class CannotRebuild(RuntimeError):
    """The model was not made of this log, configuration and code; the message says what is missing."""


def read_training(model_run: str) -> dict:
    """What the training did, see `models.training.result.write_result`; {} if that is not known."""
    path = os.path.join(model_run, TRAINING_FILE)
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)


def trained_config(model: ModelConfig, train: TrainConfig, training: dict) -> ModelConfig:
    """The configuration of the ranker that was trained: ``model``, with the values that a search has found."""
    return with_values(model, train, training.get("hyperparameters", {}))[0]


def rebuild(serving_model: str, data: TrainingData, model: ModelConfig, batch: dict) -> Ranker:
    """The ranker that was exported to the folder ``serving_model``, with the weights that lie beside it.

    Args:
      serving_model: folder of the SavedModel.
      data: that it was trained on; its files are not read.
      model: of `trained_config`.
      batch: transformed requests, any, by which its variables are made.

    Raises:
      CannotRebuild: if there are no weights, or not all of its weights.
    """
    weights = warm_start.weights_path(serving_model)
    if not tf.io.gfile.exists(weights):
        raise CannotRebuild(f"{weights} is missing: the model was made before its weights were kept")
    ranker = Ranker(data.schema, data.inputs, model)
    ranker(batch)
    rows = warm_start.rows_of(ranker, data.schema, data.transform_output, data.hierarchy)
    report = warm_start.take_over(ranker, rows, weights)
    fresh = [
        *report["weights_fresh"],
        *(kind for kind, of in report["rows"].items() if of["from_parent"] + of["fresh"]),
    ]
    if fresh:
        raise CannotRebuild(f"{weights} does not hold all weights: {fresh[0]} is missing")
    return ranker
