"""TF Serving's message for a call of one signature."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2


def predict_request(
    signature: str,
    inputs: Mapping[str, Any],
    dtypes: Mapping[str, tf.DType] | None = None,
    model: str = "ranker",
    version: int | None = None,
) -> predict_pb2.PredictRequest:
    """A PredictRequest.

    Args:
      signature: its name, as "rank".
      inputs: values by name, as `tf.make_tensor_proto` takes them.
      dtypes: of the inputs, by name; of those that are not named, that of the value.
      model: its name; empty where the message belongs to a model already.
      version: None for the newest.
    """
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, signature
    if version is not None:
        message.model_spec.version.value = version
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value, (dtypes or {}).get(name)))
    return message
