"""TFX Trainer's entry point."""

import dataclasses
import hashlib
import json
import os

import tensorflow as tf
import tensorflow_transform as tft

from models.config import ModelConfig, TrainConfig
from models.export import ServedRanker
from models.features import ranker_inputs
from models.ranker import Ranker
from models.training import TrainingResult, fit
from schemas.reader import LogSchema, parse_schema

RESULT_FILE = "training.json"


def run_fn(fn_args) -> None:
    """Trains the configured ranker and saves it with its signatures.

    Args:
      fn_args: TFX's FnArgs. ``custom_config`` holds ``schema`` (text), ``model`` and ``train``
        (`ModelConfig` and `TrainConfig` as dictionaries), ``code`` (fingerprint of the source) and
        ``checkpoints`` (a folder that outlives the run).
        Writes `RESULT_FILE` and TensorBoard's logs to ``model_run_dir``.
    """
    custom = fn_args.custom_config
    model_config = ModelConfig.model_validate(custom["model"])
    train_config = TrainConfig.model_validate(custom["train"])
    schema = parse_schema(custom["schema"])
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    checkpoints = _checkpoint_dir(fn_args)
    ranker = new_ranker(schema, transform_output, model_config, train_config)
    result = fit(
        ranker,
        fn_args.train_files,
        fn_args.eval_files,
        transform_output.transformed_feature_spec(),
        train_config,
        checkpoint_dir=checkpoints,
        log_dir=fn_args.model_run_dir,
    )
    ServedRanker(ranker, transform_output, schema).save(fn_args.serving_model_dir)
    write_result(result, ranker, os.path.join(fn_args.model_run_dir, RESULT_FILE))
    tf.io.gfile.rmtree(checkpoints)


def new_ranker(
    schema: LogSchema, transform_output: tft.TFTransformOutput, model: ModelConfig, train: TrainConfig
) -> Ranker:
    """An untrained ranker; sets the process' random seed to that of ``train``, from which its weights follow."""
    tf.keras.utils.set_random_seed(train.seed)
    return Ranker(schema, ranker_inputs(schema, transform_output), model, train.seed)


def _checkpoint_dir(fn_args) -> str:
    """A folder for the checkpoints of just this training: same data, same configuration, same code.

    It must not be the run's own output folder: TFX gives the next run a new one, and a killed
    training could not be resumed.
    """
    inputs = [fn_args.transform_output, *fn_args.train_files, *fn_args.eval_files, fn_args.custom_config]
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    return os.path.join(fn_args.custom_config["checkpoints"], key)


def write_result(result: TrainingResult, ranker: Ranker, path: str) -> None:
    """Writes what a training did, and the ranker's number of trained ``parameters``, as JSON."""
    parameters = int(sum(tf.size(variable).numpy() for variable in ranker.trainable_variables))
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        json.dump(dataclasses.asdict(result) | {"parameters": parameters}, file, indent=2)
