"""The project's own training, as the Trainer component runs it: `models.training.loop.fit` on transformed requests."""

import tempfile
from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft

from benchmarks.workers import answer
from common.threads import use_cores
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.entry import new_ranker
from models.training.loop import fit
from schemas.parsing import parse_schema


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``schema`` (text), ``transform_graph``, ``train_files`` and ``valid_files`` (glob patterns), ``model``
    and ``train`` (sections of the configuration), ``threads``.

    Each measurement is a training from scratch.
    """
    use_cores()
    model, train = ModelConfig.model_validate(settings["model"]), TrainConfig.model_validate(settings["train"])
    schema, graph = parse_schema(settings["schema"]), settings["transform_graph"]
    feature_spec = tft.TFTransformOutput(graph).transformed_feature_spec()

    def measure():
        tf.keras.backend.clear_session()
        ranker = new_ranker(schema, graph, model, train)
        with tempfile.TemporaryDirectory() as folder:
            result = fit(
                ranker,
                settings["train_files"],
                settings["valid_files"],
                feature_spec,
                train,
                checkpoint_dir=f"{folder}/checkpoints",
                log_dir=folder,
            )
        return {"items_per_second": result.items_per_second}

    return measure


if __name__ == "__main__":
    answer(prepare)
