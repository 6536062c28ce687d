"""What is measured on the test split, in which slices, and by what a model is judged."""

import json

import tensorflow_model_analysis as tfma

from components.evaluator.config import EvaluationConfig
from models.ranker.labels import trained_labels
from pipeline.config import RunConfig
from reporting.metrics import METRICS
from reporting.slices import HISTORY_LENGTH, SLICINGS
from schemas.log_schema import LogSchema


def evaluation_config(config: RunConfig, schema: LogSchema) -> tfma.EvalConfig:
    """TFMA's configuration for a run. It has no threshold: components.evaluator blesses."""
    label = trained_labels(schema, config.model)[0]
    by_number = [slicing.key for slicing in SLICINGS if schema.histories or slicing is not HISTORY_LENGTH]
    slices = [[], *([name] for name in (*judged_categories(config, schema), *by_number))]
    metrics = [
        tfma.MetricConfig(
            class_name=metric.class_name, module="models.metrics", config=json.dumps(metric.arguments(label.gains))
        )
        for metric in METRICS.values()
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                # SplitScorer has called the model.
                model_type=tfma.constants.MATERIALIZED_PREDICTION,
                prediction_key="scores",
                label_key=label.name,
                padding_options=tfma.PaddingOptions(label_int_padding=-1, prediction_float_padding=-1.0),
            )
        ],
        slicing_specs=[tfma.SlicingSpec(feature_keys=keys) for keys in slices],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def judged_categories(config: RunConfig, schema: LogSchema) -> list[str]:
    """The features of `evaluation.slice_levels`, whose large categories are held to bounds of their own."""
    return [schema.categories[level - 1].name for level in config.evaluation.slice_levels]


def bounds(config: RunConfig, schema: LogSchema) -> EvaluationConfig:
    """What a model must show; its calibration only where its scores are probabilities of one label."""
    tuned = config.tune.space.get("model", {}) if config.tune.enabled else {}
    one_label = config.model.loss == "cross_entropy" and len(trained_labels(schema, config.model)) == 1
    if one_label and "loss" not in tuned:
        return config.evaluation
    return config.evaluation.model_copy(update={"max_calibration_error": None})
