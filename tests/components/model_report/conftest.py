"""A small log and a model that was trained on it, which the tests of the report share."""

import dataclasses
import pathlib

import pytest
import tensorflow as tf

from common.files import TRAINING_FILE
from models.export.signatures import ServedRanker
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.config import TrainConfig
from models.training.loop import fit
from models.training.result import write_result
from tests.models.conftest import SmallLog


@dataclasses.dataclass(frozen=True)
class Trained:
    """A model as Trainer leaves it: `model` holds the SavedModel and its weights, `model_run` what the training did."""

    config: ModelConfig
    train: TrainConfig
    ranker: Ranker
    model: pathlib.Path
    model_run: pathlib.Path


def train(log: SmallLog, folder: pathlib.Path, epochs: int, **model) -> Trained:
    """Of 0 epochs it has the weights that it was born with."""
    config = ModelConfig(**{"experts": 4, "top_k": 2, "hidden": [16], "embedding_size": 4} | model)
    train_config = TrainConfig(epochs=max(1, epochs), learning_rate=1e-2, max_session_auc=1)
    tf.keras.utils.set_random_seed(1)
    ranker = Ranker(log.schema, log.inputs, config)
    run, saved = folder / "model_run", folder / "model" / "Format-Serving"
    if epochs:
        files = log.train_files, log.valid_files
        result = fit(ranker, *files, log.feature_spec, train_config, str(folder / "state"), str(run))
        write_result(result, ranker, {}, str(run / TRAINING_FILE))
    else:
        for batch in read_requests(log.valid_files, log.feature_spec, 8).take(1):
            ranker(batch)
    ServedRanker(ranker, log.transform_output, log.hierarchy, log.schema).save(str(saved))
    rows = warm_start.rows_of(ranker, log.schema, log.transform_output, log.hierarchy)
    warm_start.save(ranker, rows, warm_start.weights_path(str(saved)))
    return Trained(config, train_config, ranker, folder / "model", run)


@pytest.fixture(scope="session")
def moe(small_log, tmp_path_factory) -> Trained:
    return train(small_log, tmp_path_factory.mktemp("moe"), epochs=12)
