"""How fast a Keras training is, for the programs that train with model.fit."""

import time

import numpy as np
import tensorflow as tf


class Stopwatch(tf.keras.callbacks.Callback):
    """Ends a training after some seconds; the first step, which traces the graph, is not counted.

    Args:
      seconds: see above.
    """

    def __init__(self, seconds: float):
        super().__init__()
        self._supports_tf_logs = True  # or Keras waits for the numbers of every single step
        self._seconds = seconds
        self._ends = []

    @property
    def seconds_by_step(self) -> np.ndarray:
        """From the second step on."""
        return np.diff(self._ends)

    def on_train_batch_end(self, batch, logs=None):
        """Notes when the step ended."""
        self._ends.append(time.monotonic())
        if len(self._ends) > 1 and self._ends[-1] - self._ends[0] >= self._seconds:
            self.model.stop_training = True


def train(model: tf.keras.Model, rows: tf.data.Dataset, seconds: float, batch_items: int) -> dict[str, float]:
    """Trains a compiled model for some seconds and says how fast that was; ``batch_items`` a step."""
    stopwatch = Stopwatch(seconds)
    # The rows have no end; the stopwatch has.
    model.fit(rows, steps_per_epoch=1_000_000, verbose=0, callbacks=[stopwatch])
    seconds = stopwatch.seconds_by_step
    return {
        "items_per_second": batch_items / float(np.mean(seconds)),
        "median_step_milliseconds": 1_000 * float(np.median(seconds)),
    }
