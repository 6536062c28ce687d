"""The best possible ranking of a simulated log, from the column that holds the true click probability."""

import os

import tensorflow as tf

from models.inputs.reading import read_requests
from models.metrics import SessionAUC
from models.ranker.labels import trained_labels
from pipeline.config import RunConfig
from schemas.log_schema import LogSchema

TRUTH = "true_click_probability"


def oracle_session_auc(examples: str, split: str, config: RunConfig, schema: LogSchema) -> float:
    """The session AUC of the true click probability, which the schema hides from every model.

    No model can reach it: it knows the users' tastes and each item's own appeal.

    Args:
      examples: folder of the Examples artifact of a simulated log.
      split: the split that models are judged on.
      config, schema: of the run.
    """
    label = trained_labels(schema, config.model)[0].name
    spec = {
        name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)
        for name, dtype in ((label, tf.int64), (TRUTH, tf.float32))
    }
    metric = SessionAUC()
    for batch in read_requests([os.path.join(examples, f"Split-{split}", "*")], spec, 1024):
        metric.update_state(batch[label].to_tensor(-1), batch[TRUTH].to_tensor(-1.0))
    return float(metric.result())
