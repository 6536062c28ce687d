"""What is measured on the test split, in which slices, and what a model must show to be pushed."""

import json

import tensorflow_model_analysis as tfma

from models.labels import trained_labels
from pipeline.config import RunConfig
from schemas.reader import LogSchema

# The name in summary.json and in the table: the class in models.metrics.
METRICS = {
    "session_auc": "SessionAUC",
    "ndcg_at_10": "RequestNDCG",
    "mrr": "RequestMRR",
    "auc": "ItemAUC",
    "log_loss": "ItemLogLoss",
    "calibration": "ItemCalibration",
}


def evaluation_config(config: RunConfig, schema: LogSchema) -> tfma.EvalConfig:
    """TFMA's configuration for a run.

    Thresholds stand on the overall slice only: a small category's figure is too uncertain to decide on
    a push. The change threshold holds against the last other blessed model, if there is one.
    """
    label = trained_labels(schema, config.model)[0]
    levels = [schema.categories[level - 1].name for level in config.evaluation.slice_levels]
    # The last two are derived by the model's signature `slices`.
    derived = ["category_requests", *(["history_length"] if schema.histories else [])]
    slices = [[], *([name] for name in (*levels, *derived))]
    metrics = [
        tfma.MetricConfig(
            class_name=class_name,
            module="models.metrics",
            config=json.dumps(
                {"name": name} | ({"topn": 10, "gains": list(label.gains)} if name == "ndcg_at_10" else {})
            ),
            per_slice_thresholds=_thresholds(config) if name == "session_auc" else [],
        )
        for name, class_name in METRICS.items()
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                # Or TFMA tries to load the model with Keras first.
                model_type="tf_generic",
                signature_name="serving_default",
                prediction_key="scores",
                label_key=label.name,
                preprocessing_function_names=["slices"],
                padding_options=tfma.PaddingOptions(label_int_padding=-1, prediction_float_padding=-1.0),
            )
        ],
        slicing_specs=[tfma.SlicingSpec(feature_keys=keys) for keys in slices],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def _thresholds(config: RunConfig) -> list[tfma.PerSliceMetricThreshold]:
    return [
        tfma.PerSliceMetricThreshold(
            slicing_specs=[tfma.SlicingSpec()],
            threshold=tfma.MetricThreshold(
                value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.evaluation.min_session_auc}),
                change_threshold=tfma.GenericChangeThreshold(
                    direction=tfma.MetricDirection.HIGHER_IS_BETTER,
                    absolute={"value": -config.evaluation.max_session_auc_drop},
                ),
            ),
        )
    ]
