"""TF Serving's REST interface."""

import re

import grpc
import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.development import json_tensors, metrics, rpc
from serving.development.errors import Refused
from serving.development.model import Model

_JSON = "application/json"


def application(model: Model, counts: metrics.Metrics, most_bytes: int) -> Starlette:
    """The web application.

    Args:
      model: what is served.
      counts: count its requests.
      most_bytes: of a request's body; a larger one is answered with 413.
    """
    interface = _Interface(model, counts, most_bytes)
    paths = {"": interface.status, "/metadata": interface.metadata}
    routes = [
        Route(f"/v1/models/{{name}}{version}{path}", endpoint, methods=["GET"])
        for version in ("/versions/{version}", "")
        for path, endpoint in paths.items()
    ]
    routes += [
        Route(f"/v1/models/{{name}}{version}:predict", interface.predict, methods=["POST"])
        for version in ("/versions/{version}", "")
    ]
    routes.append(Route(metrics.PATH, lambda _: Response(counts.text(), media_type="text/plain"), methods=["GET"]))
    return Starlette(
        routes=routes,
        exception_handlers={Refused: _refused, HTTPException: _malformed, Exception: _failed},
    )


class _TooLarge(Refused):
    """A body that is not read to its end into memory."""

    http_status = 413

    def __init__(self, message: str):
        super().__init__(message, grpc.StatusCode.RESOURCE_EXHAUSTED)


class _Interface:
    def __init__(self, model: Model, counts: metrics.Metrics, most_bytes: int):
        self._model = model
        self._counts = counts
        self._most_bytes = most_bytes

    async def status(self, request: Request) -> Response:
        name, version = _asked(request)
        return _json(_as_dictionary(rpc.model_status(self._model, name, version)))

    async def metadata(self, request: Request) -> Response:
        version = self._model.version(*_asked(request))
        response = rpc.model_metadata(self._model, version)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        spec = {"name": self._model.name, "signature_name": "", "version": str(version.number)}
        return _json({"model_spec": spec, "metadata": {"signature_def": _as_dictionary(signatures)}})

    async def predict(self, request: Request) -> Response:
        with self._counts.answering(self._model.name, "REST", "Predict"):
            body = await self._body(request)
            # In a thread: TensorFlow computes, and other requests are read meanwhile.
            return _json(await run_in_threadpool(self._predicted, *_asked(request), body))

    def _predicted(self, model: str, number: int | None, body: bytes) -> dict:
        version = self._model.version(model, number)
        content = json_tensors.parse(body)
        name = content.get("signature_name", "")
        if not isinstance(name, str):
            raise Refused("'signature_name' must be a string")
        signature = version.signature(name)
        inputs, rows = json_tensors.read_inputs(content, signature)
        return json_tensors.answer(signature(inputs), rows)

    async def _body(self, request: Request) -> bytes:
        body, received = bytearray(), 0
        async for chunk in request.stream():
            # What is too much is read and thrown away: a caller that is still sending would not see an answer.
            if received <= self._most_bytes:
                body += chunk
            received += len(chunk)
        if received > self._most_bytes:
            raise _TooLarge(f"Request body is larger than {self._most_bytes:,} bytes")
        return bytes(body)


def _asked(request: Request) -> tuple[str, int | None]:
    """The model's name and the version in a path."""
    name, number = request.path_params["name"], request.path_params.get("version")
    if number is not None and not re.fullmatch("[0-9]{1,18}", number):
        raise Refused(f"Malformed request: {request.method} {request.url.path}")
    return name, number and int(number)


def _json(content, status: int = 200) -> Response:
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type=_JSON)


def _as_dictionary(message) -> dict:
    return json_format.MessageToDict(message, preserving_proto_field_name=True, including_default_value_fields=True)


async def _refused(_: Request, error: Refused) -> Response:
    return _json({"error": error.message}, error.http_status)


async def _malformed(request: Request, error: HTTPException) -> Response:
    """No such path, or not by this method."""
    path = request.url.path
    if error.status_code not in (404, 405):
        return _json({"error": error.detail}, error.status_code)
    # Below /v1/ TF Serving answers itself, elsewhere its web server does.
    status = 400 if path.startswith("/v1/") else 404
    return _json({"error": f"Malformed request: {request.method} {path}"}, status)


async def _failed(_: Request, error: Exception) -> Response:
    return _json({"error": f"{type(error).__name__}: {error}"[:300]}, 500)
