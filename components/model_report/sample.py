"""Some requests of the test split as the ranker sees them."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from pandas.util import hash_array

from components.scoring import REQUESTS_A_CALL, calls
from models.inputs.features import id_name
from models.inputs.reading import name_hash, read_records
from schemas.log_schema import Feature, LogSchema

_MOST_ITEMS = 200_000
_GRADES = "grades of the sample"  # no name of a feature


@dataclasses.dataclass(frozen=True)
class Sample:
    """Requests as the ranker reads them, in the order of the hashes of their ids.

    Attributes:
      features: transformed features of S requests.
      lengths: [S] number of items of each request.
      grades: [T] of the items.
      top: [S] ids of the top category, 0 for the unknown one.
    """

    features: dict[str, tf.Tensor | tf.RaggedTensor]
    lengths: np.ndarray
    grades: np.ndarray
    top: np.ndarray


def draw(requests: np.ndarray, lengths: np.ndarray, evaluated: np.ndarray, most: int, seed: int) -> np.ndarray:
    """The requests to look at, rising: of those that session AUC counts, or of all if it counts none. They hold 200,000
    items at most, and one request at least. Two runs on one log draw the same requests, whatever the order of files.

    Args:
      requests: [R] int64, hashes of the requests' ids.
      lengths: [R] number of items of each request.
      evaluated: [R] bool, whether session AUC counts the request.
      most: number of requests at most.
      seed: of the draw.
    """
    among = np.flatnonzero(evaluated if evaluated.any() else lengths > 0)
    salted = requests[among].view(np.uint64) ^ hash_array(np.array([seed]))
    among = among[np.argsort(hash_array(salted), kind="stable")][:most]
    fit = max(1, int(np.searchsorted(np.cumsum(lengths[among]), _MOST_ITEMS, side="right")))
    return np.sort(requests[among[:fit]])


def read_sample(
    files: list[str], requests: np.ndarray, schema: LogSchema, label: Feature, transform_output: tft.TFTransformOutput
) -> Sample:
    """Reads requests as ClickLogExampleGen writes them, by their ids.

    Args:
      files: glob patterns.
      requests: hashes of the requests' ids, rising.
      schema: of the log.
      label: of which the grades are.
      transform_output: of the Transform that the ranker was trained on.
    """
    raw_spec = transform_output.raw_feature_spec()
    spec = {feature.name: raw_spec[feature.name] for feature in (*schema.model_inputs, label)}
    id_spec = {schema.request_id.name: raw_spec[schema.request_id.name]}
    transform = tf.function(transform_output.transform_features_layer(), reduce_retracing=True)
    hashes, parts = [], []
    for examples in read_records(files, REQUESTS_A_CALL):
        of_batch = name_hash(tf.io.parse_example(examples, id_spec)[schema.request_id.name]).numpy()
        wanted = np.flatnonzero(np.isin(of_batch, requests))
        if len(wanted):
            raw = tf.io.parse_example(tf.gather(examples, wanted), spec)
            grades = raw.pop(label.name)
            parts.append(transform(raw) | {_GRADES: grades})
            hashes.append(of_batch[wanted])
    order = np.argsort(np.concatenate(hashes), kind="stable")
    features = {name: tf.gather(tf.concat([part[name] for part in parts], axis=0), order) for name in parts[0]}
    grades = features.pop(_GRADES)
    return Sample(
        features=features,
        lengths=grades.row_lengths().numpy(),
        grades=grades.flat_values.numpy(),
        top=features[id_name(schema.categories[0])].numpy(),
    )


def batches(features: dict, lengths: np.ndarray) -> Iterator[dict]:
    """The features in parts that are no larger for long lists; ``lengths`` [R] are the requests' items."""
    for begin, end in itertools.pairwise(calls(lengths)):
        yield {name: values[begin:end] for name, values in features.items()}
