"""Whatever is sent to the development server, it says what was wrong and serves the next request."""

import base64
import functools
import json
import socket

import grpc
import hypothesis
import numpy as np
import pytest
import requests
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

from serving.predict_request import predict_request
from tests.models.conftest import make_request, to_example
from tests.serving.conftest import dtypes_of

METHODS = [
    "/tensorflow.serving.PredictionService/Predict",
    "/tensorflow.serving.PredictionService/MultiInference",
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
    "/tensorflow.serving.PredictionService/Explain",
]
SERVERS_FAULT = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "DATA_LOSS", "ABORTED"}
SIGNATURES = ["rank", "rank_ids", "serving_default", "elwc", "gates", "", "rang"]

numbers = st.integers(-3, 60) | st.integers() | st.floats(width=32) | st.floats()
# Surrogates too, which JSON can hold and UTF-8 cannot.
texts = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["phones", "phones/cases", "b1", "i7"]
)
encoded = st.binary(max_size=40).map(lambda data: {"b64": base64.b64encode(data).decode()})
scalars = st.none() | st.booleans() | numbers | texts | encoded
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3))
deep = st.integers(1, 1_200).map(lambda depth: functools.reduce(lambda inner, _: [inner], range(depth), 1.0))
lists = st.integers(0, 5).flatmap(
    lambda size: st.lists(numbers, min_size=size, max_size=size) | st.lists(texts, min_size=size, max_size=size)
)


@pytest.fixture(scope="module")
def request_of_rank(small_log) -> dict:
    request = make_request(np.random.default_rng(4), 1, 4)
    return {
        feature.name: value.tolist() if isinstance(value := request[feature.name], np.ndarray) else value
        for feature in small_log.schema.model_inputs
    }


@pytest.fixture(scope="module")
def inputs(small_log, request_of_rank, grpc_client) -> dict[str, dict]:
    """Good inputs of some signatures."""
    example = to_example(small_log.requests[0], small_log.schema).SerializeToString()
    ids = {
        name if "numeric" in small_log.schema[name].roles else f"{name}_id": value
        if "numeric" in small_log.schema[name].roles
        else (1 if isinstance(value, str) else [1] * len(value))
        for name, value in request_of_rank.items()
    }
    examples = {"examples": [{"b64": base64.b64encode(example).decode()}]}
    paths = {level.name: ["phones", "?"] for level in small_log.schema.categories}
    known = {"rank": request_of_rank, "rank_ids": ids, "serving_default": examples, "gates": paths}
    return {name: known.get(name, examples) for name in SIGNATURES}


@st.composite
def bodies(draw, inputs):
    """Requests that are almost right, and ones that are nothing."""
    signature = draw(st.sampled_from(SIGNATURES) | st.just("r" * 20_000))
    changed = dict(inputs.get(signature, inputs["rank"]))
    for name in draw(st.lists(st.sampled_from(sorted(changed)), max_size=3)):
        if draw(st.integers(0, 4)):
            changed[name] = draw(lists | values | deep | encoded.map(lambda value: [value]))
        else:
            changed.pop(name, None)
    if not draw(st.integers(0, 5)):
        changed |= draw(st.dictionaries(texts, values, max_size=2))
    content = {"signature_name": signature, "inputs": changed}
    if not draw(st.integers(0, 3)):
        content = {"signature_name": signature, "instances": draw(st.lists(st.just(changed) | values, max_size=3))}
    if not draw(st.integers(0, 9)):
        content = draw(values)
    body = json.dumps(content).encode()
    return _cut(draw, body) if not draw(st.integers(0, 3)) else body


def _cut(draw, data: bytes) -> bytes:
    """Bytes of which a part is replaced."""
    start = draw(st.integers(0, len(data)))
    return data[:start] + draw(st.binary(max_size=12)) + data[start + draw(st.integers(0, 12)) :]


@hypothesis.given(st.data())
def test_rest(server, inputs, data):
    body = data.draw(bodies(inputs) | st.binary(max_size=200))
    response = requests.post(f"{server.url}/v1/models/ranker:predict", data=body, timeout=60)
    hypothesis.event(f"status {response.status_code}")
    answer = json.loads(response.content)
    if response.status_code == 200:
        assert answer.keys() <= {"outputs", "predictions"}
        assert "NaN" not in response.text
        assert "null" not in response.text
    else:
        assert 400 <= response.status_code < 500, f"{answer} to {body}"
        assert answer["error"]


@st.composite
def tensors(draw, proto):
    """Fills a TensorProto with parts that rarely fit each other."""
    proto.dtype = draw(st.sampled_from([1, 7, 9]) | st.sampled_from(types_pb2.DataType.values()))
    del proto.tensor_shape.dim[:]
    for size in draw(st.lists(st.integers(-2, 5) | st.integers(-(2**62), 2**62), max_size=3)):
        proto.tensor_shape.dim.add(size=size)
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=5)))
    proto.int64_val.extend(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2)))
    proto.string_val.extend(draw(st.lists(st.binary(max_size=8), max_size=5)))
    proto.tensor_content = draw(st.binary(max_size=20))
    return proto


@st.composite
def messages(draw, good: predict_pb2.PredictRequest):
    request = predict_pb2.PredictRequest()
    request.CopyFrom(good)
    for name in draw(st.lists(st.sampled_from(sorted(good.inputs)), max_size=3, unique=True)):
        draw(tensors(request.inputs[name]))
    if not draw(st.integers(0, 5)):
        request.inputs.pop(draw(st.sampled_from(sorted(good.inputs))))
    if not draw(st.integers(0, 5)):
        request.model_spec.signature_name = draw(
            st.sampled_from(SIGNATURES) | st.text(max_size=8) | st.just("r" * 20_000)
        )
    if not draw(st.integers(0, 9)):
        request.model_spec.version.value = draw(st.integers(-1, 3))
    request.output_filter.extend(draw(st.lists(st.sampled_from(["scores", "lengths", "?"]), max_size=2)))
    serialized = request.SerializeToString()
    return _cut(draw, serialized) if not draw(st.integers(0, 2)) else serialized


@hypothesis.given(st.data())
def test_grpc(server, good_message, data):
    method = METHODS[0] if data.draw(st.integers(0, 3)) else data.draw(st.sampled_from(METHODS))
    body = data.draw(messages(good_message) | st.binary(max_size=200))
    try:
        _channel(server).unary_unary(method)(body, timeout=60)
        code, details = "OK", "fine"
    except grpc.RpcError as error:
        code, details = error.code().name, error.details()
    hypothesis.event(code)
    assert code not in SERVERS_FAULT, f"{details} to {body}"
    assert details


@pytest.fixture(scope="module")
def good_message(small_log, request_of_rank) -> predict_pb2.PredictRequest:
    return predict_request("rank", request_of_rank, dtypes_of(small_log.schema))


_CHANNELS = {}


def _channel(server) -> grpc.Channel:
    return _CHANNELS.setdefault(server.address, grpc.insecure_channel(server.address))


@pytest.mark.parametrize("port", ["gRPC", "REST"])
def test_garbage_on_the_wire(server, grpc_client, rest_client, request_of_rank, port):
    address = server.address if port == "gRPC" else server.url.removeprefix("http://")
    host, number = address.rsplit(":", 1)
    rng = np.random.default_rng(1)
    for size in (1, 10, 1_000, 100_000, 1_000_000):
        with socket.create_connection((host, int(number)), timeout=10) as connection:
            try:
                connection.sendall(rng.bytes(size))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1_000)
            except OSError:
                pass  # the server hung up on us, as it may
    np.testing.assert_allclose(grpc_client.rank(request_of_rank), rest_client.rank(request_of_rank))


@pytest.fixture(autouse=True, scope="module")
def serves_on(server, grpc_client, rest_client, request_of_rank):
    """After everything, a good request gets the scores that it got before."""
    before = grpc_client.rank(request_of_rank)
    yield
    np.testing.assert_array_equal(grpc_client.rank(request_of_rank), before)
    np.testing.assert_array_equal(rest_client.rank(request_of_rank), before)
    assert server.process.poll() is None
