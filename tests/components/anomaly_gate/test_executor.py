import json
import logging
import math
import pathlib

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.example_validator.executor import Executor as ExampleValidator
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.types import artifact_utils, standard_artifacts

import schemas
from common.warnings import read_warnings
from components.anomaly_gate.component import AnomalyGate
from components.anomaly_gate.executor import AnomalyError, Executor
from components.artifacts import AnomalyReport, Quarantine

SCHEMA = (pathlib.Path(schemas.__file__).parent / "demo.pbtxt").read_text(encoding="utf-8")


def _feature(values):
    if isinstance(values[0], str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _request(number, **changes):
    """A request with 2 to 4 items, missing prices and ratings (NaN), and for every third user no history."""
    items = 2 + number % 3
    features = {
        "request_id": [f"r{number}"],
        "user_id": [f"u{number % 5}"],
        "timestamp": [1_700_000_000 + number],
        "top_category": ["电子"],
        "sub_category": ["手机"],
        "history_item": ["i1"] * (number % 3),
        "history_brand": ["b1"] * (number % 3),
        "item_id": [f"i{item}" for item in range(items)],
        "brand": ["b1"] * items,
        "shop": ["s1"] * items,
        "price": [math.nan] + [9.5] * (items - 1),
        "sales": [float(number)] * items,
        "rating": [math.nan if number % 2 else 4.0] * items,
        "age_days": [1.0] * items,
        "position": list(range(1, items + 1)),
        "click": [1] + [0] * (items - 1),
        "purchase": [0] * items,
        "true_click_probability": [0.5] * items,
        **changes,
    }
    return {name: _feature(values) for name, values in features.items() if values}


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    """Real statistics of a clean and a dirty split."""
    folder = tmp_path_factory.mktemp("data")
    clean = [_request(number) for number in range(12)]
    dirty = [
        *clean,
        _request(12, price=[-3.5, -1.0], click=[2, 0]),
        _request(13, top_category=[], item_id=[], extra=["x"]),
    ]
    return _statistics(folder, {"train": clean, "test": dirty})


def _statistics(folder, splits):
    """The artifact of a real StatisticsGen."""
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    for split, requests in splits.items():
        (folder / "examples" / f"Split-{split}").mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "examples" / f"Split-{split}" / "data.gz"), "GZIP") as writer:
            for request in requests:
                example = tf.train.Example(features=tf.train.Features(feature=request))
                writer.write(example.SerializeToString())
    artifact = standard_artifacts.ExampleStatistics()
    artifact.uri = str(folder / "statistics")
    StatisticsGen().Do({"examples": [examples]}, {"statistics": [artifact]}, {})
    return artifact


@pytest.fixture
def gate(statistics, tmp_path):
    def run(on_anomaly="stop", schema=SCHEMA, exclude=(), previous=None, serving=None, ingestion=None):
        schema_artifact = standard_artifacts.Schema()
        schema_artifact.uri = str(tmp_path / "schema")
        (tmp_path / "schema").mkdir()
        (tmp_path / "schema" / "schema.pbtxt").write_text(schema)
        anomalies = standard_artifacts.ExampleAnomalies()
        anomalies.uri = str(tmp_path / "anomalies")
        ExampleValidator().Do(
            {"statistics": [statistics], "schema": [schema_artifact]},
            {"anomalies": [anomalies]},
            {"exclude_splits": json.dumps(exclude)},
        )
        report = AnomalyReport()
        report.uri = str(tmp_path / "report")
        inputs = {"statistics": [statistics], "anomalies": [anomalies], "schema": [schema_artifact]}
        others = {"previous_statistics": previous, "serving_statistics": serving}
        inputs |= {name: [artifact] for name, artifact in others.items() if artifact}
        if ingestion:
            quarantine = Quarantine()
            quarantine.uri = str(tmp_path / "quarantine")
            (tmp_path / "quarantine").mkdir()
            (tmp_path / "quarantine" / "summary.json").write_text(json.dumps(ingestion))
            inputs["quarantine"] = [quarantine]
        Executor().Do(inputs, {"report": [report]}, {"on_anomaly": on_anomaly, "labels": '["click"]'})
        return json.loads((tmp_path / "report" / "anomalies.json").read_text())

    return run


DIRTY = """\
6 anomalies in the data:
  test: click: Out-of-range values: Unexpectedly large value: 2 \
(requests 14, values 41, fewest in a request 2, most 4, min 0, max 2)
  test: extra: New column: the requests have it, the schema does not \
(requests 14, values 1, requests without it 13, distinct 1)
  test: item_id: Column dropped: The feature was present in fewer examples than expected: minimum fraction = 1.000000, \
actual = 0.928571 (requests 14, values 38, requests without it 1, fewest in a request 2, most 4, distinct 4)
  test: price: Out-of-range values: Unexpectedly low values: -3.5<0 \
(requests 14, values 41, fewest in a request 2, most 4, min -3.5, max 9.5, NaN 13)
  test: top_category: Feature shape dropped: some requests have no value, or several; `shape {}` asks for exactly one \
(requests 14, values 13, requests without it 1, distinct 1)
  test: top_category: Column dropped: The feature was present in fewer examples than expected: \
minimum fraction = 1.000000, actual = 0.928571 (requests 14, values 13, requests without it 1, distinct 1)
"""


def test_clean_requests_pass_nan_and_empty_histories_included(gate, caplog):
    caplog.set_level(logging.INFO, "aislerank.progress")
    assert gate(exclude=["test"]) == []
    assert "no anomaly in train" in caplog.messages


def test_dirty_requests_stop_the_run_with_every_figure(gate):
    with pytest.raises(AnomalyError) as error:
        gate()
    assert str(error.value) == DIRTY + (
        "To go on: mend the log; or, if the data is right, the feature's entry in the schema file; or set "
        "`validation.on_anomaly: warn`"
    )


def test_a_warning_says_the_same_and_goes_on(gate, caplog, tmp_path):
    caplog.set_level(logging.INFO, "aislerank.progress")
    report = gate("warn")
    assert caplog.messages[-1] == DIRTY + "Going on, as `validation.on_anomaly: warn` says"
    assert read_warnings(str(tmp_path / "report")) == [caplog.messages[-1]]
    (price,) = [entry for entry in report if entry["feature"] == "price"]
    assert (price["split"], price["type"]) == ("test", "FLOAT_TYPE_SMALL_FLOAT")
    assert (price["figures"]["min"], price["figures"]["NaN"]) == (-3.5, 13)


@pytest.mark.parametrize("on_anomaly", ["stop", "warn"])
def test_a_split_without_a_positive_label_always_stops_and_hides_no_anomaly(gate, on_anomaly):
    counts = {"positive_items": 0, "requests_with_positive": 0, "requests_with_both": 0}
    ingestion = {"requests": {"train": 12}, "items": {"train": 36}, "labels": {"click": {"train": counts}}}
    with pytest.raises(AnomalyError) as error:
        gate(on_anomaly, ingestion=ingestion)
    first, fault, rest = str(error.value).split("\n", 2)
    assert first == "the log leaves nothing to learn or to judge:"
    assert fault.startswith("  train: none of its 36 items in 12 requests has a positive click; look at how `click` is")
    assert rest.startswith(DIRTY)


def test_anomalies_of_the_whole_split_count(gate):
    with pytest.raises(
        AnomalyError, match=r"train: whole split: Low num examples.*fewer than expected \(requests 12\)"
    ):
        gate(schema=SCHEMA + "dataset_constraints { min_examples_count: 100 }", exclude=["test"])


DRIFT = "drift_comparator { jensen_shannon_divergence { threshold: 0.2 } }"
SKEW = "skew_comparator { infinity_norm { threshold: 0.4 } }"


def test_drift_and_skew_are_shown_with_distance_and_threshold(gate, tmp_path):
    """Yesterday's prices were others, and half of what was served was on another shelf; the shops were the same."""
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    for name, comparator in (("price", DRIFT), ("top_category", SKEW), ("shop", DRIFT)):
        tfdv.get_feature(schema, name).MergeFrom(text_format.Parse(comparator, schema_pb2.Feature()))
    dear = [_request(number, price=[900.0 + number] * (2 + number % 3)) for number in range(12)]
    served = [_request(number, top_category=["书" if number % 2 else "电子"]) for number in range(12)]
    with pytest.raises(AnomalyError) as error:
        gate(
            schema=text_format.MessageToString(schema, as_utf8=True),
            exclude=["test"],
            previous=_statistics(tmp_path / "yesterday", {"train": dear}),
            serving=_statistics(tmp_path / "served", {"all": served}),
        )
    first, price, top_category, _ = str(error.value).splitlines()
    assert first == "2 anomalies in the data:"
    assert "price: High approximate Jensen-Shannon divergence between current and previous" in price
    assert "divergence between current and previous is 1, above the threshold 0.2" in price
    assert "top_category: High Linfty distance between training and serving" in top_category
    assert "is 0.5, above the threshold 0.4" in top_category
    measured = json.loads((tmp_path / "report" / "comparisons.json").read_text())
    assert {(one["feature"], one["with"], one["value"], one["threshold"]) for one in measured} == {
        ("price", "the span before", 1.0, 0.2),
        ("shop", "the span before", 0.0, 0.2),
        ("top_category", "the log of serving", 0.5, 0.4),
    }


def test_the_component_refuses_an_unknown_reaction():
    channels = {
        "statistics": types.Channel(type=standard_artifacts.ExampleStatistics),
        "anomalies": types.Channel(type=standard_artifacts.ExampleAnomalies),
        "schema": types.Channel(type=standard_artifacts.Schema),
    }
    assert AnomalyGate(**channels, on_anomaly="warn").outputs["report"].type is AnomalyReport
    with pytest.raises(ValueError, match=r"`on_anomaly` must be stop or warn. Received: on_anomaly='ignore'"):
        AnomalyGate(**channels, on_anomaly="ignore")
