"""A client of TF Serving, or of the development server, for a model that Aislerank exported.

    client = GrpcClient("localhost:8500")             # or RestClient("http://localhost:8501")
    scores = client.rank({"top_category": "shoes", "item_id": ["i64887", "i64845"], "price": [20.42, 41.87], ...})

A request is a dictionary by feature name: a value for what a request has once, a list for items and histories. What
the model wants, `client.inputs()` says. Needs tensorflow-serving-api, requests and NumPy.
"""

import base64
import functools
import json
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.predict_request import predict_request


class ServingError(RuntimeError):
    """A request that was not served.

    Attributes:
      code: gRPC's name of the error, or the status of HTTP.
    """

    def __init__(self, code: str | int, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


class GrpcClient:
    """Ranks over gRPC. Safe to share between threads.

    Args:
      address: host:port.
      model: its name.
      version: None for the newest.
      timeout: seconds that a call may take.
    """

    def __init__(self, address: str, model: str = "ranker", version: int | None = None, timeout: float = 10.0):
        self._channel = grpc.insecure_channel(address)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model
        self._version = version
        self._timeout = timeout

    def rank(self, request: Mapping[str, Any]) -> np.ndarray:
        """The scores of a request's items, [n] float32, in their order.

        Raises:
          ValueError: the request lacks an input, or has one that the model does not know.
          ServingError: the server did not take the request, or could not be reached.
        """
        if request.keys() != self._dtypes.keys():
            self.__dict__.pop("_dtypes", None)  # a version that was pushed since may want others
            _check_names(request, self._dtypes)
        message = predict_request("rank", request, self._dtypes, self._model, self._version)
        response = self._called(self._stub.Predict, message)
        return tf.make_ndarray(response.outputs["scores"])

    def inputs(self) -> dict[str, str]:
        """The dtype of each input of a request, by its name."""
        return {name: dtype.name for name, dtype in self._dtypes.items()}

    def status(self) -> dict[int, str]:
        """The state of each version that the server knows; AVAILABLE if it serves."""
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = self._model
        response = self._called(self._models.GetModelStatus, message)
        state = get_model_status_pb2.ModelVersionStatus.State
        return {entry.version: state.Name(entry.state) for entry in response.model_version_status}

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    @functools.cached_property
    def _dtypes(self) -> dict[str, tf.DType]:
        message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        message.model_spec.name = self._model
        if self._version is not None:
            message.model_spec.version.value = self._version
        response = self._called(self._stub.GetModelMetadata, message)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        inputs = signatures.signature_def["rank"].inputs
        return {name: tf.as_dtype(inputs[name].dtype) for name in sorted(inputs)}

    def _called(self, method, message):
        try:
            return method(message, timeout=self._timeout)
        except grpc.RpcError as error:
            raise ServingError(error.code().name, error.details()) from error


class RestClient:
    """Ranks over REST.

    Args:
      url: http://host:port.
      model: its name.
      version: None for the newest.
      timeout: seconds that a call may take.
    """

    def __init__(self, url: str, model: str = "ranker", version: int | None = None, timeout: float = 10.0):
        self._url = f"{url}/v1/models/{model}" + ("" if version is None else f"/versions/{version}")
        self._timeout = timeout
        self._session = requests.Session()

    def rank(self, request: Mapping[str, Any]) -> np.ndarray:
        """As `GrpcClient.rank`."""
        if request.keys() != self._inputs.keys():
            self.__dict__.pop("_inputs", None)  # as above
            _check_names(request, self._inputs)
        inputs = {name: _plain(value) for name, value in request.items()}
        answer = self._called("POST", ":predict", {"signature_name": "rank", "inputs": inputs})
        return np.array(answer["outputs"], np.float32)

    def inputs(self) -> dict[str, str]:
        """As `GrpcClient.inputs`."""
        return self._inputs

    def status(self) -> dict[int, str]:
        """As `GrpcClient.status`."""
        answer = self._called("GET", "")
        return {int(entry["version"]): entry["state"] for entry in answer["model_version_status"]}

    @functools.cached_property
    def _inputs(self) -> dict[str, str]:
        signatures = self._called("GET", "/metadata")["metadata"]["signature_def"]["signature_def"]
        inputs = signatures["rank"]["inputs"]
        numbers = {name: types_pb2.DataType.Value(inputs[name]["dtype"]) for name in sorted(inputs)}
        return {name: tf.as_dtype(number).name for name, number in numbers.items()}

    def close(self) -> None:
        """Ends the connection."""
        self._session.close()

    def _called(self, method: str, path: str, content: dict | None = None) -> dict:
        body = None if content is None else json.dumps(content)  # NaN and all: TF Serving reads it, JSON's rules do not
        try:
            response = self._session.request(method, self._url + path, data=body, timeout=self._timeout)
        except requests.RequestException as error:
            raise ServingError("UNAVAILABLE", str(error)) from error
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            raise ServingError(response.status_code, response.text[:300]) from None
        if not response.ok:
            raise ServingError(response.status_code, answer.get("error", ""))
        return answer


def _check_names(request: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    missing, unknown = expected.keys() - request.keys(), request.keys() - expected.keys()
    if missing or unknown:
        raise ValueError(
            f"the model wants {', '.join(expected)}. Missing: {', '.join(sorted(missing)) or 'none'}; "
            f"unknown: {', '.join(sorted(unknown)) or 'none'}"
        )


def _plain(value: Any) -> Any:
    """A value as TF Serving's JSON has it."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
