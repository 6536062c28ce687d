"""How fast a Keras training is, for the programs that train with model.fit."""

import time

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
        self._began, self._steps = None, 0

    @property
    def seconds_a_step(self) -> float:
        """From the second step on."""
        return (self._ended - self._began) / self._steps

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
            return
        self._steps, self._ended = self._steps + 1, now
        if now - self._began >= self._seconds:
            self.model.stop_training = True


def train(model: tf.keras.Model, rows: tf.data.Dataset, seconds: float, batch_items: int) -> dict[str, float]:
    """Trains a compiled model for some seconds and says how fast that was; ``batch_items`` a step."""
    stopwatch = Stopwatch(seconds)
    # The rows have no end; the stopwatch has.
    model.fit(rows, steps_per_epoch=1_000_000, verbose=0, callbacks=[stopwatch])
    return {
        "items_per_second": batch_items / stopwatch.seconds_a_step,
        "milliseconds_a_step": 1_000 * stopwatch.seconds_a_step,
    }
