"""Load on a server from a process of its own: callers that each wait for an answer and ask again."""

import http.client
import itertools
import threading
import time
from collections.abc import Callable

import grpc
import numpy as np
import orjson

from benchmarks.made_up_ranker import requests
from benchmarks.workers import answer
from schemas.parsing import parse_schema
from serving.predict_request import predict_request

_REQUESTS = 64  # in turns


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``schema`` (text), ``items`` (of a request), ``protocol`` (gRPC or REST), ``address``, ``url``,
    ``connections``; ``seconds`` of a measurement, or ``requests`` of it.

    Requests are encoded beforehand and answers are not decoded: it is the server that is measured.
    """
    made_up = requests(parse_schema(settings["schema"]), "rank", settings["items"], _REQUESTS)
    encode, connect = {"gRPC": (_message, _over_grpc), "REST": (_body, _over_rest)}[settings["protocol"]]
    encoded = [encode(request) for request in made_up]
    callers = [connect(settings) for _ in range(settings["connections"])]

    def measure():
        seconds: list[float] = []
        numbers = itertools.count()
        end = time.monotonic() + settings["seconds"]
        most = settings.get("requests", float("inf"))

        def call(caller):
            while (number := next(numbers)) < most and (time.monotonic() < end or "requests" in settings):
                began = time.perf_counter()
                caller(encoded[number % _REQUESTS])
                seconds.append(time.perf_counter() - began)

        began = time.monotonic()
        threads = [threading.Thread(target=call, args=(caller,)) for caller in callers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        whole = time.monotonic() - began
        if "requests" in settings:
            if len(seconds) != most:
                raise RuntimeError(f"{len(seconds)} of {most} requests were answered: see the traceback above")
            return {"first_milliseconds": 1_000 * seconds[0], "last_milliseconds": 1_000 * seconds[-1]}
        p50, p99 = 1_000 * np.percentile(seconds, [50, 99])
        return {
            "requests_a_second": len(seconds) / whole,
            "p50_milliseconds": float(p50),
            "p99_milliseconds": float(p99),
        }

    return measure


def _message(request: dict) -> bytes:
    return predict_request("rank", request).SerializeToString()


def _over_grpc(settings: dict) -> Callable[[bytes], None]:
    # A subchannel of its own for each caller: they would share one connection.
    channel = grpc.insecure_channel(settings["address"], options=[("grpc.use_local_subchannel_pool", 1)])
    method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    return lambda body: method(body, timeout=60)


def _body(request: dict) -> bytes:
    inputs = {
        name: value if isinstance(value, str) else np.char.decode(value).tolist() if value.dtype.kind == "S" else value
        for name, value in request.items()
    }
    return orjson.dumps({"signature_name": "rank", "inputs": inputs}, option=orjson.OPT_SERIALIZE_NUMPY)


def _over_rest(settings: dict) -> Callable[[bytes], None]:
    connection = http.client.HTTPConnection(settings["url"].removeprefix("http://"), timeout=60)

    def call(body: bytes) -> None:
        connection.request("POST", "/v1/models/ranker:predict", body)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {content[:300]}")

    return call


if __name__ == "__main__":
    answer(prepare)
