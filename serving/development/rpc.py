"""TF Serving's gRPC interface: Predict, GetModelMetadata and GetModelStatus."""

from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.development.errors import Refused
from serving.development.metrics import Metrics
from serving.development.model import Model
from serving.development.version import DEFAULT_SIGNATURE, Version

# A TensorProto may say that its last value is repeated: a few bytes could ask for any amount of memory.
_MOST_REPEATED = 1_000_000


def server(model: Model, metrics: Metrics, address: str, threads: int, most_bytes: int) -> tuple[grpc.Server, int]:
    """A gRPC server that is not started yet, and its port.

    Args:
      model: what is served.
      metrics: count its requests.
      address: host:port; port 0 for a free one.
      threads: requests at a time.
      most_bytes: of a message; a larger one is answered with RESOURCE_EXHAUSTED.

    Raises:
      RuntimeError: the port is taken.
    """
    options = [("grpc.max_receive_message_length", most_bytes), ("grpc.so_reuseport", 0)]
    pool = futures.ThreadPoolExecutor(threads, "grpc")
    result = grpc.server(pool, interceptors=[_Parser()], options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Prediction(model, metrics), result)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelStatus(model), result)
    return result, result.add_insecure_port(address)


def model_status(model: Model, name: str, number: int | None) -> get_model_status_pb2.GetModelStatusResponse:
    """The state of a version, or of all that were met.

    Raises:
      Refused: there is no model of that name, or there was no such version.
    """
    if name != model.name:
        raise Refused(f"Could not find any versions of model {name}", grpc.StatusCode.NOT_FOUND)
    if number is not None and number not in model.statuses:
        raise Refused(f"Could not find version {number} of model {model.name}", grpc.StatusCode.NOT_FOUND)
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, status in sorted(model.statuses.items(), reverse=True):
        if number in (None, version):
            entry = response.model_version_status.add(version=version, state=status.state)
            entry.status.error_code = 2 if status.error else 0  # UNKNOWN, OK
            entry.status.error_message = status.error
    return response


def model_metadata(model: Model, version: Version) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = model.name
    response.model_spec.version.value = version.number
    signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.signature_defs)
    response.metadata["signature_def"].Pack(signatures)
    return response


def _number(spec) -> int | None:
    return spec.version.value if spec.HasField("version") else None


class _Parser(grpc.ServerInterceptor):
    """Answers bytes that are no message with INVALID_ARGUMENT; gRPC would say that the server is at fault."""

    def intercept_service(self, continuation, handler_call_details):
        handler = continuation(handler_call_details)
        if handler is None:
            return None

        def parsed(serialized: bytes, context: grpc.ServicerContext):
            try:
                request = handler.request_deserializer(serialized)
            except message.DecodeError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"The request is no message of this method: {error}")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(parsed, None, handler.response_serializer)


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model: Model, metrics: Metrics):
        self._model = model
        self._metrics = metrics

    def Predict(self, request, context):
        return self._answered("Predict", self._predict, request, context)

    def GetModelMetadata(self, request, context):
        return self._answered("GetModelMetadata", self._metadata, request, context)

    def _answered(self, entrypoint: str, function, request: message.Message, context: grpc.ServicerContext):
        try:
            with self._metrics.answering(self._model.name, "GRPC", entrypoint):
                return function(request, self._version(request.model_spec))
        except Refused as error:
            context.abort(error.code, error.message)

    def _version(self, spec) -> Version:
        if not spec.name:
            raise Refused("Missing ModelSpec")
        return self._model.version(spec.name, _number(spec), spec.version_label)

    def _predict(self, request: predict_pb2.PredictRequest, version: Version) -> predict_pb2.PredictResponse:
        signature = version.signature(request.model_spec.signature_name)
        # Before they are made arrays: a name that nobody reads is to cost nothing.
        signature.check_names(request.inputs.keys())
        inputs = {name: _array(name, proto) for name, proto in request.inputs.items()}
        outputs = signature(inputs, list(request.output_filter))
        response = predict_pb2.PredictResponse()
        self._name(response.model_spec, request, version)
        for name, values in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    def _metadata(self, request, version: Version) -> get_model_metadata_pb2.GetModelMetadataResponse:
        if not request.metadata_field:
            raise Refused("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise Refused(f"Metadata field {field} is not supported")
        return model_metadata(self._model, version)

    def _name(self, spec, request, version: Version) -> None:
        spec.name = self._model.name
        spec.version.value = version.number
        spec.signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE


class _ModelStatus(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, model: Model):
        self._model = model

    def GetModelStatus(self, request, context):
        try:
            return model_status(self._model, request.model_spec.name, _number(request.model_spec))
        except Refused as error:
            context.abort(error.code, error.message)


def _array(name: str, proto) -> np.ndarray:
    """The array of a TensorProto.

    Raises:
      Refused: its parts do not fit each other.
    """
    sizes = [dimension.size for dimension in proto.tensor_shape.dim]
    elements = int(np.prod(sizes, dtype=object)) if sizes else 1
    if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0 or elements > _MOST_REPEATED * 100:
        raise Refused(f"tensor parsing error: {name}: impossible shape {sizes}")
    if not proto.tensor_content and elements > _MOST_REPEATED:
        raise Refused(f"tensor parsing error: {name}: at most {_MOST_REPEATED:,} elements without tensor_content")
    try:
        return np.asarray(tf.make_ndarray(proto))
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise Refused(f"tensor parsing error: {name}: {error}"[:300]) from error
