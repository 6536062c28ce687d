"""Fits a ranker: steps, validation, early stopping, and checkpoints from which a killed run resumes."""

import dataclasses
import functools
import math
import os
import tempfile
import time
from collections.abc import Callable

import tensorflow as tf

from common.progress import Meter, keep, progress, speed
from common.warnings import attempt
from models.distributed.strategies import is_chief
from models.inputs.reading import count_requests, read_requests
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.optimizers import make_optimizer
from models.training.watch import Watch


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    Attributes:
      steps: of the optimizer, those before a resumption included.
      requests: in the training split.
      best_step: the step whose weights were kept.
      session_auc: of the validation split at that step; NaN if no request has a click and a non-click.
      seconds: of this process; a resumed run counts only its own.
      items_per_second: items trained on in these seconds, validation and start-up left out.
      resumed_from_step: 0 for a run that was not resumed.
    """

    steps: int
    requests: int
    best_step: int
    session_auc: float
    seconds: float
    items_per_second: float
    resumed_from_step: int


def fit(
    ranker: Ranker,
    train_files: list[str],
    valid_files: list[str],
    feature_spec: dict,
    config: TrainConfig,
    checkpoint_dir: str,
    log_dir: str,
    prepare: Callable[[dict], dict] | None = None,
    start: Callable[[Ranker], object] | None = None,
    inspect: Callable[[Ranker, dict], object] | None = None,
) -> TrainingResult:
    """Trains ``ranker`` in place and leaves it with the weights of its best validation.

    Of several workers, all call it alike; the chief alone writes, and is left with the best weights.

    Args:
      ranker: not yet compiled, made in the scope of the strategy that it is to be trained by.
      train_files, valid_files: glob patterns of transformed requests.
      feature_spec: to parse them.
      config: see `TrainConfig`.
      checkpoint_dir: if it holds checkpoints of a killed run, training goes on from the last.
      log_dir: for TensorBoard.
      prepare: applied to each batch of both splits, see `read_requests`.
      start: called with the ranker when its variables are made, to set them to other values than the random ones.
      inspect: called after each validation, by the chief, with the ranker and a batch of the validation split, the same
        each time; what it gives to `tf.summary` is TensorBoard's run ``inside``.

    Raises:
      TrainingFault: if the training goes wrong, see `Watch`; the checkpoints are those from before.
    """
    started = time.monotonic()
    requests, to_validate = count_requests(train_files), count_requests(valid_files)
    for split, files, count in (("train", train_files, requests), ("valid", valid_files, to_validate)):
        if not count:
            raise ValueError(f"the split {split} has no request ({', '.join(files)}); see `data.split`")
    stretches = config.epochs * config.validations_per_epoch
    steps_per_stretch = max(1, requests * config.epochs // config.batch_requests // stretches)
    total_steps = stretches * steps_per_stretch
    strategy = ranker.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if config.batch_requests < replicas:
        raise ValueError(
            f"`train.batch_requests` must be at least 1 for each of the {replicas} replicas of "
            f"`train.strategy: {config.strategy}`. Received: {config.batch_requests}"
        )
    with strategy.scope():
        ranker.compile(optimizer=make_optimizer(config, total_steps))
    feature_spec = {name: spec for name, spec in feature_spec.items() if name in ranker.features}

    def batches_of(files, shard, **options):
        return read_requests(files, feature_spec, config.batch_requests, shard=shard, prepare=prepare, **options)

    sample = _create_variables(ranker, batches_of(valid_files, (0, 1, 1)))
    if start:
        start(ranker)
    state = _TrainingState(ranker, checkpoint_dir, config.patience)
    first_step = state.restore()
    if first_step:
        progress.info("resuming from step %d of %d", first_step, total_steps)
        keep(f"the checkpoint of step {first_step:,}")
    report = _Report(log_dir, total_steps, inspect and functools.partial(inspect, ranker, sample))
    if not state.stopped and first_step < total_steps:
        train = _for_all(
            strategy,
            lambda shard: batches_of(
                train_files,
                shard,
                shuffle_requests=config.shuffle_requests,
                seed=config.seed,
                repeat=None,
                skip_batches=first_step,
                deal_by=ranker.labels[0].name,
                pieces=replicas,
            ).apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)),
        )
        valid = _for_all(strategy, lambda shard: batches_of(valid_files, shard))
        read_again = [functools.partial(batches_of, files, (0, 1, 1)) for files in (train_files, valid_files)]
        # To Keras an epoch is the stretch between two validations.
        ranker.fit(
            train,
            steps_per_epoch=steps_per_stretch,
            initial_epoch=first_step // steps_per_stretch,
            epochs=stretches,
            validation_data=valid,
            # Of a stream for several, Keras wants to be told.
            validation_steps=math.ceil(to_validate / config.batch_requests / replicas) if replicas > 1 else None,
            verbose=0,
            # First, so that no checkpoint is written of a training that went wrong.
            callbacks=[Watch(config, *read_again), report, state],
        )
    steps = int(ranker.optimizer.iterations.numpy())
    if is_chief():
        state.restore_best()
    return TrainingResult(
        steps=steps,
        requests=requests,
        best_step=int(state.best_step.numpy()),
        session_auc=float(state.best.numpy()),
        seconds=time.monotonic() - started,
        items_per_second=report.items_per_second,
        resumed_from_step=first_step,
    )


def discard_checkpoints(folder: str) -> None:
    """Removes the state of a training that is done with."""
    # First what a resumption looks for. Half removed, the folder would be taken for that of a killed training, whose
    # last checkpoint is there and whose best is not.
    tf.io.gfile.remove(os.path.join(folder, "last", "checkpoint"))
    tf.io.gfile.rmtree(folder)


def _for_all(strategy: tf.distribute.Strategy, read: Callable[[tuple[int, int, int]], tf.data.Dataset]):
    """What ``read`` gives for the shard of this process, dealt in turn to its replicas."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return read((0, 1, 1))

    def shard(context):
        of_a_process = replicas // context.num_input_pipelines
        return read((context.input_pipeline_id * of_a_process, of_a_process, replicas))

    return strategy.distribute_datasets_from_function(shard)


def _create_variables(ranker: Ranker, batches: tf.data.Dataset) -> dict:
    """Calls the ranker once, so that all variables are there before a checkpoint is restored; gives the batch."""
    with ranker.distribute_strategy.scope():
        [batch] = batches.take(1)
        ranker(batch)
        ranker.optimizer.build(ranker.trainable_variables)
    return batch


def with_weights_of(trained: Ranker, ranker: Ranker, batch: dict) -> Ranker:
    """``ranker``, a new one like ``trained``, with its weights, whatever strategy it was trained by; of some batch."""
    ranker(batch)  # makes the variables
    for weight, other in zip(ranker.own_variables, trained.own_variables, strict=True):
        weight.assign(other.numpy())
    return ranker


class _TrainingState(tf.keras.callbacks.Callback):
    """Early stopping and checkpoints: the whole state of a training in a folder, written at each validation.

    Keeps the weights of the best validation apart, and stops after ``patience`` ones that were no better.
    """

    def __init__(self, ranker: Ranker, folder: str, patience: int):
        super().__init__()
        self._optimizer = ranker.optimizer
        self._patience = patience
        self.best = tf.Variable(math.nan, dtype=tf.float64, trainable=False)
        self.best_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._without_gain = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._stopped = tf.Variable(False, trainable=False)
        whole = tf.train.Checkpoint(
            ranker=ranker,
            optimizer=ranker.optimizer,
            best=self.best,
            best_step=self.best_step,
            without_gain=self._without_gain,
            stopped=self._stopped,
        )
        weights = tf.train.Checkpoint(ranker=ranker)
        # All workers must write at the same time, since metrics are added up on the way; those of the chief are read.
        self._others = None if is_chief() else tempfile.TemporaryDirectory()
        written = self._others.name if self._others else folder
        self._folder, self._whole = folder, whole
        # Two are kept: a process that is killed while it writes one still leaves the other whole.
        self._last = tf.train.CheckpointManager(whole, os.path.join(written, "last"), max_to_keep=2)
        self._best = tf.train.CheckpointManager(weights, os.path.join(written, "best"), max_to_keep=2)

    @property
    def stopped(self) -> bool:
        """Whether a run that was killed after early stopping had nothing left to train."""
        return bool(self._stopped.numpy())

    def restore(self) -> int:
        """Restores the last checkpoint if there is one, and returns its step."""
        if last := tf.train.latest_checkpoint(os.path.join(self._folder, "last")):
            self._whole.restore(last)
        return int(self._optimizer.iterations.numpy())

    def restore_best(self) -> None:
        """Restores the weights of the best validation; keeps the present ones if there was none."""
        # By its step, not the newest: a run that was killed between the two checkpoints of a validation has left one
        # that the resumed run may not find to be the best.
        if not math.isnan(float(self.best.numpy())):
            self._best.checkpoint.restore(os.path.join(self._folder, "best", f"ckpt-{int(self.best_step.numpy())}"))

    def on_epoch_end(self, epoch, logs=None):
        """Judges a validation and writes a checkpoint."""
        session_auc, step = self.model.validation_means()["session_auc"], int(self._optimizer.iterations.numpy())
        best = float(self.best.numpy())
        if math.isnan(session_auc):
            progress.warning("no request of the validation split has a click and a non-click: no early stopping")
            self.best_step.assign(step)
        elif math.isnan(best) or session_auc > best:
            self.best.assign(session_auc)
            self.best_step.assign(step)
            self._without_gain.assign(0)
            self._best.save(checkpoint_number=step)
        else:
            self._without_gain.assign_add(1)
            if int(self._without_gain.numpy()) >= self._patience:
                progress.info("stopped early: %d validations without a better session AUC", self._patience)
                self._stopped.assign(True)
                self.model.stop_training = True
        self._last.save(checkpoint_number=step)
        keep(f"the checkpoint of step {step:,}")


class _Report(tf.keras.callbacks.Callback):
    """TensorBoard scalars and progress; ``inspect`` writes what else TensorBoard shows of a validation."""

    def __init__(self, log_dir: str, total_steps: int, inspect: Callable[[], object] | None):
        super().__init__()
        self._supports_tf_logs = True  # or Keras waits for the numbers of every single step
        self._total_steps = total_steps
        self._meter = Meter("steps", total_steps)
        self._last_validation: list[str] = []
        self._writers = {
            split: tf.summary.create_file_writer(os.path.join(log_dir, split))
            if is_chief()
            else tf.summary.create_noop_writer()
            for split in ("train", "valid", *(["inside"] if inspect else []))
        }
        self._inspect = inspect if is_chief() else None
        self._items = self._shown_items = self._seconds = 0.0
        self._unread: list[tf.Tensor] = []
        self._began = None

    @property
    def items_per_second(self) -> float:
        """Items trained on a second, without the first step, which traces the graph, and without validations."""
        return self._items / self._seconds if self._seconds else 0.0

    def on_train_batch_end(self, batch, logs=None):
        """Says now and then how far it is."""
        now = time.monotonic()
        if self._began is None:
            self._began, self._untimed_items = now, float(logs["items"])
        else:
            # A metric may not be read here: of several workers, all would have to read it at the same step.
            self._unread.append(logs["items"])
        if self._meter.due and self._unread:
            self._shown_items += float(tf.add_n(self._unread))
            self._unread = []
            self._meter.reach(
                int(self.model.optimizer.iterations.numpy()),
                f"loss {self.model.objective_of(logs['losses']):.4f}",
                *self._last_validation,
                speed(self._shown_items, self._seconds + now - self._began, "items"),
            )

    def on_test_begin(self, logs=None):
        """Ends the stretch of training; writes the losses apart, the gate's entropy, each expert's share."""
        ranker = self.model
        self._meter.reach(int(ranker.optimizer.iterations.numpy()), "validating", *self._last_validation, at_once=True)
        self._items += float(ranker.items.result()) - self._untimed_items
        self._seconds += time.monotonic() - self._began
        self._untimed_items, self._began = 0.0, time.monotonic()
        with self._writers["train"].as_default(ranker.optimizer.iterations):
            for name, mean in ranker.training_means().items():
                tf.summary.scalar(name, mean)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the validation."""
        values = self.model.validation_means()
        step = int(self.model.optimizer.iterations.numpy())
        with self._writers["valid"].as_default(step):
            tf.summary.scalar("loss/ranking_loss", values["ranking_loss"])
            tf.summary.scalar("session_auc", values["session_auc"])
            tf.summary.scalar("log_loss", values["log_loss"])
        if self._inspect:
            with self._writers["inside"].as_default(step):
                attempt("TensorBoard's pictures of this validation", self._inspect)
        progress.info(
            "step %d of %d, validation: session AUC %.4f, log loss %.4f",
            step,
            self._total_steps,
            values["session_auc"],
            values["log_loss"],
        )
        self._last_validation = [f"validation session AUC {values['session_auc']:.4f}"]
        self._began = time.monotonic()
