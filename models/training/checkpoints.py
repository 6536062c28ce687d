"""The state of a training: early stopping, and checkpoints from which a killed training resumes."""

import hashlib
import json
import math
import os
import tempfile

import tensorflow as tf

from common.progress import keep, progress
from models.distributed.strategies import is_chief
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.data import TrainingData


def training_key(
    data: TrainingData, model: ModelConfig, train: TrainConfig, code: str, base_model: str | None = None
) -> str:
    """A name for the checkpoints of one training: same data, same configuration, same code.

    The folder of that name must not be inside the run's own output folder: TFX gives the next run a
    new one, and a killed training could not be resumed.

    Args:
      data: of the training.
      model, train: its configuration.
      code: the fingerprint of the code that trains.
      base_model: the model that it starts from, if any.
    """
    files = [data.transform_graph, *data.train_files, *data.valid_files]
    inputs = [*files, data.schema.text, code, model.model_dump(), train.model_dump(), base_model]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def discard_checkpoints(folder: str) -> None:
    """Removes the state of a finished training."""
    # First what a resumption looks for. Half removed, the folder would be taken for that of a killed training, whose
    # last checkpoint is there and whose best is not.
    tf.io.gfile.remove(os.path.join(folder, "last", "checkpoint"))
    tf.io.gfile.rmtree(folder)


class TrainingState(tf.keras.callbacks.Callback):
    """Early stopping and checkpoints: the whole state of a training in a folder, written after each validation.

    Keeps the weights of the best validation apart, and stops after ``patience`` validations without a better one.

    Args:
      ranker: compiled, with its variables and those of its optimizer.
      folder: of the checkpoints.
      patience: validations without a better session AUC before the training stops.

    Attributes:
      best: the session AUC of the best validation; NaN before the first one.
      best_step: the step of the best validation.
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
        """Whether early stopping has ended the training; a run that was killed after that trains no further."""
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
        """Compares the validation with the best one and writes a checkpoint."""
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
