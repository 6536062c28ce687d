"""Runs TFMA over scored requests and compares every metric, overall and by slice, with plain Python."""

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_model_analysis.metrics import metric_types

import models.metrics
from components.evaluator.measure import measure, with_baseline
from components.split_scorer.request_scores import RequestScores, table
from tests.models.metrics import reference

METRICS = {
    "session_auc": reference.session_auc,
    "ndcg_at_3": lambda requests: reference.ndcg(requests, topn=3, gains=(0.0, 1.0, 5.0)),
    "mrr": reference.mrr,
    "auc": reference.auc,
    "log_loss": reference.log_loss,
    "calibration": reference.calibration,
}
EVAL_CONFIG = """
model_specs {
  model_type: "materialized_prediction"
  prediction_key: "scores"
  label_key: "click"
  padding_options { label_int_padding: -1 prediction_float_padding: -1.0 }
}
slicing_specs {}
slicing_specs { feature_keys: "top_category" }
slicing_specs { feature_keys: "history_length" }
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics { class_name: "SessionAUC" module: "models.metrics" config: '"name": "session_auc"'
            per_slice_thresholds {
              slicing_specs {}
              threshold { value_threshold { lower_bound { value: 0.1 } upper_bound { value: 0.9 } } } } }
  metrics { class_name: "RequestNDCG" module: "models.metrics"
            config: '"name": "ndcg_at_3", "topn": 3, "gains": [0, 1, 5]' }
  metrics { class_name: "RequestMRR" module: "models.metrics" config: '"name": "mrr"' }
  metrics { class_name: "ItemAUC" module: "models.metrics" config: '"name": "auc"' }
  metrics { class_name: "ItemLogLoss" module: "models.metrics" config: '"name": "log_loss"' }
  metrics { class_name: "ItemCalibration" module: "models.metrics" config: '"name": "calibration"' }
}
"""


def make_requests():
    """A few requests of unequal length: one item, no click, all clicked, ties."""
    rng = np.random.default_rng(0)
    requests = []
    for number in range(40):
        length = int(rng.integers(1, 7))
        requests.append(
            {
                "top_category": f"shelf {number % 3}",
                "history": [f"item {i}" for i in range(number % 5)],
                "x": rng.choice([0.1, 0.3, 0.31, 0.8], size=length).tolist(),
                "click": (rng.integers(0, 3, size=length) * (rng.random(length) < 0.4)).tolist(),
            }
        )
    return requests


def scores_of(requests) -> RequestScores:
    return RequestScores(
        requests=np.arange(len(requests)),
        lengths=np.array([len(request["click"]) for request in requests]),
        items=np.arange(sum(len(request["click"]) for request in requests)),
        grades=np.concatenate([request["click"] for request in requests]),
        positions=None,
        scores=np.concatenate([request["x"] for request in requests]).astype(np.float32),
        baseline=np.concatenate([request["x"][::-1] for request in requests]).astype(np.float32),
        levels=("top_category",),
        names=np.array([[request["top_category"].encode()] for request in requests], object),
        categories=np.zeros((len(requests), 1), np.int64),
        category_requests=np.zeros(len(requests), np.int64),
        history=np.array([len(request["history"]) for request in requests]),
    )


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfma")
    requests = make_requests()
    for name, part in (("scores-0.parquet", requests[25:]), ("scores-1.parquet", requests[:25])):
        pq.write_table(table(scores_of(part)), folder / name, row_group_size=7)
    config = with_baseline(text_format.Parse(EVAL_CONFIG, tfma.EvalConfig()))
    with beam.Pipeline() as pipeline:
        measure(pipeline, str(folder), config, str(folder / "evaluation"))
    return str(folder / "evaluation")


def by_slice(path, model):
    slices = {}
    for key, outputs in tfma.load_eval_result(path, model_name=model).slicing_metrics:
        slices[key] = {name: value.get("doubleValue") for name, value in outputs[""][""].items()}
    return slices


@pytest.mark.parametrize("model", ["candidate", "baseline"])
def test_every_metric_of_every_slice_equals_plain_python(evaluation, model):
    measured = by_slice(evaluation, model)
    groups = {(): make_requests()}
    for request in make_requests():
        length = len(request["history"])
        bucket = "0" if length == 0 else "1-2" if length < 3 else "3-9"
        groups.setdefault((("top_category", request["top_category"]),), []).append(request)
        groups.setdefault((("history_length", bucket),), []).append(request)
    assert measured.keys() == groups.keys()
    for key, requests in groups.items():
        scored = [
            list(zip(request["click"], request["x"][:: 1 if model == "candidate" else -1], strict=True))
            for request in requests
        ]
        assert measured[key]["example_count"] == len(requests)
        for name, metric in METRICS.items():
            assert measured[key][name] == pytest.approx(metric(scored), rel=1e-5), (key, name)


def test_the_threshold_is_checked(evaluation):
    assert tfma.load_validation_result(evaluation).validation_ok


def test_no_metric_is_named_like_one_of_tfmas():
    # TFMA looks at class names before it looks at modules.
    assert not metric_types.registered_metrics().keys() & set(models.metrics.__all__)
