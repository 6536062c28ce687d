"""Scores a file of requests of a labelled split, a row a request."""

from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft

from components import scoring
from components.split_scorer.reader import evaluation_columns, features_read
from components.split_scorer.request_scores import RequestScores, table
from schemas.parsing import parse_schema

_READER = "reader"


class RequestScorer(scoring.ShardScorer):
    """Scores shards by the model and by the last blessed one.

    Args:
      model: the folder of the model's SavedModel.
      baseline: the folder of the last blessed model's SavedModel, or None.
      transform_graph: the folder of the Transform graph that the model was trained with.
      schema: text of the schema.
      label: name of the label that the model is evaluated by.
      items_a_call: see `components.scoring.calls`.
    """

    def __init__(
        self,
        model: str,
        baseline: str | None,
        transform_graph: str,
        schema: str,
        label: str,
        items_a_call: int = scoring.ITEMS_A_CALL,
    ):
        super().__init__({"scores": model} | ({"baseline": baseline} if baseline else {}), items_a_call)
        self._transform_graph, self._schema, self._label = transform_graph, schema, label

    def load_model(self) -> scoring.Loaded:
        """The SavedModels, and the function that reads what their scores are kept with."""
        schema = parse_schema(self._schema)
        label = schema[self._label]
        transform_output = tft.TFTransformOutput(self._transform_graph)
        raw_spec = transform_output.raw_feature_spec()
        spec = {name: raw_spec[name] for name in features_read(schema, label)}
        transform = transform_output.transform_features_layer()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        def read(examples):
            raw = tf.io.parse_example(examples, spec)
            path = transform({level.name: raw[level.name] for level in schema.categories})
            return evaluation_columns(raw, path, schema, label)

        def reader(examples: np.ndarray) -> dict[str, Any]:
            columns = {name: values.numpy() for name, values in read(tf.constant(examples, tf.string)).items()}
            return {"positions": None, "history": None, "levels": tuple(level.name for level in schema.categories)} | (
                columns
            )

        loaded = super().load_model()
        loaded[_READER] = reader
        return loaded

    def table(self, examples: np.ndarray, models: scoring.Loaded) -> tuple[pa.Table, int]:
        """See the base class; the columns are those of `request_scores`."""
        columns = models[_READER](examples)
        scores = {
            name: scoring.scores_of(model, examples, columns["lengths"], self.items_a_call)
            for name, model in models.items()
            if name != _READER
        }
        return table(RequestScores(**{"baseline": None} | columns | scores)), int(columns["lengths"].sum())
