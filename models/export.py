"""The SavedModel: one folder with weights, Transform graph, vocabularies and three signatures."""

import tensorflow as tf
import tensorflow_transform as tft

from models.features import CATEGORY_REQUESTS, id_name
from models.ranker import Ranker
from schemas.reader import Feature, LogSchema

_DTYPES = {"int": tf.int64, "float": tf.float32, "bytes": tf.string}
PADDING = -1.0
_HISTORY_LENGTHS = {"0": 0, "1-2": 1, "3-9": 3, "10 or more": 10}
_CATEGORY_REQUESTS = {"0": 0, "1-99": 1, "100-999": 100, "1,000-9,999": 1_000, "10,000 or more": 10_000}


class ServedRanker:
    """A ranker together with the Transform graph, from raw requests to scores.

    Scores are click probabilities p = sigmoid(s) of a ranker trained with cross-entropy; of one trained
    with a list-wise loss they order the items and mean nothing beyond that. No signature asks for a label.

    Args:
      ranker: a trained ranker.
      transform_output: of the Transform it was trained on.
      schema: of the log.
    """

    def __init__(self, ranker: Ranker, transform_output: tft.TFTransformOutput, schema: LogSchema):
        self._ranker = ranker
        self._transform = transform_output.transform_features_layer()
        self._schema = schema
        wanted = {feature.name for feature in schema.model_inputs} | {schema.request_id.name}
        self._raw_spec = {name: spec for name, spec in transform_output.raw_feature_spec().items() if name in wanted}

    def save(self, folder: str) -> None:
        """Writes the SavedModel. Signatures, with B requests and lists of n items:

        * ``serving_default``: examples [B] string, serialized tf.Examples, one a request -> scores [B, n]
          float32 padded with -1, lengths [B] int64, request_ids [B] string.
        * ``rank``: one request as plain tensors by feature name, [] for what a request has once, [n] for
          items, [m] for histories -> scores [n] float32.
        * ``gates``: the category levels by feature name, [B] string each -> weights [B, N] float32; with
          several tasks, weights_<task>. Only of a ranker whose gate sees the category alone.
        * ``slices``: examples [B] string -> history_length, category_requests [B] string: the slices of an
          evaluation that no raw feature holds, buckets of the user's history and the leaf's training requests.
        """
        signatures = {"serving_default": self._serving_default(), "rank": self._rank(), "slices": self._slices()}
        if self._ranker.config.category_gated:
            signatures["gates"] = self._gates()
        # The ranker itself is left out: Keras would trace every layer once more, for training too, and
        # nothing but the signatures is wanted of it.
        exported = tf.Module()
        exported.weights = self._ranker.variables
        exported.transform = self._transform
        tf.saved_model.save(exported, folder, signatures=signatures)

    def _scores(self, raw: dict) -> tf.RaggedTensor:
        return self._ranker(self._transform(raw))

    def _serving_default(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serving_default(examples):
            raw = tf.io.parse_example(examples, self._raw_spec)
            request_ids = raw.pop(self._schema.request_id.name)
            scores = self._scores(raw)
            return {
                "scores": scores.to_tensor(PADDING),
                "lengths": scores.row_lengths(),
                "request_ids": request_ids,
            }

        return serving_default.get_concrete_function()

    def _rank(self):
        def spec(feature: Feature):
            once = feature.scope == "request" and not feature.is_history
            return tf.TensorSpec([] if once else [None], _DTYPES[feature.dtype], name=feature.name)

        @tf.function(autograph=False)
        def rank(**request):
            raw = {
                name: value[tf.newaxis]
                if value.shape.rank == 0
                else tf.RaggedTensor.from_row_lengths(value, [tf.size(value)], validate=False)
                for name, value in request.items()
            }
            return {"scores": self._scores(raw).flat_values}

        return rank.get_concrete_function(**{feature.name: spec(feature) for feature in self._schema.model_inputs})

    def _slices(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def slices(examples):
            raw = tf.io.parse_example(examples, self._raw_spec)
            path = {feature.name: raw[feature.name] for feature in self._schema.categories}
            derived = {"category_requests": _bucket(self._transform(path)[CATEGORY_REQUESTS], _CATEGORY_REQUESTS)}
            if self._schema.histories:
                longest = tf.stack([raw[history.name].row_lengths() for history in self._schema.histories])
                derived["history_length"] = _bucket(tf.reduce_max(longest, axis=0), _HISTORY_LENGTHS)
            return derived

        return slices.get_concrete_function()

    def _gates(self):
        @tf.function(autograph=False)
        def gates(**path):
            ids = self._transform(path)
            categories = [ids[id_name(feature)] for feature in self._schema.categories]
            labels = self._ranker.labels
            return {
                "weights" if len(labels) == 1 else f"weights_{label.name}": self._ranker.route(categories, task).weights
                for task, label in enumerate(labels)
            }

        specs = {
            feature.name: tf.TensorSpec([None], tf.string, name=feature.name) for feature in self._schema.categories
        }
        return gates.get_concrete_function(**specs)


def _bucket(values: tf.Tensor, buckets: dict[str, int]) -> tf.Tensor:
    """The name of the bucket of each value: the last one whose least value does not pass it."""
    place = tf.searchsorted(tf.constant(list(buckets.values()), values.dtype), values, side="right") - 1
    return tf.gather(tf.constant(list(buckets)), place)
