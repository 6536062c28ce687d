"""Runs TFMA over a tiny SavedModel and compares every metric, overall and by slice, with plain Python."""

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis.metrics import metric_types
from tfx_bsl.public import tfxio

import models.metrics
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
  model_type: "tf_generic"
  signature_name: "serving_default"
  prediction_key: "scores"
  label_key: "click"
  preprocessing_function_names: "slice_keys"
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
SCHEMA = """
represent_variable_length_as_ragged: true
feature { name: "top_category" type: BYTES shape {} presence { min_fraction: 1 } }
feature { name: "history" type: BYTES }
feature { name: "x" type: FLOAT }
feature { name: "click" type: INT }
"""


SPEC = {"x": tf.io.RaggedFeature(tf.float32), "history": tf.io.RaggedFeature(tf.string)}


class TinyRanker(tf.Module):
    """Scores an item by its only feature."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples):
        x = tf.io.parse_example(examples, SPEC)["x"]
        return {"scores": x.to_tensor(-1.0), "lengths": x.row_lengths()}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def slice_keys(self, examples):
        lengths = tf.io.parse_example(examples, SPEC)["history"].row_lengths()
        return {"history_length": tf.where(lengths == 0, "none", tf.where(lengths < 3, "1-2", "3+"))}


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


def to_example(request):
    def bytes_list(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))

    features = {
        "top_category": bytes_list([request["top_category"]]),
        "history": bytes_list(request["history"]),
        "x": tf.train.Feature(float_list=tf.train.FloatList(value=request["x"])),
        "click": tf.train.Feature(int64_list=tf.train.Int64List(value=request["click"])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfma")
    model, output = str(folder / "model"), str(folder / "evaluation")
    ranker = TinyRanker()
    tf.saved_model.save(ranker, model, {"serving_default": ranker.serve, "slice_keys": ranker.slice_keys})

    config = text_format.Parse(EVAL_CONFIG, tfma.EvalConfig())
    shared_model = tfma.default_eval_shared_model(model, eval_config=config)
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    reader = tfxio.TFExampleRecord("unused", schema=schema, raw_record_column_name=tfma.ARROW_INPUT_COLUMN)
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create([to_example(request) for request in make_requests()])
            | reader.RawRecordToRecordBatch()
            | tfma.ExtractEvaluateAndWriteResults(
                eval_config=config, eval_shared_model=shared_model, output_path=output, schema=schema
            )
        )
    return output


def by_slice(path):
    slices = {}
    for key, outputs in tfma.load_eval_result(path).slicing_metrics:
        slices[key] = {name: value.get("doubleValue") for name, value in outputs[""][""].items()}
    return slices


def test_every_metric_of_every_slice_equals_plain_python(evaluation):
    measured = by_slice(evaluation)
    groups = {(): make_requests()}
    for request in make_requests():
        length = len(request["history"])
        bucket = "none" if length == 0 else "1-2" if length < 3 else "3+"
        groups.setdefault((("top_category", request["top_category"]),), []).append(request)
        groups.setdefault((("history_length", bucket),), []).append(request)
    assert measured.keys() == groups.keys()
    for key, requests in groups.items():
        scored = [list(zip(request["click"], request["x"], strict=True)) for request in requests]
        assert measured[key]["example_count"] == len(requests)
        for name, metric in METRICS.items():
            assert measured[key][name] == pytest.approx(metric(scored), rel=1e-5), (key, name)


def test_the_threshold_is_checked(evaluation):
    assert tfma.load_validation_result(evaluation).validation_ok


def test_no_metric_is_named_like_one_of_tfmas():
    # TFMA looks at class names before it looks at modules.
    assert not metric_types.registered_metrics().keys() & set(models.metrics.__all__)
