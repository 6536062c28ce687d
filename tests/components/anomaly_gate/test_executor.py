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
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.types import artifact_utils, standard_artifacts

import schemas
from components.anomaly_gate.component import AnomalyGate
from components.anomaly_gate.executor import AnomalyError, Executor
from components.artifacts import AnomalyReport

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
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(["train", "test"])
    for split, requests in {"train": clean, "test": dirty}.items():
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
    def run(on_anomaly="stop", schema=SCHEMA, exclude=(), change=None):
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
        if change:
            change(anomalies)
        report = AnomalyReport()
        report.uri = str(tmp_path / "report")
        Executor().Do(
            {"statistics": [statistics], "anomalies": [anomalies]}, {"report": [report]}, {"on_anomaly": on_anomaly}
        )
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


def test_a_warning_says_the_same_and_goes_on(gate, caplog):
    caplog.set_level(logging.INFO, "aislerank.progress")
    report = gate("warn")
    assert caplog.messages[-1] == DIRTY + "Going on, as `validation.on_anomaly: warn` says"
    (price,) = [entry for entry in report if entry["feature"] == "price"]
    assert (price["split"], price["type"]) == ("test", "FLOAT_TYPE_SMALL_FLOAT")
    assert (price["figures"]["min"], price["figures"]["NaN"]) == (-3.5, 13)


def test_anomalies_of_the_whole_split_count(gate):
    with pytest.raises(
        AnomalyError, match=r"train: whole split: Low num examples.*fewer than expected \(requests 12\)"
    ):
        gate(schema=SCHEMA + "dataset_constraints { min_examples_count: 100 }", exclude=["test"])


def test_drift_is_shown_with_distance_and_threshold(gate, statistics):
    def add_drift(anomalies):
        schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
        tfdv.get_feature(schema, "price").drift_comparator.jensen_shannon_divergence.threshold = 0.01
        train, test = (stats_artifact_utils.load_statistics(statistics, split).proto() for split in ("train", "test"))
        found = tfdv.validate_statistics(train, schema, previous_statistics=test)
        path = f"{anomalies.uri}/Split-train/SchemaDiff.pb"
        with open(path, "wb") as file:
            file.write(found.SerializeToString())

    with pytest.raises(
        AnomalyError, match=r"train: price: .*divergence between current and previous is 1, above the threshold 0.01"
    ):
        gate(exclude=["test"], change=add_drift)


def test_the_component_refuses_an_unknown_reaction():
    channels = {
        "statistics": types.Channel(type=standard_artifacts.ExampleStatistics),
        "anomalies": types.Channel(type=standard_artifacts.ExampleAnomalies),
    }
    assert AnomalyGate(**channels, on_anomaly="warn").outputs["report"].type is AnomalyReport
    with pytest.raises(ValueError, match=r"`on_anomaly` must be stop or warn. Received: on_anomaly='ignore'"):
        AnomalyGate(**channels, on_anomaly="ignore")
