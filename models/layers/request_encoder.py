"""From transformed requests to the experts' input."""

from typing import NamedTuple

import tensorflow as tf

from models.features import RankerInputs


class EncodedRequests(NamedTuple):
    """B requests of T items in all.

    Attributes:
      items: [T, d] float32, the experts' input x, what a request shares repeated for its items.
      request_of_item: [T] int64, the row of its request for each item.
    """

    items: tf.Tensor
    request_of_item: tf.Tensor


class RequestEncoder(tf.keras.layers.Layer):
    """Embeds and joins the features of requests and items into one input vector an item.

    x = BatchNorm([item numeric, item embeddings, request numeric, request embeddings, category
    embeddings, mean embedding of each history]). A feature and the history of it share one table.
    What a request shares is computed once a request. The normalisation stands here, once for all
    experts, where the papers' code gives each expert its own on the same input [D]: with the affine
    part left to the experts' first layer both express the same functions.

    Args:
      inputs: the features, see `RankerInputs`.
      embedding_size: the width of every embedding.
    """

    def __init__(self, inputs: RankerInputs, embedding_size: int, **kwargs):
        super().__init__(**kwargs)
        self.inputs = inputs
        self.tables = {
            table: tf.keras.layers.Embedding(size, embedding_size, name=f"{table}_embedding")
            for table, size in sorted(inputs.table_sizes.items())
        }
        self.category_tables = [
            tf.keras.layers.Embedding(size, embedding_size, name=f"{category}_embedding")
            for category, size in zip(inputs.categories, inputs.category_sizes, strict=True)
        ]
        self.normalisation = tf.keras.layers.BatchNormalization(center=False, scale=False, name="normalisation")

    def call(self, features: dict, training: bool = False) -> EncodedRequests:
        """Encodes a batch of transformed requests."""
        inputs = self.inputs
        request_of_item = features[inputs.any_item_feature].value_rowids()
        request = [features[name][:, tf.newaxis] for name in inputs.request_numeric]
        request += [self.tables[table](features[name]) for name, table in inputs.request_categorical]
        request += [table(features[name]) for name, table in zip(inputs.categories, self.category_tables, strict=True)]
        request += [self._mean_embedding(features[name], table) for name, table in inputs.histories]
        item = [features[name].flat_values[:, tf.newaxis] for name in inputs.item_numeric]
        item += [self.tables[table](features[name].flat_values) for name, table in inputs.item_categorical]
        shared = tf.gather(tf.concat(request, axis=1), request_of_item)
        items = self.normalisation(tf.concat([*item, shared], axis=1), training=training)
        return EncodedRequests(items, request_of_item)

    def _mean_embedding(self, history: tf.RaggedTensor, table: str) -> tf.Tensor:
        """The mean embedding of a history, [B, E]; zeros for an empty one."""
        embedded = self.tables[table](history.flat_values)
        sums = tf.math.unsorted_segment_sum(embedded, history.value_rowids(), history.nrows())
        lengths = tf.cast(history.row_lengths(), sums.dtype)[:, tf.newaxis]
        return tf.math.divide_no_nan(sums, lengths)
