"""Latency of an exported model's signature, called in this process as a server would, one request at a time."""

import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from benchmarks.made_up_log import HISTORY_LENGTH
from benchmarks.workers import answer, use_threads
from models.config import ModelConfig, TrainConfig
from models.export import ServedRanker
from models.features import id_name
from models.hierarchy import hierarchy_folder, read_hierarchy
from models.requests import read_requests
from models.trainer import new_ranker
from schemas.reader import Feature, parse_schema

_REQUESTS = 64  # in turns


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``schema`` (text), ``transform_graph``, ``valid_files`` (glob patterns), ``model`` (section of the
    configuration), ``items`` (of a request), ``signature`` (`rank` or `rank_ids`), ``folded`` (whether the gate is a
    table), ``seconds``, ``threads``.

    The ranker is not trained: that makes no difference to the time.
    """
    use_threads(settings)
    schema, graph = parse_schema(settings["schema"]), settings["transform_graph"]
    transform_output = tft.TFTransformOutput(graph)
    ranker = new_ranker(schema, graph, ModelConfig.model_validate(settings["model"]), TrainConfig())
    for batch in read_requests(settings["valid_files"], transform_output.transformed_feature_spec(), 8).take(1):
        ranker(batch)  # makes the variables
    with tempfile.TemporaryDirectory() as folder:
        hierarchy = read_hierarchy(hierarchy_folder(graph))
        ServedRanker(ranker, transform_output, hierarchy, schema, settings["folded"]).save(folder)
        loaded = tf.saved_model.load(folder)
    rank = loaded.signatures[settings["signature"]]
    rng = np.random.default_rng(1)
    requests = [dict(_values(rng, feature, settings) for feature in schema.model_inputs) for _ in range(_REQUESTS)]

    def measure():
        seconds, end = [], time.monotonic() + settings["seconds"]
        while time.monotonic() < end:
            request = requests[len(seconds) % _REQUESTS]
            began = time.perf_counter()
            rank(**{name: tf.constant(value) for name, value in request.items()})["scores"].numpy()
            seconds.append(time.perf_counter() - began)
        p50, p99 = 1_000 * np.percentile(seconds, [50, 99])
        return {"p50_milliseconds": float(p50), "p99_milliseconds": float(p99)}

    return measure


def _values(rng, feature: Feature, settings: dict) -> tuple:
    """The input of a feature, by its name."""
    count = int(rng.integers(1, HISTORY_LENGTH + 1)) if feature.is_history else settings["items"]
    once = feature.scope == "request" and not feature.is_history
    size = None if once else count
    if feature.dtype == "bytes":
        numbers = rng.integers(0, 1_000, size)
        if settings["signature"] == "rank_ids":
            return id_name(feature), np.int64(numbers % 10)
        return feature.name, f"sub{numbers % 143}" if once else np.char.mod("%d", numbers).astype(bytes)
    return feature.name, np.float32(rng.integers(0, 50, size))


if __name__ == "__main__":
    answer(prepare)
