"""The preprocessing of requests, driven by the schema's roles. Its graph travels inside the SavedModel.

Per role, with B requests and lists of n items (names in models/inputs/features.py):

* numeric: log(1 + max(x, 0)) if tagged ``scale:log``, then (x - mean) / sqrt(variance) over the values that
  are there; a missing value (NaN, or an infinite one, which only serving can meet) becomes 0, and ``<name>_missing``
  is 1.
* categorical and history: ids 0 .. V-1 of the values seen at least ``min_count`` times in training,
  most frequent first, then V .. V+h-1, the hash buckets of all others, a missing value's among them.
* category path: ids of the hierarchy, 0 for an unknown category (models/inputs/hierarchy.py).
* label, weight, position: as they are; no signature of the model asks for them.
* `CATEGORY_REQUESTS`: how many requests of the training split are in the request's leaf category.
"""

import tensorflow as tf
import tensorflow_transform as tft

from models.inputs.features import CATEGORY_REQUESTS, id_name, missing_name
from models.inputs.hierarchy import lookup, read_hierarchy
from schemas.log_schema import Feature, LogSchema
from schemas.parsing import parse_schema

_FARTHEST = 1e6  # standard deviations from the mean


def preprocessing_fn(inputs: dict, custom_config: dict) -> dict:
    """TFT's entry point.

    Args:
      inputs: raw features by name: [B] tensors for requests, ragged [B, n] for items and histories.
      custom_config: ``schema``, the schema's text, and ``hierarchy``, the folder of the CategoryHierarchy.

    Returns:
      the transformed features, see models/inputs/features.py.
    """
    schema = parse_schema(custom_config["schema"])
    hierarchy = read_hierarchy(custom_config["hierarchy"])
    inputs = _with_equal_lengths(inputs, schema)
    outputs = {}
    ids = lookup(hierarchy, [inputs[feature.name] for feature in schema.categories])
    outputs.update({id_name(feature): level for feature, level in zip(schema.categories, ids, strict=True)})
    outputs[CATEGORY_REQUESTS] = tf.gather(tf.constant([0, *hierarchy.levels[-1].counts], tf.int64), ids[-1])
    for scope in ("request", "item"):
        outputs |= _numeric(inputs, [feature for feature in schema.numeric if feature.scope == scope])
    vocabularies = {}
    for feature in sorted(schema.categorical, key=lambda feature: schema.vocabulary_of(feature) is not feature):
        owner = schema.vocabulary_of(feature)
        if feature is owner:
            vocabularies[owner.name] = tft.vocabulary(
                _flat(inputs[owner.name]), frequency_threshold=owner.min_count, vocab_filename=owner.name
            )
    for feature in (*schema.categorical, *schema.histories):
        owner = schema.vocabulary_of(feature)
        outputs[id_name(feature)] = _map_flat(
            inputs[feature.name],
            lambda values, owner=owner: tft.apply_vocabulary(
                values, vocabularies[owner.name], num_oov_buckets=owner.hash_buckets
            ),
        )
    for feature in schema.outcomes:
        outputs[feature.name] = inputs[feature.name]
    return outputs


def _with_equal_lengths(inputs: dict, schema: LogSchema) -> dict:
    """The inputs, guarded by an assertion that the item lists of a request are equally long.

    The guard stays in the graph and so holds at serving too. Labels must not be part of it: serving
    has none, TFT feeds an empty list for them there, and every call would fail.
    """
    guarded = [feature.name for feature in schema.model_inputs if feature.scope == "item"]
    first, *others = guarded
    checks = [
        tf.debugging.assert_equal(
            inputs[name].row_splits,
            inputs[first].row_splits,
            message=f"the lists of one request must be equally long, but those of {name!r} and {first!r} differ",
        )
        for name in others
    ]
    with tf.control_dependencies(checks):
        return inputs | {name: _map_flat(inputs[name], tf.identity) for name in guarded}


def _numeric(inputs: dict, features: list[Feature]) -> dict:
    """The scaled values of numeric features of one scope, and where they are missing."""
    if not features:
        return {}
    # In float64, the order and the batches in which Beam adds up do not show, which differ from engine to engine.
    given = [tf.cast(_flat(inputs[feature.name]), tf.float64) for feature in features]
    columns = [
        tf.math.log1p(tf.maximum(column, 0.0)) if feature.log_scale else column
        for feature, column in zip(features, given, strict=True)
    ]
    # One analyzer for all of them: each costs Transform a second. It leaves out what is not finite.
    scaled = tf.cast(tft.scale_to_z_score(tf.stack(columns, axis=1), elementwise=True), tf.float32)
    outputs = {}
    for place, feature in enumerate(features):
        missing = ~tf.math.is_finite(given[place])
        # No log has values that far out; a caller may send one, and the towers' products would overflow to NaN.
        values = tf.where(missing, 0.0, tf.clip_by_value(scaled[:, place], -_FARTHEST, _FARTHEST))
        outputs[feature.name] = _with_flat(inputs[feature.name], values)
        outputs[missing_name(feature)] = _with_flat(inputs[feature.name], tf.cast(missing, tf.float32))
    return outputs


def _flat(values):
    return values.flat_values if isinstance(values, tf.RaggedTensor) else values


def _with_flat(values, flat):
    return values.with_flat_values(flat) if isinstance(values, tf.RaggedTensor) else flat


def _map_flat(values, function):
    return _with_flat(values, function(_flat(values)))
