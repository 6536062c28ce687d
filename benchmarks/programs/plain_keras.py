"""A mixture of experts in Keras in the way people write it: flat rows, an Embedding a feature, a loop of Dense towers.

All experts are computed for every row and the gate's softmax is masked to the top k. Same losses as `adv_hsc_moe`.
"""

import itertools
from collections.abc import Callable

import tensorflow as tf

from benchmarks.flat_rows import Shape, read_rows, read_shape
from benchmarks.programs.stopwatch import train
from benchmarks.workers import answer, use_threads


class PlainMixture(tf.keras.Model):
    """Adv & HSC-MoE over rows, each with its own category, gate and disagreeing experts."""

    def __init__(self, shape: Shape, experts: int, top_k: int, hidden: list[int], embedding_size: int):
        super().__init__()
        self.shape, self.top_k = shape, top_k
        self.tables = {
            name: tf.keras.layers.Embedding(size, embedding_size, mask_zero=name in shape.histories.values())
            for name, size in shape.categorical.items()
        }
        self.pool = tf.keras.layers.GlobalAveragePooling1D()
        self.normalisation = tf.keras.layers.BatchNormalization()
        self.towers = [
            tf.keras.Sequential([*(tf.keras.layers.Dense(units, "relu") for units in hidden), tf.keras.layers.Dense(1)])
            for _ in range(experts)
        ]
        self.gate_tables = {
            name: tf.keras.layers.Embedding(shape.categorical[name], embedding_size) for name in shape.levels
        }
        self.gates = {name: tf.keras.layers.Dense(experts) for name in shape.levels}
        self.noise = tf.keras.layers.Dense(experts, "softplus", use_bias=False)

    def call(self, features, training=False):
        """The rows' probabilities, [T, 1]."""
        columns = [features[name] for name in self.shape.numeric]
        columns += [self.tables[name](features[name])[:, 0] for name in self.shape.categorical]
        columns += [self.pool(self.tables[table](features[name])) for name, table in self.shape.histories.items()]
        x = self.normalisation(tf.concat(columns, axis=1), training=training)
        outputs = tf.concat([tower(x) for tower in self.towers], axis=1)

        categories = {name: self.gate_tables[name](features[name])[:, 0] for name in self.shape.levels}
        levels = [self.gates[name](category) for name, category in categories.items()]
        logits = levels[-1]
        if training:
            scale = self.noise(categories[self.shape.levels[-1]])
            logits += tf.random.normal(tf.shape(logits)) * scale
        top = tf.math.top_k(logits, self.top_k).indices
        active = tf.reduce_sum(tf.one_hot(top, logits.shape[-1]), axis=1)
        weights = tf.nn.softmax(logits + (1.0 - active) * -1e9)
        if training:
            self._add_losses(levels, active, weights, tf.sigmoid(outputs))
        return tf.sigmoid(tf.reduce_sum(weights * outputs, axis=1, keepdims=True))

    def _add_losses(self, levels, active, weights, probabilities):
        gates = [tf.nn.softmax(level) for level in levels]
        for parent, child in itertools.pairwise(gates):
            self.add_loss(0.1 * tf.reduce_mean(tf.reduce_sum(active * tf.square(child - parent), axis=1)))
        draw = tf.random.uniform(tf.shape(active)) - 2.0 * active
        disagreeing = tf.one_hot(tf.argmax(draw, axis=1), active.shape[-1])
        differences = tf.square(probabilities[:, :, None] - probabilities[:, None, :])
        pairs = active[:, :, None] * disagreeing[:, None, :]
        self.add_loss(-0.01 * tf.reduce_mean(tf.reduce_sum(pairs * differences, axis=[1, 2])) / self.top_k)
        for use in (tf.reduce_sum(weights, axis=0), tf.reduce_sum(active, axis=0)):
            self.add_loss(0.1 * tf.math.reduce_variance(use) / tf.square(tf.reduce_mean(use)))


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``rows`` (folder), ``experts``, ``top_k``, ``hidden``, ``embedding_size``, ``batch_items``,
    ``seconds``, ``threads``."""
    use_threads(settings)
    shape = read_shape(settings["rows"])
    model = PlainMixture(shape, **{name: settings[name] for name in ("experts", "top_k", "hidden", "embedding_size")})
    model.compile("adam", "binary_crossentropy")
    rows = read_rows(settings["rows"], shape, settings["batch_items"], settings["threads"])
    return lambda: train(model, rows, settings["seconds"], settings["batch_items"])


if __name__ == "__main__":
    answer(prepare)
