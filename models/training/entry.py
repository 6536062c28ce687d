"""TFX Trainer's entry point: settings, data, ranker, fit, export."""

import os
from collections.abc import Sequence

import tensorflow as tf

from common.files import TRAINING_FILE
from common.progress import progress
from common.splits import EARLIER
from common.threads import use_cores
from common.warnings import attempt, keep_warnings
from models.distributed.cluster import train_on_workers
from models.distributed.strategies import is_chief, strategy_of
from models.export.signatures import ServedRanker
from models.inputs.hierarchy import CategoryHierarchy
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.checkpoints import discard_checkpoints, training_key
from models.training.data import TrainingData
from models.training.errors import TrainingFault
from models.training.loop import fit
from models.training.placement import new_ranker, on_one_device
from models.training.result import TrainingResult, write_result
from models.training.settings import Settings, read_settings
from models.training.tensorboard.pictures import Inside
from models.training.tensorboard.projector import write_projector
from schemas.log_schema import LogSchema

# TensorBoard's run of the weights that were kept.
KEPT = "kept"
# What `train` reads of TFX's FnArgs: the job of a worker.
_JOB = (
    "train_files",
    "eval_files",
    "transform_graph_path",
    "serving_model_dir",
    "model_run_dir",
    "base_model",
    "custom_config",
    "hyperparameters",
)


def run_fn(fn_args) -> None:
    """Trains the configured ranker and saves it with its signatures; in worker processes for `multi_worker`.

    Args:
      fn_args: TFX's FnArgs.

        * ``custom_config``: ``schema``, the text of the log's schema; ``model`` and ``train``, the sections
          `ModelConfig` and `TrainConfig` as dictionaries; ``checkpoints``, a folder that outlives the run; ``code``,
          the fingerprint of the source.
        * ``hyperparameters``: None, or KerasTuner's best values, which replace those of ``model`` and ``train``.
        * ``train_files``, ``eval_files``: glob patterns of the transformed requests to train on and to validate on.
        * ``transform_graph_path``: Transform's output, with the category hierarchy.
        * ``base_model``: None, or an earlier model. The ranker starts from its weights (models/training/warm_start.py)
          and is trained on the newest span alone.
        * ``serving_model_dir``: for the SavedModel; its weights are written beside it.
        * ``model_run_dir``: for `TRAINING_FILE`, warnings and TensorBoard's logs.

    Raises:
      TrainingFault: if the training must not go on; no model is saved.
    """
    settings = read_settings(fn_args.custom_config, fn_args.hyperparameters)
    with keep_warnings(fn_args.model_run_dir):
        if settings.train.strategy == "multi_worker":
            job = {name: getattr(fn_args, name) for name in _JOB}
            train_on_workers(job, settings.checkpoints, settings.train.workers, TrainingFault)
        else:
            train(settings, fn_args)


def train(settings: Settings, fn_args) -> None:
    """Trains and saves in this process. All workers of a cluster call it, and the chief saves.

    Args:
      settings: read from ``fn_args``.
      fn_args: for files and folders, see `run_fn`.
    """
    use_cores()
    strategy_of(settings.train.strategy)  # before TensorFlow computes anything
    earlier = _weights_to_start_from(fn_args.base_model)
    data = TrainingData(
        settings.schema,
        fn_args.transform_graph_path,
        _newest(fn_args.train_files) if earlier else fn_args.train_files,
        fn_args.eval_files,
    )
    ranker = new_ranker(data, settings.model, settings.train)
    taken_over = _take_over(ranker, data, earlier) if earlier else {}
    key = training_key(data, settings.model, settings.train, settings.code, fn_args.base_model)
    checkpoints = os.path.join(settings.checkpoints, key)
    result = fit(
        ranker,
        data.train_files,
        data.valid_files,
        data.feature_spec,
        settings.train,
        checkpoint_dir=checkpoints,
        log_dir=fn_args.model_run_dir,
        inspect=Inside(data.hierarchy),
    )
    if not is_chief():
        return
    if settings.train.strategy != "default":
        ranker = on_one_device(ranker, data, settings.train)
    ServedRanker(ranker, data.transform_output, data.hierarchy, data.schema).save(fn_args.serving_model_dir)
    rows = _rows_of(ranker, data)
    warm_start.save(ranker, rows, warm_start.weights_path(fn_args.serving_model_dir))
    kept = os.path.join(fn_args.model_run_dir, KEPT)
    attempt("TensorBoard's projector", write_kept, result, ranker, rows, data.schema, data.hierarchy, kept)
    write_result(result, ranker, settings.tuned, os.path.join(fn_args.model_run_dir, TRAINING_FILE), taken_over)
    discard_checkpoints(checkpoints)


def _weights_to_start_from(base_model: str | None) -> str | None:
    """The weights of an earlier model, by the folder of its SavedModel; None if there is none to start from."""
    if not base_model:
        return None
    path = warm_start.weights_path(base_model)
    if tf.io.gfile.exists(path):
        return path
    progress.warning("%s is missing: the model was made before its weights were kept, training starts afresh", path)
    return None


def _newest(train_files: Sequence[str]) -> list[str]:
    """Without the patterns of the split `EARLIER`: the earlier model has been trained on that split."""
    return [files for files in train_files if os.path.basename(os.path.dirname(files)) != f"Split-{EARLIER}"]


def _take_over(ranker: Ranker, data: TrainingData, weights: str) -> dict:
    """Starts the ranker from the weights of an earlier model; gives the report of `warm_start.take_over`."""
    report = warm_start.take_over(ranker, _rows_of(ranker, data), weights)
    progress.info("warm start: %s", warm_start.summary(report))
    return report


def _rows_of(ranker: Ranker, data: TrainingData) -> warm_start.Rows:
    return warm_start.rows_of(ranker, data.schema, data.transform_output, data.hierarchy)


def write_kept(
    result: TrainingResult,
    ranker: Ranker,
    rows: warm_start.Rows,
    schema: LogSchema,
    hierarchy: CategoryHierarchy,
    folder: str,
) -> None:
    """Writes what TensorBoard shows of the weights that were kept, a run of its own: it looks for a projector's files
    once, when it first sees a run."""
    write_projector(ranker, rows, schema, hierarchy, folder)
    with tf.summary.create_file_writer(folder).as_default(result.best_step):
        tf.summary.text("kept", f"The weights of step {result.best_step}; session AUC {result.session_auc:.4f}.")
