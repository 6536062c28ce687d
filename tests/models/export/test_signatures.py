import json
import pathlib
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import input_pb2, prediction_log_pb2

from models.export.signatures import ServedRanker
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from tests.models.conftest import make_request, to_example

RANKERS = {
    "adv_hsc_moe": {},
    "adv_hsc_aw_moe": {"tasks": ["click", "purchase"], "position_tower": True, "cross_layers": 2},
}


class Served(NamedTuple):
    model: tf.Module
    examples: list[bytes]  # eight requests,
    scores: np.ndarray  # and what the ranker that was saved says of them
    folder: pathlib.Path

    @property
    def signatures(self):
        return self.model.signatures


@pytest.fixture(scope="module", params=RANKERS)
def served(request, small_log, tmp_path_factory) -> Served:
    """A saved ranker, loaded by TensorFlow alone."""
    folder = str(tmp_path_factory.mktemp("served") / "model")
    tf.keras.utils.set_random_seed(3)
    sizes = {"variant": request.param, "experts": 6, "top_k": 2, "hidden": [8], "embedding_size": 4}
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig(**sizes, **RANKERS[request.param]))
    transform = small_log.transform_output.transform_features_layer()
    names = {feature.name for feature in small_log.schema.model_inputs}
    spec = {name: value for name, value in small_log.transform_output.raw_feature_spec().items() if name in names}
    examples = [to_example(request, small_log.schema).SerializeToString() for request in small_log.requests[:8]]
    scores = ranker(transform(tf.io.parse_example(examples, spec))).to_tensor(0.0).numpy()
    ServedRanker(ranker, small_log.transform_output, small_log.hierarchy, small_log.schema).save(folder)
    return Served(tf.saved_model.load(folder), examples, scores, pathlib.Path(folder))


def _without_label(request: dict, schema) -> dict:
    served = {feature.name for feature in schema.model_inputs} | {schema.request_id.name}
    return {name: value for name, value in request.items() if name in served}


def _rank(signatures, request: dict, schema):
    dtypes = {"bytes": tf.string, "float": tf.float32, "int": tf.int64}
    tensors = {
        feature.name: tf.constant(request[feature.name], dtypes[feature.dtype]) for feature in schema.model_inputs
    }
    return signatures["rank"](**tensors)["scores"].numpy()


def _elwc(request: dict, schema) -> bytes:
    context = {feature.name for feature in schema.request_features}
    message = input_pb2.ExampleListWithContext()
    of_request = to_example({name: value for name, value in request.items() if name in context}, schema)
    message.context.ParseFromString(of_request.SerializeToString())
    of_items = {name: values for name, values in request.items() if name not in context}
    for item in range(len(request["price"])):
        of_item = to_example({name: values[item] for name, values in of_items.items()}, schema)
        message.examples.add().ParseFromString(of_item.SerializeToString())
    return message.SerializeToString()


def test_scores_are_the_same_after_saving_and_loading(served):
    _, examples, scores, _ = served
    answer = served.signatures["serving_default"](examples=tf.constant(examples))
    for row, length in enumerate(answer["lengths"].numpy()):
        np.testing.assert_allclose(answer["scores"][row, :length], scores[row, :length], rtol=1e-5)
        np.testing.assert_array_equal(answer["scores"][row, length:], -1.0)
    assert answer["request_ids"].numpy().tolist() == [f"r{number}".encode() for number in range(8)]


CHANGES = [{}, {"top_category": "?", "sub_category": "?"}, {"history_item": [], "history_brand": []}]


@pytest.mark.parametrize("items", [1, 7, 500])
@pytest.mark.parametrize("change", CHANGES)
def test_all_signatures_score_a_request_alike_without_a_label(small_log, served, items, change):
    signatures = served.signatures
    request = make_request(np.random.default_rng(items), 1, items) | change
    unlabelled = _without_label(request, small_log.schema)
    example = to_example(unlabelled, small_log.schema).SerializeToString()
    padded = signatures["serving_default"](examples=tf.constant([example]))["scores"].numpy()
    scores = _rank(signatures, unlabelled, small_log.schema)
    assert scores.shape == (items,)
    np.testing.assert_allclose(padded[0], scores, rtol=1e-5)
    assert ((scores > 0) & (scores < 1)).all()
    of_lists = signatures["elwc"](inputs=tf.constant([_elwc(unlabelled, small_log.schema)]))
    np.testing.assert_allclose(of_lists["scores"][0], scores, rtol=1e-5)
    ids = _ids(unlabelled, served.folder, small_log.schema)
    np.testing.assert_allclose(signatures["rank_ids"](**ids)["scores"], scores, rtol=1e-5)


def _ids(request: dict, folder: pathlib.Path, schema) -> dict:
    """The inputs of `rank_ids`, names looked up in plain Python as vocabularies.json says."""
    inputs = dict(request)
    inputs.pop(schema.request_id.name)
    for name, entry in json.loads((folder / "assets.extra" / "vocabularies.json").read_text()).items():
        lines = (folder / entry["vocabulary"]).read_bytes().split(b"\n")[:-1]
        assert len(lines) == entry["size"]
        ids = {line.decode(): number for number, line in enumerate(lines, start=entry["first_id"])}

        def look_up(value, ids=ids, entry=entry):
            if value in ids or not entry["hash_buckets"]:
                return ids.get(value, entry.get("unknown"))
            # TensorFlow's is FarmHash's Fingerprint64.
            bucket = tf.strings.to_hash_bucket_fast(value, entry["hash_buckets"]).numpy()
            return entry["first_id"] + entry["size"] + bucket

        values = inputs.pop(entry["feature"])
        one = isinstance(values, str)
        inputs[name] = tf.constant(look_up(values) if one else [look_up(value) for value in values], tf.int64)
    return {name: tf.constant(values, None if name.endswith("_id") else tf.float32) for name, values in inputs.items()}


def test_nothing_to_score_gives_no_scores(small_log, served):
    request = _without_label(make_request(np.random.default_rng(1), 1, 0), small_log.schema)
    assert _rank(served.signatures, request, small_log.schema).shape == (0,)
    example = to_example(request, small_log.schema).SerializeToString()
    for inputs in ({"examples": []}, {"examples": [example]}, {"examples": [example, served.examples[0]]}):
        answer = served.signatures["serving_default"](examples=tf.constant(inputs["examples"], tf.string))
        assert len(answer["scores"]) == len(inputs["examples"])


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 3e38, -3e38])
def test_no_number_makes_a_score_that_is_none(small_log, served, number):
    numeric = {feature.name: [1.0, number] for feature in small_log.schema.numeric}
    request = make_request(np.random.default_rng(1), 1, 2) | numeric
    assert np.isfinite(_rank(served.signatures, request, small_log.schema)).all()


def test_warm_up_requests_run_and_come_from_no_user(small_log, served):
    path = served.folder / "assets.extra" / "tf_serving_warmup_requests"
    called, names = set(), set()
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        scores = served.signatures[request.model_spec.signature_name](**inputs)["scores"]
        called.add((request.model_spec.signature_name, scores.shape[-1]))
        if request.model_spec.signature_name == "rank":
            names |= {name for value in request.inputs.values() for name in value.string_val}
    scoring = ("rank", "rank_ids", "serving_default", "elwc")
    assert called == {(signature, items) for signature in scoring for items in (1, 10, 100, 500)}
    known = {key.encode() for level in small_log.hierarchy.levels for key in level.keys}
    assert names <= known | {b"warm-up", b""}


def test_a_served_gate_is_a_table(served):
    stored = " ".join(variable.name for variable in served.signatures["rank"].variables)
    folded = "folded" in stored
    assert folded == ("gates" in served.signatures)
    assert folded != ("gate_embedding" in stored)


@pytest.mark.parametrize("served", ["adv_hsc_moe"], indirect=True)
def test_gates_show_exactly_k_experts_of_a_category(served):
    signatures = served.signatures
    weights = signatures["gates"](
        top_category=tf.constant(["phones", "shirts", "?"]),
        sub_category=tf.constant(["phones/手机", "shirts/silk", "?"]),
    )["weights"].numpy()
    assert ((weights > 0).sum(axis=1) == 2).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("served", ["adv_hsc_moe"], indirect=True)
def test_all_unknown_categories_have_one_gate(served):
    signatures = served.signatures
    weights = signatures["gates"](
        top_category=tf.constant(["?", "never seen"]), sub_category=tf.constant(["", "never seen/either"])
    )["weights"].numpy()
    np.testing.assert_array_equal(weights[0], weights[1])


@pytest.mark.parametrize("served", ["adv_hsc_aw_moe"], indirect=True)
def test_a_gate_that_sees_more_than_the_category_is_not_shown(served):
    assert "gates" not in served.signatures


@pytest.mark.parametrize(("items", "past"), [(10_001, 0), (5_000, 201), (0, 1_000_001)])
def test_requests_that_would_take_all_memory_are_refused(small_log, served, items, past):
    history = {"history_item": ["i1"] * past, "history_brand": ["b1"] * past}
    request = make_request(np.random.default_rng(1), 1, items) | history
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request may have 10,000 items"):
        _rank(served.signatures, request, small_log.schema)


@pytest.mark.parametrize(("items", "past", "others"), [(10_000, 0, 2_001), (1, 900_000, 25)])
def test_calls_whose_padding_would_take_all_memory_are_refused(small_log, served, items, past, others):
    history = {"history_item": ["i1"] * past, "history_brand": ["b1"] * past}
    request = _without_label(make_request(np.random.default_rng(1), 1, items) | history, small_log.schema)
    empty = {name: [] if isinstance(value, (list, np.ndarray)) else value for name, value in request.items()}
    for signature, argument, encode in (
        ("serving_default", "examples", lambda request: to_example(request, small_log.schema).SerializeToString()),
        ("elwc", "inputs", lambda request: _elwc(request, small_log.schema)),
    ):
        call = tf.constant([encode(request), *[encode(empty)] * others])
        with pytest.raises(tf.errors.InvalidArgumentError, match="a call with many requests 20,000,000 pairs"):
            served.signatures[signature](**{argument: call})


def test_lists_of_unequal_length_are_refused_at_serving(small_log, served):
    signatures = served.signatures
    request = small_log.requests[0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="equally long"):
        _rank(signatures, request | {"brand": request["brand"][:-1]}, small_log.schema)
