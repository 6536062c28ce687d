"""Items a second of a Keras training, for the programs that train with model.fit."""

import time

import tensorflow as tf


class Stopwatch(tf.keras.callbacks.Callback):
    """Ends a training after some seconds; the first step, which traces the graph, is not counted.

    Args:
      seconds: see above.
      batch_items: items a step.
    """

    def __init__(self, seconds: float, batch_items: int):
        super().__init__()
        self._supports_tf_logs = True  # or Keras waits for the numbers of every single step
        self._seconds, self._batch_items = seconds, batch_items
        self._began, self._steps = None, 0

    @property
    def items_per_second(self) -> float:
        """From the second step on."""
        return self._steps * self._batch_items / (self._ended - self._began)

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
    """Trains a compiled model for some seconds and says how many items a second that were."""
    stopwatch = Stopwatch(seconds, batch_items)
    # The rows have no end; the stopwatch has.
    model.fit(rows, steps_per_epoch=1_000_000, verbose=0, callbacks=[stopwatch])
    return {"items_per_second": stopwatch.items_per_second}
