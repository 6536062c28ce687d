"""The Keras callback that reports progress and writes TensorBoard's scalars."""

import os
import time
from collections.abc import Callable

import tensorflow as tf

from common.progress import Meter, progress, speed
from common.warnings import attempt
from models.distributed.strategies import is_chief


class ProgressCallback(tf.keras.callbacks.Callback):
    """Reports how far a training is, and writes TensorBoard's scalars before and after each validation.

    Args:
      log_dir: TensorBoard's folder; its runs are ``train``, ``valid`` and, with ``inspect``, ``inside``.
      total_steps: of the whole training.
      inspect: called after each validation, by the chief; writes what else TensorBoard shows of it.
    """

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
        """Reports now and then how far the training is."""
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
        """Stops the clock of training; writes each loss, the gate's entropy and each expert's share."""
        ranker = self.model
        self._meter.reach(int(ranker.optimizer.iterations.numpy()), "validating", *self._last_validation, at_once=True)
        self._items += float(ranker.items.result()) - self._untimed_items
        self._seconds += time.monotonic() - self._began
        self._untimed_items, self._began = 0.0, time.monotonic()
        with self._writers["train"].as_default(ranker.optimizer.iterations):
            for name, mean in ranker.training_means().items():
                tf.summary.scalar(name, mean)

    def on_epoch_end(self, epoch, logs=None):
        """Writes and reports the validation."""
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
