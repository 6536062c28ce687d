"""Latency of an exported model's signature, called in this process as a server would, one request at a time."""

import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.made_up_ranker import export, requests
from benchmarks.workers import answer, use_threads

_REQUESTS = 64  # in turns


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: those of `export`; ``items`` (of a request), ``signature`` (`rank` or `rank_ids`), ``seconds``,
    ``threads``."""
    use_threads(settings)
    with tempfile.TemporaryDirectory() as folder:
        schema = export(settings, folder)
        loaded = tf.saved_model.load(folder)
    rank = loaded.signatures[settings["signature"]]
    made_up = requests(schema, settings["signature"], settings["items"], _REQUESTS)

    def measure():
        seconds, end = [], time.monotonic() + settings["seconds"]
        while time.monotonic() < end:
            request = made_up[len(seconds) % _REQUESTS]
            began = time.perf_counter()
            rank(**{name: tf.constant(value) for name, value in request.items()})["scores"].numpy()
            seconds.append(time.perf_counter() - began)
        p50, p99 = 1_000 * np.percentile(seconds, [50, 99])
        return {"p50_milliseconds": float(p50), "p99_milliseconds": float(p99)}

    return measure


if __name__ == "__main__":
    answer(prepare)
