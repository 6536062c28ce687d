"""Requests that TF Serving plays to a new version before it serves it, so that no user waits for the first one.

They are made up: lists of several lengths, with and without a history, of a known category and of an unknown one. The
names of a known category are the only thing in them that stems from the log.
"""

import itertools
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import input_pb2, predict_pb2, prediction_log_pb2

from models.inputs.features import id_name
from models.inputs.hierarchy import SEPARATOR, CategoryHierarchy
from schemas.log_schema import Feature, LogSchema

# The place and the form are TF Serving's.
WARM_UP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
_NAME = b"warm-up"
_ITEMS, _HISTORY = (1, 10, 100, 500), (0, 20)


def write_warm_up(folder: str, schema: LogSchema, hierarchy: CategoryHierarchy) -> None:
    """Writes the file into the SavedModel at ``folder``: a TFRecord of PredictionLogs for the scoring signatures."""
    path = os.path.join(folder, WARM_UP_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for signature, inputs in _calls(schema, hierarchy):
            request = predict_pb2.PredictRequest()  # not serving's own: models/ imports schemas/ alone
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString(deterministic=True))


def _calls(schema: LogSchema, hierarchy: CategoryHierarchy) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    unknown = {level.feature for level in hierarchy.levels if not level.keys}
    for known, history, items in itertools.product((True, False), _HISTORY, _ITEMS):
        path = _path(hierarchy) if known else [b""] * hierarchy.depth
        names = dict(zip((feature.name for feature in schema.categories), path, strict=True))
        request = {feature.name: _values(feature, items, history, names) for feature in schema.model_inputs}
        yield "rank", request
        example = _example(request | {schema.request_id.name: np.array(_NAME, object)})
        yield "serving_default", {"examples": np.array([example, example], object)}
        yield "elwc", {"inputs": np.array([_elwc(request, schema)], object)}
        for feature in schema.model_inputs:
            if feature.model_input == "id":
                shape = request.pop(feature.name).shape
                request[id_name(feature)] = np.full(shape, int(known and feature.name not in unknown), np.int64)
        yield "rank_ids", request


def _path(hierarchy: CategoryHierarchy) -> list[bytes]:
    """The names of the busiest leaf's path, top first."""
    identity, keys = 1, []
    for level in reversed(hierarchy.levels):
        known = 0 < identity <= len(level.keys)
        keys.append(level.keys[identity - 1] if known else "")
        identity = level.parents[identity - 1] if known else 0
    keys.reverse()
    if hierarchy.conflicts == "split":  # a key is its parent's, and a name
        keys = keys[:1] + [key.removeprefix(above + SEPARATOR) for above, key in itertools.pairwise(keys)]
    return [key.encode("utf-8", "surrogateescape") for key in keys]


def _values(feature: Feature, items: int, history: int, names: dict[str, bytes]) -> np.ndarray:
    if feature.name in names:
        return np.array(names[feature.name], object)
    shape = () if feature.is_scalar else (history,) if feature.is_history else (items,)
    return np.full(shape, _NAME, object) if feature.dtype == "bytes" else np.ones(shape, np.float32)


def _example(request: dict[str, np.ndarray]) -> bytes:
    example = tf.train.Example()
    for name, values in request.items():
        feature = example.features.feature[name]
        (feature.bytes_list if values.dtype == object else feature.float_list).value.extend(np.ravel(values))
    return example.SerializeToString(deterministic=True)


def _elwc(request: dict[str, np.ndarray], schema: LogSchema) -> bytes:
    of_items = [feature.name for feature in schema.model_inputs if feature.scope == "item"]
    context = {name: values for name, values in request.items() if name not in of_items}
    message = input_pb2.ExampleListWithContext()
    message.context.ParseFromString(_example(context))
    for item in range(len(request[of_items[0]])):
        message.examples.add().ParseFromString(_example({name: request[name][item : item + 1] for name in of_items}))
    return message.SerializeToString(deterministic=True)
