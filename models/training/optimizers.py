"""The optimizers of a ranker."""

import math

import tensorflow as tf

from models.training.config import TrainConfig


def make_optimizer(config: TrainConfig, total_steps: int) -> tf.keras.optimizers.Optimizer:
    """The optimizer of a configuration: class, learning rate, schedule, warm-up and clipping."""
    learning_rate = config.learning_rate
    if config.schedule == "cosine" or config.warmup_steps:
        learning_rate = WarmUp(config.learning_rate, config.warmup_steps, total_steps, config.schedule == "cosine")
    optimizer = {"adam": Adam, "lazy_adam": LazyAdam}[config.optimizer]
    return optimizer(learning_rate, global_clipnorm=config.clip_norm)


class Adam(tf.keras.optimizers.Adam):
    """Keras' Adam with one operation for each dense variable instead of ten.

    With g the gradient of step t, counted from 1:

        m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2
        w = w - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)
    """

    def apply_gradients(self, *args, **kwargs):
        """Keras', after what all variables share is computed: beta_1^t and beta_2^t."""
        step = tf.cast(self.iterations + 1, tf.float32)
        self._powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        return super().apply_gradients(*args, **kwargs)

    def update_step(self, gradient, variable):
        """Updates one variable. Keras adds up the repeated rows of a sparse gradient before."""
        if isinstance(gradient, tf.IndexedSlices):
            self.update_rows(gradient, variable)
            return
        m, v = self._moments(variable)
        power_1, power_2 = self._powers
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=tf.cast(self.learning_rate, variable.dtype),
            beta1=tf.constant(self.beta_1, variable.dtype),
            beta2=tf.constant(self.beta_2, variable.dtype),
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=gradient,
        )

    def update_rows(self, gradient: tf.IndexedSlices, table: tf.Variable) -> None:
        """Updates a table: all of its rows, those without a gradient as if it were 0."""
        super().update_step(gradient, table)

    def _moments(self, variable: tf.Variable) -> tuple[tf.Variable, tf.Variable]:
        place = self._index_dict[self._var_key(variable)]
        return self._momentums[place], self._velocities[place]


class LazyAdam(Adam):
    """Adam that leaves the rows of an embedding table alone which a batch does not look up.

    The rows that were looked up take Adam's step, with the t of the whole training. The m and v of the others do not
    decay, and the others do not move on by their old m. A step costs by the ids in the batch, not by the vocabulary
    [D; known as lazy Adam].
    """

    def update_rows(self, gradient: tf.IndexedSlices, table: tf.Variable) -> None:
        """Updates the rows that were looked up."""
        m, v = self._moments(table)
        power_1, power_2 = self._powers
        rows, slope = gradient.indices, gradient.values
        m_rows = self.beta_1 * tf.gather(m, rows) + (1.0 - self.beta_1) * slope
        v_rows = self.beta_2 * tf.gather(v, rows) + (1.0 - self.beta_2) * tf.square(slope)
        m.scatter_update(tf.IndexedSlices(m_rows, rows))
        v.scatter_update(tf.IndexedSlices(v_rows, rows))
        rate = tf.cast(self.learning_rate, table.dtype) * tf.sqrt(1.0 - power_2) / (1.0 - power_1)
        table.scatter_sub(tf.IndexedSlices(rate * m_rows / (tf.sqrt(v_rows) + self.epsilon), rows))


class WarmUp(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly from 0, then stays or falls to 0 along a half cosine."""

    def __init__(self, learning_rate: float, warmup_steps: int, total_steps: int, cosine: bool):
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.cosine = cosine

    def __call__(self, step):
        """The learning rate of a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        rise = tf.minimum(1.0, (step + 1.0) / max(1, self.warmup_steps))
        if not self.cosine:
            return self.learning_rate * rise
        done = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        return self.learning_rate * rise * 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))
