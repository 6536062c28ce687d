"""Some requests of the test split as the ranker sees them."""

import itertools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.bulk_scorer.scorer import ITEMS_A_CALL, REQUESTS_A_CALL, calls
from models.inputs.reading import read_records
from schemas.log_schema import LogSchema

_MOST_ITEMS = 200_000


def draw(lengths: np.ndarray, judged: np.ndarray, requests: int, seed: int) -> np.ndarray:
    """Places of requests, rising: of those that are judged, or of all if none is; at most so many, and as many of these
    as have 200,000 items together, one at least.

    Args:
      lengths: [R] items of each request.
      judged: [R] bool.
      requests: how many at most.
      seed: of the draw.
    """
    among = np.flatnonzero(judged if judged.any() else lengths > 0)
    drawn = np.random.default_rng(seed).permutation(among)[:requests]
    fit = max(1, int(np.searchsorted(np.cumsum(lengths[drawn]), _MOST_ITEMS, side="right")))
    return np.sort(drawn[:fit])


def read_sample(
    files: list[str], places: np.ndarray, schema: LogSchema, transform_output: tft.TFTransformOutput
) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """The transformed features of requests as ClickLogExampleGen writes them.

    Args:
      files: glob patterns.
      places: of the requests in them, rising.
      schema: of the log.
      transform_output: of the Transform that the ranker was trained on.
    """
    raw_spec = transform_output.raw_feature_spec()
    spec = {feature.name: raw_spec[feature.name] for feature in schema.model_inputs}
    transform = tf.function(transform_output.transform_features_layer(), reduce_retracing=True)
    first, parts = 0, []
    for examples in read_records(files, REQUESTS_A_CALL):
        begin, end = np.searchsorted(places, [first, first + len(examples)])
        if begin < end:
            wanted = tf.gather(examples, places[begin:end] - first)
            parts.append(transform(tf.io.parse_example(wanted, spec)))
        first += len(examples)
    return {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}


def batches(features: dict, lengths: np.ndarray) -> Iterator[dict]:
    """The features in parts that are no larger for long lists; ``lengths`` [R] are the requests' items."""
    for begin, end in itertools.pairwise(calls(lengths, ITEMS_A_CALL)):
        yield {name: values[begin:end] for name, values in features.items()}
