"""The test split with the scores that the files which are pushed give it."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from common.progress import Meter
from components.bulk_scorer.scorer import ITEMS_A_CALL, REQUESTS_A_CALL, SIGNATURE, calls
from components.model_report.popularity import name_hash
from components.model_report.split import ScoredSplit
from models.inputs.features import CATEGORY_REQUESTS, id_name
from models.inputs.reading import read_records
from schemas.log_schema import Feature, LogSchema


def score_split(
    files: list[str],
    schema: LogSchema,
    label: Feature,
    transform_output: tft.TFTransformOutput,
    model: str,
    baseline: str | None,
) -> ScoredSplit:
    """Scores requests as ClickLogExampleGen writes them.

    Args:
      files: glob patterns.
      schema: of the log.
      label: by which the model is judged.
      transform_output: of the Transform that the model was trained on.
      model: folder of its SavedModel.
      baseline: folder of the last blessed one, or None.
    """
    raw_spec = transform_output.raw_feature_spec()
    levels = [feature.name for feature in schema.categories]
    optional = {"position": schema.position, "item_id": schema.item_id, "label": label}
    wanted = [
        schema.request_id.name,
        *levels,
        *(feature.name for feature in (*optional.values(), *schema.histories) if feature),
    ]
    spec = {name: raw_spec[name] for name in wanted}
    transform = transform_output.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def read(examples):
        raw = tf.io.parse_example(examples, spec)
        path = transform({name: raw[name] for name in levels})
        found = {
            "requests": name_hash(raw[schema.request_id.name]),
            "lengths": raw[label.name].row_lengths(),
            "grades": raw[label.name].flat_values,
            "items": name_hash(raw[schema.item_id.name].flat_values),
            "categories": tf.stack([path[id_name(level)] for level in schema.categories], axis=1),
            "category_requests": path[CATEGORY_REQUESTS],
        }
        if schema.position:
            found["positions"] = raw[schema.position.name].flat_values
        if schema.histories:
            longest = tf.stack([raw[history.name].row_lengths() for history in schema.histories])
            found["history"] = tf.reduce_max(longest, axis=0)
        return found

    # A signature alone would not keep the variables alive.
    loaded = {
        name: tf.saved_model.load(folder) for name, folder in (("scores", model), ("baseline", baseline)) if folder
    }
    parts: dict[str, list[np.ndarray]] = {}
    requests, meter = 0, Meter("requests", doing="test split, scored")
    for examples in read_records(files, REQUESTS_A_CALL):
        batch = {name: values.numpy() for name, values in read(examples).items()}
        for name, one in loaded.items():
            batch[name] = _scores(one.signatures[SIGNATURE], examples, batch["lengths"])
        for name, values in batch.items():
            parts.setdefault(name, []).append(values)
        requests += len(examples)
        meter.reach(requests)
    arrays = {name: np.concatenate(values) for name, values in parts.items()}
    return ScoredSplit(**{field.name: arrays.get(field.name) for field in dataclasses.fields(ScoredSplit)})


def _scores(signature, examples: tf.Tensor, lengths: np.ndarray) -> np.ndarray:
    """[T] float32, by calls that are no larger for long lists."""
    flat = []
    for begin, end in itertools.pairwise(calls(lengths, ITEMS_A_CALL)):
        padded = signature(examples=examples[begin:end])["scores"].numpy()
        flat.append(padded[np.arange(padded.shape[1]) < lengths[begin:end, np.newaxis]])
    return np.concatenate(flat)
