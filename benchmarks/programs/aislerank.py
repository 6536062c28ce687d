"""The project's own training, as the Trainer component runs it: `models.training.loop.fit` on transformed requests."""

import tempfile
from collections.abc import Callable

import tensorflow as tf

from benchmarks.workers import answer
from common.threads import use_cores
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.loop import fit
from models.training.placement import new_ranker
from schemas.parsing import parse_schema


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``schema`` (text), ``transform_graph``, ``train_files`` and ``valid_files`` (glob patterns), ``model``
    and ``train`` (sections of the configuration), ``threads``.

    Each measurement is a training from scratch.
    """
    use_cores()
    model, train = ModelConfig.model_validate(settings["model"]), TrainConfig.model_validate(settings["train"])
    files = settings["train_files"], settings["valid_files"]
    data = TrainingData(parse_schema(settings["schema"]), settings["transform_graph"], *files)

    def measure():
        tf.keras.backend.clear_session()
        ranker = new_ranker(data, model, train)
        with tempfile.TemporaryDirectory() as folder:
            result = fit(
                ranker,
                data.train_files,
                data.valid_files,
                data.feature_spec,
                train,
                checkpoint_dir=f"{folder}/checkpoints",
                log_dir=folder,
            )
        return {"items_per_second": result.items_per_second}

    return measure


if __name__ == "__main__":
    answer(prepare)
