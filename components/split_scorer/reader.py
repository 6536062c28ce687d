"""What the scores of raw requests are kept with, and what they are evaluated by."""

import tensorflow as tf

from models.inputs.features import CATEGORY_REQUESTS, id_name
from models.inputs.reading import name_hash
from schemas.log_schema import Feature, LogSchema


def features_read(schema: LogSchema, label: Feature) -> list[str]:
    """Names of the raw features that `evaluation_columns` reads."""
    always = schema.request_id, schema.item_id, label, *schema.categories, *schema.histories
    return [feature.name for feature in (*always, *([schema.position] if schema.position else []))]


def evaluation_columns(raw: dict, transformed: dict, schema: LogSchema, label: Feature) -> dict[str, tf.Tensor]:
    """The attributes of `request_scores.RequestScores` but for the scores, as tensors.

    Args:
      raw: raw features of R requests: those of `features_read` at least.
      transformed: transformed features of the requests: those of the category path at least.
      schema: of the log.
      label: the label that the model is evaluated by.
    """
    columns = {
        "requests": name_hash(raw[schema.request_id.name]),
        "lengths": raw[label.name].row_lengths(),
        "items": name_hash(raw[schema.item_id.name].flat_values),
        "grades": raw[label.name].flat_values,
        "names": tf.stack([raw[level.name] for level in schema.categories], axis=1),
        "categories": tf.stack([transformed[id_name(level)] for level in schema.categories], axis=1),
        "category_requests": transformed[CATEGORY_REQUESTS],
    }
    if schema.position:
        columns["positions"] = raw[schema.position.name].flat_values
    if schema.histories:
        longest = tf.stack([raw[history.name].row_lengths() for history in schema.histories])
        columns["history"] = tf.reduce_max(longest, axis=0)
    return columns
