import numpy as np
import pytest
import tensorflow as tf

from models.config import ModelConfig
from models.export import ServedRanker
from models.ranker import Ranker
from tests.models.conftest import make_request, to_example

RANKERS = {
    "adv_hsc_moe": {},
    "adv_hsc_aw_moe": {"tasks": ["click", "purchase"], "position_tower": True, "cross_layers": 2},
}


@pytest.fixture(scope="module", params=RANKERS)
def served(request, small_log, tmp_path_factory):
    """A saved ranker, loaded by TensorFlow alone, and the ranker it was saved from."""
    folder = str(tmp_path_factory.mktemp("served") / "model")
    tf.keras.utils.set_random_seed(3)
    sizes = {"variant": request.param, "experts": 6, "top_k": 2, "hidden": [8], "embedding_size": 4}
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig(**sizes, **RANKERS[request.param]))
    transform = small_log.transform_output.transform_features_layer()
    names = {feature.name for feature in small_log.schema.model_inputs}
    spec = {name: value for name, value in small_log.transform_output.raw_feature_spec().items() if name in names}
    examples = [to_example(request, small_log.schema).SerializeToString() for request in small_log.requests[:8]]
    scores = ranker(transform(tf.io.parse_example(examples, spec))).to_tensor(0.0).numpy()
    ServedRanker(ranker, small_log.transform_output, small_log.schema).save(folder)
    return tf.saved_model.load(folder).signatures, examples, scores


def _without_label(request: dict, schema) -> dict:
    served = {feature.name for feature in schema.model_inputs} | {schema.request_id.name}
    return {name: value for name, value in request.items() if name in served}


def _rank(signatures, request: dict, schema):
    dtypes = {"bytes": tf.string, "float": tf.float32, "int": tf.int64}
    tensors = {
        feature.name: tf.constant(request[feature.name], dtypes[feature.dtype]) for feature in schema.model_inputs
    }
    return signatures["rank"](**tensors)["scores"].numpy()


def test_scores_are_the_same_after_saving_and_loading(served):
    signatures, examples, scores = served
    answer = signatures["serving_default"](examples=tf.constant(examples))
    for row, length in enumerate(answer["lengths"].numpy()):
        np.testing.assert_allclose(answer["scores"][row, :length], scores[row, :length], rtol=1e-5)
        np.testing.assert_array_equal(answer["scores"][row, length:], -1.0)
    assert answer["request_ids"].numpy().tolist() == [f"r{number}".encode() for number in range(8)]


@pytest.mark.parametrize("items", [1, 7, 500])
@pytest.mark.parametrize(
    "change", [{}, {"top_category": "?", "sub_category": "?"}, {"history_item": [], "history_brand": []}]
)
def test_both_signatures_score_a_request_alike_without_a_label(small_log, served, items, change):
    signatures, _, _ = served
    request = make_request(np.random.default_rng(items), 1, items) | change
    unlabelled = _without_label(request, small_log.schema)
    example = to_example(unlabelled, small_log.schema).SerializeToString()
    padded = signatures["serving_default"](examples=tf.constant([example]))["scores"].numpy()
    scores = _rank(signatures, unlabelled, small_log.schema)
    assert scores.shape == (items,)
    np.testing.assert_allclose(padded[0], scores, rtol=1e-5)
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("served", ["adv_hsc_moe"], indirect=True)
def test_gates_show_exactly_k_experts_of_a_category(served):
    signatures, _, _ = served
    weights = signatures["gates"](
        top_category=tf.constant(["phones", "shirts", "?"]),
        sub_category=tf.constant(["phones/手机", "shirts/silk", "?"]),
    )["weights"].numpy()
    assert ((weights > 0).sum(axis=1) == 2).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("served", ["adv_hsc_moe"], indirect=True)
def test_all_unknown_categories_have_one_gate(served):
    signatures, _, _ = served
    weights = signatures["gates"](
        top_category=tf.constant(["?", "never seen"]), sub_category=tf.constant(["", "never seen/either"])
    )["weights"].numpy()
    np.testing.assert_array_equal(weights[0], weights[1])


@pytest.mark.parametrize("served", ["adv_hsc_aw_moe"], indirect=True)
def test_a_gate_that_sees_more_than_the_category_is_not_shown(served):
    assert "gates" not in served[0]


def test_slices_tell_the_length_of_the_history_and_the_size_of_the_category(small_log, served):
    signatures, _, _ = served
    lengths = [0, 2, 3, 10]
    requests = [
        small_log.requests[0] | {"history_item": ["i1"] * length, "history_brand": ["b1"] * length}
        for length in lengths
    ]
    requests[0]["sub_category"] = "?"
    examples = [to_example(request, small_log.schema).SerializeToString() for request in requests]
    slices = signatures["slices"](examples=tf.constant(examples))
    assert slices["history_length"].numpy().tolist() == [b"0", b"1-2", b"3-9", b"10 or more"]
    assert slices["category_requests"].numpy().tolist() == [b"0", b"1-99", b"1-99", b"1-99"]


def test_lists_of_unequal_length_are_refused_at_serving(small_log, served):
    signatures, _, _ = served
    request = small_log.requests[0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="equally long"):
        _rank(signatures, request | {"brand": request["brand"][:-1]}, small_log.schema)
