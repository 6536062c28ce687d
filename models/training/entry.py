"""TFX Trainer's entry point."""

import dataclasses
import hashlib
import json
import os

import tensorflow as tf
import tensorflow_transform as tft

from common.files import TRAINING_FILE
from common.splits import EARLIER
from common.threads import use_cores
from common.warnings import attempt, keep_warnings
from models.distributed.cluster import train_on_workers
from models.distributed.strategies import is_chief, strategy_of
from models.export.signatures import ServedRanker
from models.inputs.features import ranker_inputs
from models.inputs.hierarchy import CategoryHierarchy, hierarchy_folder, read_hierarchy
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.config import TrainConfig
from models.training.loop import TrainingResult, discard_checkpoints, fit, progress, with_weights_of
from models.training.tensorboard.pictures import Inside
from models.training.tensorboard.projector import write_projector
from models.tuning.search_space import decode, with_values
from schemas.reader import LogSchema, parse_schema

# TensorBoard's run of the weights that were kept.
KEPT = "kept"


def run_fn(fn_args) -> None:
    """Trains the configured ranker and saves it with its signatures; in processes of their own for `multi_worker`.

    Args:
      fn_args: TFX's FnArgs. ``custom_config`` holds ``schema`` (text), ``model`` and ``train``
        (`ModelConfig` and `TrainConfig` as dictionaries), ``code`` (fingerprint of the source) and
        ``checkpoints`` (a folder that outlives the run). ``hyperparameters``, if a search found some,
        stand in for what ``custom_config`` says of the same keys. ``base_model``, if given, is an earlier model whose
        weights the ranker takes over (models/training/warm_start.py); it is trained on the newest span alone then.
        Writes `TRAINING_FILE`, what it warned of and TensorBoard's logs to ``model_run_dir``.

    Raises:
      TrainingFault: if the training goes wrong; no model is saved.
    """
    _, train_config, _ = _configuration(fn_args)
    with keep_warnings(fn_args.model_run_dir):
        if train_config.strategy == "multi_worker":
            train_on_workers(fn_args, train_config.workers)
        else:
            train(fn_args)


def train(fn_args) -> None:
    """`run_fn` in this process; of the workers of a cluster, all call it and the chief saves."""
    use_cores()
    model_config, train_config, tuned = _configuration(fn_args)
    strategy_of(train_config)  # before TensorFlow computes anything
    custom = fn_args.custom_config
    schema = parse_schema(custom["schema"])
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    checkpoints = os.path.join(custom["checkpoints"], training_key(fn_args, model_config, train_config))
    hierarchy = read_hierarchy(hierarchy_folder(fn_args.transform_graph_path))
    ranker = new_ranker(schema, fn_args.transform_graph_path, model_config, train_config, hierarchy)
    earlier = weights_to_start_from(fn_args.base_model)
    taken_over = {}

    def start(ranker: Ranker) -> None:
        rows = warm_start.rows_of(ranker, schema, transform_output, hierarchy)
        taken_over.update(warm_start.take_over(ranker, rows, earlier))
        progress.info("warm start: %s", warm_start.summary(taken_over))

    result = fit(
        ranker,
        # Of what is older, the other has learnt.
        [files for files in fn_args.train_files if not (earlier and _split(files) == EARLIER)],
        fn_args.eval_files,
        transform_output.transformed_feature_spec(),
        train_config,
        checkpoint_dir=checkpoints,
        log_dir=fn_args.model_run_dir,
        start=start if earlier else None,
        inspect=Inside(hierarchy),
    )
    if not is_chief():
        return
    if train_config.strategy != "default":
        # What is served has the variables of one device; those of several would ask the other workers on the way.
        alone = train_config.model_copy(update={"strategy": "default"})
        [batch] = read_requests(fn_args.eval_files, transform_output.transformed_feature_spec(), 1).take(1)
        plain = new_ranker(schema, fn_args.transform_graph_path, model_config, alone, hierarchy)
        ranker = with_weights_of(ranker, plain, batch)
    ServedRanker(ranker, transform_output, hierarchy, schema).save(fn_args.serving_model_dir)
    rows = warm_start.rows_of(ranker, schema, transform_output, hierarchy)
    warm_start.save(ranker, rows, warm_start.weights_path(fn_args.serving_model_dir))
    kept = os.path.join(fn_args.model_run_dir, KEPT)
    attempt("TensorBoard's projector", write_kept, result, ranker, rows, schema, hierarchy, kept)
    write_result(result, ranker, tuned, os.path.join(fn_args.model_run_dir, TRAINING_FILE), taken_over)
    discard_checkpoints(checkpoints)


def weights_to_start_from(base_model: str | None) -> str | None:
    """The weights of an earlier model, by the folder of its SavedModel; None if there is none to start from."""
    if not base_model:
        return None
    path = warm_start.weights_path(base_model)
    if tf.io.gfile.exists(path):
        return path
    progress.warning("%s is missing: the model was made before its weights were kept, training starts afresh", path)
    return None


def _split(files: str) -> str:
    """The split that a pattern of TFX's takes the files of."""
    return os.path.basename(os.path.dirname(files)).removeprefix("Split-")


def _configuration(fn_args) -> tuple[ModelConfig, TrainConfig, dict]:
    """Both sections, and the values in them that a search has found."""
    custom = fn_args.custom_config
    tuned = decode((fn_args.hyperparameters or {}).get("values", {}))
    model, train = ModelConfig.model_validate(custom["model"]), TrainConfig.model_validate(custom["train"])
    return *with_values(model, train, tuned), tuned


def new_ranker(
    schema: LogSchema,
    transform_graph: str,
    model: ModelConfig,
    train: TrainConfig,
    hierarchy: CategoryHierarchy | None = None,
) -> Ranker:
    """An untrained ranker; sets the process' random seed to that of ``train``, from which its weights follow.

    Args:
      schema: of the log.
      transform_graph: folder of Transform's output, which also holds the hierarchy.
      model, train: the configuration.
      hierarchy: that of the folder, for who has read it already.
    """
    hierarchy = hierarchy or read_hierarchy(hierarchy_folder(transform_graph))
    inputs = ranker_inputs(schema, tft.TFTransformOutput(transform_graph), hierarchy)
    tf.keras.utils.set_random_seed(train.seed)
    with strategy_of(train).scope():
        return Ranker(schema, inputs, model, train.seed)


def training_key(fn_args, model: ModelConfig, train: TrainConfig) -> str:
    """A name for just this training, to keep its state by: same data, same configuration, same code.

    The folder of that name must not be inside the run's own output folder: TFX gives the next run a
    new one, and a killed training could not be resumed.
    """
    files = [fn_args.transform_graph_path, *fn_args.train_files, *fn_args.eval_files]
    code = [fn_args.custom_config[name] for name in ("schema", "code")]
    inputs = [*files, *code, model.model_dump(), train.model_dump(), fn_args.base_model]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


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


def write_result(
    result: TrainingResult, ranker: Ranker, tuned: dict, path: str, taken_over: dict | None = None
) -> None:
    """Writes what a training did, as JSON.

    Beside the `TrainingResult`: ``parameters``, the number of trained ones; ``hyperparameters``, the tuned values;
    ``warm_start``, the report of `models.training.warm_start.take_over`, or {}.
    """
    parameters = int(sum(tf.size(variable).numpy() for variable in ranker.trainable_variables))
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        more = {"parameters": parameters, "hyperparameters": tuned, "warm_start": taken_over or {}}
        json.dump(dataclasses.asdict(result) | more, file, indent=2)
