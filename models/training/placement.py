"""Rankers on the devices of a strategy: a new one, and the copy of a trained one on a single device."""

import tensorflow as tf

from models.distributed.strategies import strategy_of
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.data import TrainingData


def new_ranker(data: TrainingData, model: ModelConfig, train: TrainConfig) -> Ranker:
    """An untrained ranker with its variables, on the devices of `train.strategy`.

    Sets the random seed of the process to `train.seed`, from which the initial weights follow.

    Args:
      data: for the ranker's inputs; a request of its validation split creates the variables.
      model: the ranker's configuration.
      train: for seed and strategy.
    """
    inputs = data.inputs
    tf.keras.utils.set_random_seed(train.seed)
    with strategy_of(train.strategy).scope():
        ranker = Ranker(data.schema, inputs, model, train.seed)
        for batch in read_requests(data.valid_files, data.feature_spec, 1).take(1):
            ranker(batch)
    return ranker


def on_one_device(trained: Ranker, data: TrainingData, train: TrainConfig) -> Ranker:
    """A copy of ``trained``, whose variables are on one device; the variables of several workers need all of them.

    Args:
      trained: made by `new_ranker` of the same ``data`` and ``train``.
    """
    copy = new_ranker(data, trained.config, train.model_copy(update={"strategy": "default"}))
    for weight, other in zip(copy.own_variables, trained.own_variables, strict=True):
        weight.assign(other.numpy())
    return copy
