"""The SavedModel: one folder with weights, Transform graph, vocabularies, signatures and warm-up requests."""

import tensorflow as tf
import tensorflow_ranking as tfr
import tensorflow_transform as tft

from models.export.folded_gates import FoldedGates
from models.export.limits import MOST_ITEMS, MOST_OF_A_CALL, MOST_PAIRS
from models.export.warm_up import write_warm_up
from models.inputs.features import id_name
from models.inputs.hierarchy import CategoryHierarchy, as_path
from models.inputs.vocabularies import write_vocabularies
from models.ranker.model import Ranker
from schemas.log_schema import Feature, LogSchema

_DTYPES = {"int": tf.int64, "float": tf.float32, "bytes": tf.string}
_MISSING = {"float": float("nan"), "bytes": ""}
PADDING = -1.0
_LIMITS = (
    f"a request may have {MOST_ITEMS:,} items and {MOST_PAIRS:,} pairs of an item and a past item; a call with many "
    f"requests {MOST_OF_A_CALL:,} pairs, and requests times the longest list of one of them"
)


class ServedRanker:
    """A ranker together with the Transform graph, from raw requests to scores.

    Scores are click probabilities p = sigmoid(s) of a ranker trained with cross-entropy; of one trained
    with a list-wise loss they order the items and mean nothing beyond that. No signature asks for a label.

    A gate that sees the category alone is folded: serving looks experts and weights up by category and runs no gate.

    Args:
      ranker: a trained ranker.
      transform_output: of the Transform it was trained on.
      hierarchy: likewise.
      schema: of the log.
      folded: False leaves the gate's network in, to compare with.
    """

    def __init__(
        self,
        ranker: Ranker,
        transform_output: tft.TFTransformOutput,
        hierarchy: CategoryHierarchy,
        schema: LogSchema,
        folded: bool = True,
    ):
        self._ranker = ranker
        self._transform_output = transform_output
        self._transform = transform_output.transform_features_layer()
        self._hierarchy = hierarchy
        self._schema = schema
        self._gates = [
            FoldedGates(gate, ranker.inputs.category_sizes) if folded and gate.sees_category_alone else gate
            for gate in ranker.gates
        ]
        wanted = {feature.name for feature in schema.model_inputs} | {schema.request_id.name}
        self._raw_spec = {name: spec for name, spec in transform_output.raw_feature_spec().items() if name in wanted}

    def save(self, folder: str) -> None:
        """Writes the SavedModel, `models.inputs.vocabularies` and `models.export.warm_up`.

        A request may have `MOST_ITEMS` items and `MOST_PAIRS` pairs of an item and a past item of the user, a call with
        many requests `MOST_OF_A_CALL` pairs and as many places for its longest list in each request. A larger one is
        refused, as is one whose lists of items are not equally long.

        Signatures, with B requests and lists of n items:

        * ``serving_default``: examples [B] string, serialized tf.Examples, one a request -> scores [B, n]
          float32 padded with -1, lengths [B] int64, request_ids [B] string.
        * ``rank``: one request as plain tensors by feature name, [] for what a request has once, [n] for
          items, [m] for histories -> scores [n] float32.
        * ``rank_ids``: as ``rank``, but names are replaced by ids, int64 and named ``<feature>_id``, which the caller
          has looked up as `models.inputs.vocabularies` says.
        * ``elwc``: inputs [B] string, serialized ExampleListWithContexts, request features in the context -> scores
          [B, n] float32 padded with -1, lengths [B] int64. A feature that is left out is missing or empty.
        * ``gates``: the category levels by feature name, [B] string each -> weights [B, N] float32; with
          several tasks, weights_<task>. Only of a ranker whose gate sees the category alone.
        """
        signatures = {
            "serving_default": self._serving_default(),
            "rank": self._rank(),
            "rank_ids": self._rank_ids(),
            "elwc": self._elwc(),
        }
        if self._ranker.gates and self._ranker.gates[0].sees_category_alone:
            signatures["gates"] = self._category_gates()
        # The ranker itself is left out: Keras would trace every layer once more, for training too, and
        # nothing but the signatures, and the variables they read, is wanted of it.
        exported = tf.Module()
        read = {v.ref(): v for function in signatures.values() for v in function.variables}.values()
        # A function does not list them in the same order in each process; the SavedModel keeps them by their place.
        exported.weights = sorted(read, key=lambda variable: variable.name)
        exported.transform = self._transform
        tf.saved_model.save(exported, folder, signatures=signatures)
        write_vocabularies(folder, self._schema, self._hierarchy, self._transform_output)
        write_warm_up(folder, self._schema, self._hierarchy)

    def _features(self, raw: dict, one_request: bool = False) -> dict:
        """Transformed features, behind a guard on the size of the requests."""
        any_item_feature = next(feature.name for feature in self._schema.model_inputs if feature.scope == "item")
        items = raw[any_item_feature].row_lengths()
        past = [tf.ones_like(items), *(raw[history.name].row_lengths() for history in self._schema.histories)]
        longest = tf.reduce_max(past, axis=0)
        pairs = tf.maximum(items, 1) * longest
        fits = tf.reduce_all((items <= MOST_ITEMS) & (pairs <= MOST_PAIRS))
        if not one_request:
            places = tf.size(items, tf.int64) * tf.reduce_max(tf.maximum(items, longest))
            fits &= (places <= MOST_OF_A_CALL) & (tf.reduce_sum(pairs) <= MOST_OF_A_CALL)
        guarded = tf.ragged.map_flat_values(_if_it_fits, raw[any_item_feature], fits)
        return self._transform(raw | {any_item_feature: guarded})

    def _scores(self, raw: dict) -> dict[str, tf.Tensor]:
        scores = self._ranker(self._features(raw), gates=self._gates)
        return {"scores": scores.to_tensor(PADDING), "lengths": scores.row_lengths()}

    def _scores_of_one(self, raw: dict, ids: dict | None = None) -> dict[str, tf.Tensor]:
        features = self._features(raw, one_request=True) | (ids or {})
        return {"scores": self._ranker(features, gates=self._gates, one_request=True).flat_values}

    def _serving_default(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serving_default(examples):
            raw = tf.io.parse_example(examples, self._raw_spec)
            request_ids = raw.pop(self._schema.request_id.name)
            return self._scores(raw) | {"request_ids": request_ids}

        return serving_default.get_concrete_function()

    def _rank(self):
        @tf.function(autograph=False)
        def rank(**request):
            raw = {name: _batch_of_one(value) for name, value in request.items()}
            return self._scores_of_one(raw)

        return rank.get_concrete_function(**dict(map(_spec, self._schema.model_inputs)))

    def _rank_ids(self):
        named = [feature for feature in self._schema.model_inputs if feature.model_input == "id"]

        @tf.function(autograph=False)
        def rank_ids(**request):
            request = {name: _batch_of_one(value) for name, value in request.items()}
            ids = {id_name(feature): request.pop(id_name(feature)) for feature in named}
            # Transform scales the numbers. It wants names, too, as many as there are ids; nobody reads what it makes
            # of them.
            blanks = {feature.name: tf.ragged.map_flat_values(_blanks, ids[id_name(feature)]) for feature in named}
            path = as_path(self._hierarchy, [ids[id_name(level)] for level in self._schema.categories])
            ids |= {id_name(level): of_level for level, of_level in zip(self._schema.categories, path, strict=True)}
            return self._scores_of_one(request | blanks, ids)

        specs = dict(map(_spec, self._schema.model_inputs))
        for feature in named:
            shape = specs.pop(feature.name).shape
            specs[id_name(feature)] = tf.TensorSpec(shape, tf.int64, name=id_name(feature))
        return rank_ids.get_concrete_function(**specs)

    def _elwc(self):
        def parser(feature: Feature):
            if feature.is_history:
                return tf.io.RaggedFeature(_DTYPES[feature.dtype], row_splits_dtype=tf.int64)
            return tf.io.FixedLenFeature([], _DTYPES[feature.dtype], _MISSING[feature.dtype])

        def of_scope(scope: str):
            return {feature.name: parser(feature) for feature in self._schema.model_inputs if feature.scope == scope}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")], autograph=False)
        def elwc(inputs):
            # TF-Ranking lays a table out before it parses, and an item takes two bytes at least.
            places = tf.size(inputs, tf.int64) * tf.reduce_max(tf.cast(tf.strings.length(inputs), tf.int64)) // 2
            raw = tfr.data.parse_from_example_list(
                _if_it_fits(inputs, places <= MOST_OF_A_CALL),
                context_feature_spec=of_scope("request"),
                example_feature_spec=of_scope("item"),
                mask_feature_name="is_item",
            )
            is_item = raw.pop("is_item")
            for name in of_scope("item"):
                raw[name] = tf.ragged.boolean_mask(raw[name], is_item)
            return self._scores(raw)

        return elwc.get_concrete_function()

    def _category_gates(self):
        @tf.function(autograph=False)
        def gates(**path):
            ids = self._transform(path)
            categories = [ids[id_name(feature)] for feature in self._schema.categories]
            labels = self._ranker.labels
            weights = {}
            for label, gate in zip(labels, self._gates, strict=True):
                routing = gate.route_categories(categories)
                by_expert = tf.one_hot(routing.experts, self._ranker.config.experts)
                name = "weights" if len(labels) == 1 else f"weights_{label.name}"
                weights[name] = tf.linalg.matvec(by_expert, routing.expert_weights, transpose_a=True)
            return weights

        specs = {
            feature.name: tf.TensorSpec([None], tf.string, name=feature.name) for feature in self._schema.categories
        }
        return gates.get_concrete_function(**specs)


def _spec(feature: Feature) -> tuple[str, tf.TensorSpec]:
    """A feature of one request as a plain tensor."""
    return feature.name, tf.TensorSpec([] if feature.is_scalar else [None], _DTYPES[feature.dtype], name=feature.name)


def _batch_of_one(value: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
    if value.shape.rank == 0:
        return value[tf.newaxis]
    return tf.RaggedTensor.from_row_lengths(value, [tf.size(value)], validate=False)


def _blanks(values: tf.Tensor) -> tf.Tensor:
    return tf.fill(tf.shape(values), "")


def _if_it_fits(values: tf.Tensor, fits: tf.Tensor) -> tf.Tensor:
    """The values, behind the assertion that a call is no larger than `_LIMITS`."""
    with tf.control_dependencies([tf.debugging.Assert(fits, [_LIMITS])]):
        return tf.identity(values)
