"""What the development server answers, over gRPC and REST, to the client and to callers that know TF Serving."""

import base64
import json
import re
import socket

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.client import GrpcClient, RestClient, ServingError
from serving.predict_request import predict_request
from tests.models.conftest import make_request, to_example
from tests.serving.conftest import dtypes_of


@pytest.fixture(scope="module")
def model(versions):
    """The SavedModel that is served, loaded directly."""
    return tf.saved_model.load(str(versions[0]))


def ranked(schema, items=7, **change):
    """A request of `rank`."""
    request = make_request(np.random.default_rng(items), 1, items) | change
    return {feature.name: request[feature.name] for feature in schema.model_inputs}


def directly(model, schema, request):
    dtypes = dtypes_of(schema)
    tensors = {name: tf.constant(value, dtypes[name]) for name, value in request.items()}
    return model.signatures["rank"](**tensors)["scores"].numpy()


def post(server, body, path=":predict"):
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    response = requests.post(f"{server.url}/v1/models/ranker{path}", data=content, timeout=60)
    return response.status_code, response.json()


@pytest.mark.parametrize("items", [0, 1, 100, 500])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"history_item": [], "history_brand": []},
        {"top_category": "?", "sub_category": ""},
        {"top_category": "shirts", "sub_category": "phones/手机"},
    ],
)
def test_both_clients_give_the_scores_of_the_saved_model(small_log, model, grpc_client, rest_client, items, change):
    request = ranked(small_log.schema, items, **change)
    expected = directly(model, small_log.schema, request)
    for client in (grpc_client, rest_client):
        scores = client.rank(request)
        np.testing.assert_allclose(scores, expected, rtol=1e-6)
        assert scores.dtype == np.float32


def test_bytes_that_are_no_text_reach_the_model(small_log, model, grpc_client, rest_client):
    brand = [b"\xff\xfe", b"b1", b"\x00"]
    request = ranked(small_log.schema, 3, brand=brand)
    expected = directly(model, small_log.schema, request)
    np.testing.assert_allclose(grpc_client.rank(request), expected, rtol=1e-6)
    np.testing.assert_allclose(rest_client.rank(request), expected, rtol=1e-6)


def test_clients_say_what_the_model_wants(small_log, grpc_client, rest_client):
    dtypes = {"bytes": "string", "float": "float32"}
    expected = {feature.name: dtypes[feature.dtype] for feature in small_log.schema.model_inputs}
    assert grpc_client.inputs() == rest_client.inputs() == expected
    request = ranked(small_log.schema)
    del request["price"]
    for client in (grpc_client, rest_client):
        with pytest.raises(ValueError, match="Missing: price; unknown: prices"):
            client.rank(request | {"prices": [1.0]})
        assert client.status()[1] == "AVAILABLE"


def test_clients_name_what_the_server_refused_and_when_there_is_none(small_log, server, grpc_client, rest_client):
    uneven = ranked(small_log.schema) | {"brand": ["b1"]}
    with pytest.raises(ServingError, match=r"INVALID_ARGUMENT: .*lists of one request must be equally long"):
        grpc_client.rank(uneven)
    with pytest.raises(ServingError, match=r"400: .*lists of one request must be equally long"):
        rest_client.rank(uneven)
    for wrong in (
        GrpcClient(server.address, model="other"),
        GrpcClient(server.address, version=9),
        RestClient(server.url, model="other"),
        RestClient(server.url, version=9),
    ):
        with pytest.raises(ServingError, match=r"(NOT_FOUND|404): Servable not found for request: (Latest|Specific)"):
            wrong.rank(ranked(small_log.schema))
    for nobody in (GrpcClient("localhost:1"), RestClient("http://localhost:1")):
        with pytest.raises(ServingError, match="UNAVAILABLE"):
            nobody.rank(ranked(small_log.schema))


def test_row_form_scores_serialized_examples(small_log, server, model):
    examples = [to_example(request, small_log.schema).SerializeToString() for request in small_log.requests[:3]]
    expected = model.signatures["serving_default"](examples=tf.constant(examples))
    encoded = [{"b64": base64.b64encode(example).decode()} for example in examples]
    for instances in (encoded, [{"examples": example} for example in encoded]):
        status, answer = post(server, {"instances": instances})
        assert status == 200
        for row, prediction in enumerate(answer["predictions"]):
            np.testing.assert_allclose(prediction["scores"], expected["scores"][row], rtol=1e-6)
            assert prediction["lengths"] == int(expected["lengths"][row])
            assert prediction["request_ids"] == f"r{row}"
    status, answer = post(server, {"inputs": encoded}, "/versions/1:predict")
    assert answer["outputs"]["request_ids"] == ["r0", "r1", "r2"]


def test_status_and_metadata(server):
    url = f"{server.url}/v1/models/ranker"
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("", "/versions/1"):
        assert requests.get(url + path, timeout=60).json() == {"model_version_status": [status]}
    assert requests.get(url + "/versions/7", timeout=60).status_code == 404
    metadata = requests.get(url + "/metadata", timeout=60).json()
    assert metadata["model_spec"] == {"name": "ranker", "signature_name": "", "version": "1"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert signatures["rank"]["inputs"]["price"]["dtype"] == "DT_FLOAT"
    assert signatures["rank"]["method_name"] == "tensorflow/serving/predict"

    channel = grpc.insecure_channel(server.address)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "ranker"
    [version] = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request).model_version_status
    assert (version.version, version.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)


def test_requests_are_counted_under_the_names_of_tf_serving(server, rest_client, small_log):
    def counts():
        text = requests.get(f"{server.url}/monitoring/prometheus/metrics", timeout=60).text
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

    def count(numbers, status):
        return float(numbers.get(f':tensorflow:serving:request_count{{model_name="ranker",status="{status}"}}', 0))

    before = counts()
    rest_client.rank(ranked(small_log.schema))
    post(server, {})
    post(server, b"a" * 17_000_000)
    after = counts()
    for status in ("OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"):
        assert count(after, status) == count(before, status) + 1
    assert count(after, "INTERNAL") == 0
    key = ':tensorflow:serving:request_latency_count{API="REST",entrypoint="Predict",model_name="ranker"}'
    assert float(after[key]) >= 1


def nested(depth):
    value = [1.0]
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b'{"inputs": ', "JSON Parse error"),
        (b"\xff\x00", "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        ("[1]", "must be a JSON object"),
        ({}, "'inputs'"),
        ({"inputs": {}, "instances": []}, "'inputs'"),
        ({"instances": []}, "at least one"),
        ({"instances": [{"examples": "a"}, {"b": 1}]}, "element: 1"),
        ({"signature_name": "rang", "inputs": {}}, '"rang" not found'),
        ({"signature_name": 3, "inputs": {}}, "must be a string"),
        (b'{"signature_name": "\\ud800", "inputs": {}}', "not found"),
        (b'{"signature_name": "rank", "inputs": {"\\ud800": 1}}', "Sent extra"),
        ({"signature_name": "r" * 20_000, "inputs": {}}, "rrr"),
        ({"inputs": {"b64": "*"}}, "base64"),
        ({"inputs": {"b64": 3}}, "base64"),
        ({"inputs": ["not an example"]}, "parse"),
        ({"inputs": [{"b64": "gA=="}]}, "parse"),
        ({"signature_name": "rank", "inputs": [1]}, "a key for each input"),
        ({"signature_name": "rank", "inputs": {"prices": [1.0]}}, r"Sent extra: \{prices\}"),
    ],
)
def test_malformed_rest_requests_are_told_what_is_wrong(server, body, message):
    status, answer = post(server, body)
    assert status == 400
    assert re.search(message, answer["error"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": ["dear"]}, 'price: JSON Value: "dear" Type: String is not of expected type: float32'),
        ({"price": [None]}, "Type: Null"),
        ({"price": [True]}, "Type: Bool"),
        ({"price": [1.0, nested(900)]}, "Type: Array"),
        ({"price": [1.0, {"a": nested(900)}]}, "Type: Object"),
        ({"price": nested(900)}, "more than 32 deep"),
        ({"price": 1.0}, r"arg\[price\] to have shape \[\?\]"),
        ({"price": [[1.0]]}, r"arg\[price\] to have shape \[\?\]"),
        ({"price": [[1.0], [2.0, 3.0]]}, "equally long"),
        ({"price": [1.0, [2.0]]}, "price: "),
        ({"brand": [1]}, "is not of expected type: string"),
        ({"top_category": ["shoes"]}, r"arg\[top_category\] to have shape \[\]"),
        ({"price": [1.0]}, "equally long"),
        ({"price": [10**400] * 7}, "price: "),
    ],
)
def test_inputs_that_do_not_fit_are_named(small_log, server, change, message):
    request = ranked(small_log.schema)
    inputs = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in request.items()}
    status, answer = post(server, {"signature_name": "rank", "inputs": inputs | change})
    assert status == 400
    assert re.search(message, answer["error"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e39"])
def test_numbers_that_json_lacks_are_missing_values(small_log, server, rest_client, number):
    request = ranked(small_log.schema, 2)
    inputs = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in request.items()}
    body = json.dumps({"signature_name": "rank", "inputs": inputs | {"price": ["@", 1.0]}}).replace('"@"', number)
    status, answer = post(server, body)
    assert status == 200
    np.testing.assert_allclose(answer["outputs"], rest_client.rank(request | {"price": [np.nan, 1.0]}), rtol=1e-6)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/other", 404),
        ("POST", "/v1/models/ranker/versions/7:predict", 404),
        ("POST", "/v1/models/ranker", 400),
        ("POST", "/v1/models/ranker/versions/" + "7" * 5_000 + ":predict", 400),
        ("GET", "/v1/models/ranker/versions/x", 400),
        ("GET", "/v1/models/ranker:predict", 404),
        ("POST", "/v1/models/ranker:explain", 400),
        ("DELETE", "/v1/models/ranker", 400),
        ("GET", "/v2/health", 404),
        ("GET", "/", 404),
    ],
)
def test_other_paths_are_refused(server, method, path, status):
    response = requests.request(method, server.url + path, data="{}", timeout=60)
    assert (response.status_code, "error" in response.json()) == (status, True)


def test_bodies_of_100_megabytes_are_refused_and_the_next_request_is_served(server, small_log, rest_client):
    body = b'{"inputs": "' + b"a" * 100_000_000 + b'"}'
    status, answer = post(server, body)
    assert (status, answer["error"]) == (413, "Request body is larger than 16,000,000 bytes")
    message = predict_request("", {"examples": [b"a" * 100_000_000]}, model="")
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.address))
    with pytest.raises(grpc.RpcError, match="larger than max") as error:
        stub.Predict(message)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(rest_client.rank(ranked(small_log.schema))) == 7


def _with(field, value):
    def change(message):
        setattr(message.model_spec, field, value)

    return change


def _input(name, **parts):
    def change(message):
        message.inputs[name].CopyFrom(tf.make_tensor_proto(np.float32([1])))
        del message.inputs[name].tensor_shape.dim[:]
        for size in parts.pop("shape", [1]):
            message.inputs[name].tensor_shape.dim.add(size=size)
        for part, value in parts.items():
            setattr(message.inputs[name], part, value)

    return change


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (_with("name", ""), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (_with("name", "other"), "NOT_FOUND", r"Servable not found for request: Latest\(other\)"),
        (_with("version_label", "canary"), "INVALID_ARGUMENT", "Unrecognized servable version label: canary"),
        (_with("signature_name", "r" * 20_000), "FAILED_PRECONDITION", "rrr"),
        (_with("signature_name", "rang"), "FAILED_PRECONDITION", 'Serving signature key "rang" not found.'),
        (lambda message: message.inputs.pop("price"), "INVALID_ARGUMENT", r"Missing but required: \{price\}"),
        (_input("prices"), "INVALID_ARGUMENT", r"Sent extra: \{prices\}"),
        (_input("brand"), "INVALID_ARGUMENT", r"arg\[brand\] to be string but float32 is provided"),
        (_input("price", shape=[]), "INVALID_ARGUMENT", r"arg\[price\] to have shape \[\?\]"),
        (_input("price", shape=[-1]), "INVALID_ARGUMENT", "impossible shape"),
        (_input("price", shape=[2**40, 2**40]), "INVALID_ARGUMENT", "impossible shape"),
        (_input("price", shape=[50_000_000], tensor_content=b""), "INVALID_ARGUMENT", "without tensor_content"),
        (_input("price", tensor_content=b"abc"), "INVALID_ARGUMENT", "tensor parsing error: price"),
        (_input("price", dtype=99), "INVALID_ARGUMENT", "tensor parsing error: price"),
        (_input("price", dtype=20), "INVALID_ARGUMENT", "tensor parsing error: price"),
        (_input("price", shape=[1]), "INVALID_ARGUMENT", "equally long"),
        (lambda message: message.output_filter.append("score"), "INVALID_ARGUMENT", "alias not found in signature"),
        (lambda message: message.output_filter.extend(["scores"] * 2), "INVALID_ARGUMENT", "duplicate output"),
    ],
)
def test_malformed_grpc_requests_are_told_what_is_wrong(small_log, server, grpc_client, change, code, message):
    request = predict_request("rank", ranked(small_log.schema), dtypes_of(small_log.schema))
    change(request)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.address))
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(request, timeout=60)
    assert error.value.code().name == code
    assert re.search(message, error.value.details())
    assert len(grpc_client.rank(ranked(small_log.schema))) == 7


def test_it_listens_on_the_loopback_address_alone(server):
    for address in (server.address, server.url.removeprefix("http://")):
        port = int(address.rpartition(":")[2])
        for host, open_there in (("127.0.0.1", True), ("127.0.0.2", False)):  # who listens on all has the second, too
            with socket.socket() as connection:
                assert (connection.connect_ex((host, port)) == 0) is open_there
