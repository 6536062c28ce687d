"""From transformed requests to the experts' input."""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import tensorflow as tf
import tensorflow_recommenders as tfrs

from models.inputs.features import RankerInputs
from models.layers.normalisation import BatchNormalisation
from models.layers.segments import segment_sum, segments_of
from models.layers.target_attention import TargetAttention


class EncodedRequests(NamedTuple):
    """B requests of T items in all. The experts' input of an item is x = [its items' row, its requests' row].

    Attributes:
      items: the items' part of x, [T, d_item] float32.
      requests: the requests' part, [B, d_request] float32; of no width if cross layers have mixed the two.
      request_of_item: [T] int64, the row of its request for each item.
      lengths: [B] int64, how many items each request has.
      behaviours: [B, M, E] float32, embeddings of the past items, all histories side by side; None unless attended to.
      present: [B, M] bool, False where a history is shorter; None likewise.
    """

    items: tf.Tensor
    requests: tf.Tensor
    request_of_item: tf.Tensor
    lengths: tf.Tensor
    behaviours: tf.Tensor | None
    present: tf.Tensor | None

    @property
    def parts(self) -> tuple[tf.Tensor, tf.Tensor]:
        """x in its two parts, as the experts read it."""
        return self.items, self.requests

    def joined(self) -> tf.Tensor:
        """x, [T, d], where a layer needs it whole."""
        return tf.concat([self.items, tf.gather(self.requests, self.request_of_item)], axis=1)


@dataclasses.dataclass
class _Batch:
    """A batch that is being encoded. Each feature is looked up once, though attention reads it a second time."""

    features: dict
    request_of_item: tf.Tensor
    embedded: dict[str, tf.Tensor] = dataclasses.field(default_factory=dict)
    behaviours: tf.Tensor | None = None
    present: tf.Tensor | None = None


class _ColumnGroup(NamedTuple):
    """Columns of x that stand side by side.

    Attributes:
      scope: the part of x.
      names: of the columns.
      values: of a batch, [T, columns] for items, [B, columns] for requests.
    """

    scope: Literal["item", "request"]
    names: list[str]
    values: Callable[[_Batch], tf.Tensor]


class RequestEncoder(tf.keras.layers.Layer):
    """Embeds and joins the features of items and of requests.

    Items: [numeric, embeddings]; requests: [numeric, embeddings, category embeddings, pooled histories]. A feature and
    the history of it share one table. A history is pooled to its mean embedding, once a request; or, with ``attends``,
    all histories of item features together by `TargetAttention`, once an item.

    Args:
      inputs: the features, see `RankerInputs`.
      embedding_size: the width of every embedding.
      batch_norm: normalises x by the batch [C], once for all experts where the papers' code gives each expert its own
        on the same input [D]: with the affine part left to the experts' first layer both express the same functions.
        It blows embeddings up that have learnt nothing yet, to the variance of the numbers, which come as z-scores: a
        gain where ids tell most, a loss where numbers do and ids are many and rare.
      attends: see above.
      cross_layers: how many of TensorFlow Recommenders' Cross layers follow, x_(l+1) = x_0 * (W x_l + b) + x_l, the
        feature interaction of DCN v2 [Wang et al. 2020].
    """

    def __init__(
        self,
        inputs: RankerInputs,
        embedding_size: int,
        batch_norm: bool = True,
        attends: bool = False,
        cross_layers: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.inputs = inputs
        self.embedding_size = embedding_size
        self.tables = {
            table: tf.keras.layers.Embedding(size, embedding_size, name=f"{table}_embedding")
            for table, size in sorted(inputs.table_sizes.items())
        }
        self.category_tables = [
            tf.keras.layers.Embedding(size, embedding_size, name=f"{category}_embedding")
            for category, size in zip(inputs.categories, inputs.category_sizes, strict=True)
        ]
        # A history can be attended to by the items that have the feature it is a history of.
        # Of several with one vocabulary it is the first, whose vocabulary it is.
        self.targets = {table: name for name, table in reversed(inputs.item_categorical)} if attends else {}
        self.attended = [(name, table) for name, table in inputs.histories if table in self.targets]
        self.attention = TargetAttention(name="attention") if self.attended else None
        self.normalisations = (
            [BatchNormalisation(name=f"normalisation_of_{part}") for part in ("items", "requests")]
            if batch_norm
            else []
        )
        self.crosses = [tfrs.layers.dcn.Cross(name=f"cross_{place}") for place in range(1, cross_layers + 1)]

    def _groups(self) -> list[_ColumnGroup]:
        """All columns, in their order within each part of x."""
        inputs = self.inputs

        def numbers(scope: str, names: Iterable[str]) -> list[_ColumnGroup]:
            return [_ColumnGroup(scope, [name], functools.partial(_number, name)) for name in names]

        def embeddings(scope: str, values: Callable, features: Iterable[tuple]) -> list[_ColumnGroup]:
            return [
                _ColumnGroup(scope, self._numbered(name), functools.partial(values, name, table))
                for name, table in features
            ]

        attended = [column for name, _ in self.attended for column in self._numbered(f"attended {name}")]
        pooled = [history for history in inputs.histories if history not in self.attended]
        return [
            *numbers("request", inputs.request_numeric),
            *embeddings("request", self._embedding, inputs.request_categorical),
            *embeddings("request", _category, zip(inputs.categories, self.category_tables, strict=True)),
            *embeddings("request", self._mean_embedding, pooled),
            *numbers("item", inputs.item_numeric),
            *embeddings("item", self._embedding, inputs.item_categorical),
            *([_ColumnGroup("item", attended, self._attended_histories)] if attended else []),
        ]

    def _numbered(self, name: str) -> list[str]:
        return [f"{name} {place}" for place in range(self.embedding_size)]

    @property
    def columns(self) -> tuple[list[str], list[str]]:
        """The names of the columns of the items' part of x, and of the requests' part."""
        groups = self._groups()
        items, requests = (
            [name for group in groups if group.scope == scope for name in group.names] for scope in ("item", "request")
        )
        return items, requests

    def call(self, features: dict, training: bool = False) -> EncodedRequests:
        """Encodes a batch of transformed requests."""
        lists = features[self.inputs.any_item_feature]
        request_of_item, lengths = segments_of(lists), lists.row_lengths()
        batch, parts = _Batch(features, request_of_item), {"item": [], "request": []}
        for group in self._groups():
            parts[group.scope].append(group.values(batch))
        items, requests = (tf.concat(parts[scope], axis=1) for scope in ("item", "request"))
        encoded = EncodedRequests(items, requests, request_of_item, lengths, batch.behaviours, batch.present)
        if self.normalisations:
            of_items, of_requests = self.normalisations
            encoded = encoded._replace(
                items=of_items(encoded.items, tf.ones_like(request_of_item), training=training),
                requests=of_requests(encoded.requests, lengths, training=training),
            )
        if self.crosses:
            x = crossed = encoded.joined()
            for cross in self.crosses:
                crossed = cross(x, crossed)
            encoded = encoded._replace(items=crossed, requests=encoded.requests[:, :0])
        return encoded

    def _embedding(self, name: str, table: str, batch: _Batch) -> tf.Tensor:
        """The embeddings of a feature, [T or B, E]."""
        embedded = batch.embedded[name] = self.tables[table](_flat(batch.features[name]))
        return embedded

    def _attended_histories(self, batch: _Batch) -> tf.Tensor:
        """The attended histories, pooled for each item, [T, E of all]."""
        batch.behaviours, batch.present = self._behaviours(batch.features)
        target = tf.concat([batch.embedded[self.targets[table]] for _, table in self.attended], axis=1)
        return self.attention(batch.behaviours, batch.present, target, batch.request_of_item)

    def _behaviours(self, features: dict) -> tuple[tf.Tensor, tf.Tensor]:
        """The attended histories side by side, and where there is anything; as long as the longest of the batch."""
        longest = tf.reduce_max([features[name].bounding_shape(axis=1) for name, _ in self.attended])
        columns, masks = [], []
        for name, table in self.attended:
            ids = features[name]
            masks.append(tf.sequence_mask(ids.row_lengths(), longest))
            embedded = self.tables[table](ids.to_tensor(shape=tf.stack([-1, longest])))
            columns.append(tf.where(masks[-1][..., tf.newaxis], embedded, 0.0))
        return tf.concat(columns, axis=-1), tf.reduce_any(masks, axis=0)

    def _mean_embedding(self, name: str, table: str, batch: _Batch) -> tf.Tensor:
        """The mean embedding of a history, [B, E]; zeros for an empty one."""
        history = batch.features[name]
        embedded = self.tables[table](history.flat_values)
        sums = segment_sum(embedded, segments_of(history), history.nrows())
        lengths = tf.cast(history.row_lengths(), sums.dtype)[:, tf.newaxis]
        return tf.math.divide_no_nan(sums, lengths)


def _flat(values: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
    return values.flat_values if isinstance(values, tf.RaggedTensor) else values


def _number(name: str, batch: _Batch) -> tf.Tensor:
    return _flat(batch.features[name])[:, tf.newaxis]


def _category(name: str, table: tf.keras.layers.Embedding, batch: _Batch) -> tf.Tensor:
    return known_embedding(table, batch.features[name])


def known_embedding(table: tf.keras.layers.Embedding, categories: tf.Tensor) -> tf.Tensor:
    """Embeddings of category ids, [B] -> [B, E]; zeros for the unknown one, whose row may never have been trained."""
    return tf.where((categories > 0)[:, tf.newaxis], table(categories), 0.0)
