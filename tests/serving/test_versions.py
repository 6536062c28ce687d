"""Versions come and go while requests are served."""

import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.client import GrpcClient, RestClient
from serving.predict_request import predict_request
from serving.versions import versions_in
from tests.models.conftest import make_request
from tests.serving.conftest import dtypes_of, serving


@pytest.fixture(scope="module")
def own_server(versions, tmp_path_factory):
    """A server whose folder a test may change. Its even versions are the first of the two models."""
    folder = tmp_path_factory.mktemp("own") / "ranker"
    folder.mkdir()
    with serving(folder, first=(versions[0], 2)) as running:
        yield running


@pytest.fixture(scope="module")
def requests_of_rank(small_log):
    rng = np.random.default_rng(1)
    requests = [make_request(rng, number, int(rng.integers(1, 40))) for number in range(20)]
    return [{feature.name: request[feature.name] for feature in small_log.schema.model_inputs} for request in requests]


@pytest.fixture(scope="module")
def expected(small_log, versions, requests_of_rank):
    """The scores of each request by the model of even versions and by that of odd ones."""
    dtypes = dtypes_of(small_log.schema)
    models = [tf.saved_model.load(str(version)) for version in versions]
    tensors = [
        {name: tf.constant(value, dtypes[name]) for name, value in request.items()} for request in requests_of_rank
    ]
    return [[model.signatures["rank"](**inputs)["scores"].numpy() for inputs in tensors] for model in models]


class Load(threading.Thread):
    """Sends requests all the time, and looks at each answer."""

    def __init__(self, ask, requests, expected, stop: threading.Event, pause: float):
        super().__init__()
        self.ask, self.requests, self.expected, self.stop, self.pause = ask, requests, expected, stop, pause
        self.answers, self.versions, self.failure = 0, set(), None

    def run(self):
        try:
            while not self.stop.wait(self.pause):
                place = self.answers % len(self.requests)
                scores, version = self.ask(self.requests[place])
                models = (0, 1) if version is None else (version % 2,)
                fits = [np.allclose(scores, self.expected[model][place], rtol=1e-6) for model in models]
                assert any(fits), f"scores of neither model, or not of version {version}"
                self.answers += 1
                self.versions.add(version)
        except Exception as error:
            self.failure = error


def test_versions_are_swapped_without_a_failed_request_or_mixed_scores(
    own_server, small_log, versions, requests_of_rank, expected, pytestconfig
):
    # Without a pause the callers would take from the server the time in which it loads.
    swaps, pause = (100, 0.0) if pytestconfig.getoption("--hypothesis-profile") == "thorough" else (3, 0.01)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(own_server.address))
    dtypes = dtypes_of(small_log.schema)

    def over_grpc(request):
        response = stub.Predict(predict_request("rank", request, dtypes), timeout=60)
        return tf.make_ndarray(response.outputs["scores"]), response.model_spec.version.value

    stop, rest = threading.Event(), RestClient(own_server.url)
    asks = [over_grpc, over_grpc, lambda request: (rest.rank(request), None)]
    loads = [Load(ask, requests_of_rank, expected, stop, pause) for ask in asks]
    for load in loads:
        load.start()
    try:
        for number in range(3, 3 + swaps):
            own_server.push(versions[number % 2], number)
            own_server.wait_for(number)
    finally:
        stop.set()
        for load in loads:
            load.join()
    assert [load.failure for load in loads] == [None] * 3
    assert len(loads[0].versions | loads[1].versions) >= swaps
    print(f"{swaps} swaps, {sum(load.answers for load in loads):,} requests")


def test_a_version_that_cannot_be_loaded_leaves_the_one_before(own_server, versions, requests_of_rank, expected):
    client = GrpcClient(own_server.address)
    served = versions_in(own_server.folder)[-1]
    broken, good = served + 1, served + 2
    (own_server.folder / str(broken)).mkdir()
    (own_server.folder / str(broken) / "saved_model.pb").write_bytes(b"no model")
    own_server.wait_for(broken, "END")
    np.testing.assert_allclose(client.rank(requests_of_rank[0]), expected[served % 2][0], rtol=1e-6)
    own_server.push(versions[(served + 1) % 2], good)
    own_server.wait_for(broken, "END")
    own_server.wait_for(good)
    assert client.status() | {served: "END", broken: "END", good: "AVAILABLE"} == client.status()
    # Rolled back by taking the newer versions away.
    for number in (broken, good):
        (own_server.folder / str(number)).rename(own_server.folder / f"bad-{number}")
    own_server.wait_for(served)
    np.testing.assert_allclose(client.rank(requests_of_rank[0]), expected[served % 2][0], rtol=1e-6)


@pytest.mark.parametrize(("content", "message"), [(None, "holds no version"), (b"no model", "cannot be loaded: ")])
def test_a_server_without_a_model_says_so_and_ends(tmp_path, content, message):
    if content is not None:
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "saved_model.pb").write_bytes(content)
    with pytest.raises(RuntimeError, match=message), serving(tmp_path):
        pass


def test_a_taken_port_is_named(server):
    port = server.address.rsplit(":", 1)[1]
    for flag in (f"--port={port}", f"--rest_api_port={server.url.rsplit(':', 1)[1]}"):
        with pytest.raises(RuntimeError, match=r"(bind to address|cannot listen)"), serving(server.folder, flag):
            pass
