import math

import numpy as np
import pytest
import tensorflow as tf

from models.metrics import (
    ItemAUC,
    ItemCalibration,
    ItemLogLoss,
    RequestMRR,
    RequestNDCG,
    SessionAUC,
    SessionCount,
    SessionTies,
)
from tests.models.metrics import reference

GAINS = (0.0, 1.0, 5.0)
METRICS = {
    "session_auc": (SessionAUC, reference.session_auc),
    "ties": (SessionTies, reference.ties),
    "judged_requests": (SessionCount, reference.judged_requests),
    "ndcg_at_10": (RequestNDCG, reference.ndcg),
    "ndcg_at_2": (lambda: RequestNDCG(topn=2, gains=GAINS), lambda r: reference.ndcg(r, topn=2, gains=GAINS)),
    "mrr": (RequestMRR, reference.mrr),
    "auc": (ItemAUC, reference.auc),
    "log_loss": (ItemLogLoss, reference.log_loss),
    "calibration": (ItemCalibration, reference.calibration),
}


def lists(seed, requests=60, longest=6):
    """Padded lists with few different scores, so that most have ties; padding holds high scores to trip over."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, size=requests)
    grades = rng.integers(0, 3, size=(requests, longest)) * (rng.random((requests, longest)) < 0.5)
    scores = rng.choice([0.1, 0.3, 0.31, 0.8], size=grades.shape).astype(np.float32)
    padding = np.arange(longest) >= lengths[:, np.newaxis]
    return np.where(padding, -1, grades), np.where(padding, rng.choice([-1.0, 9.0]), scores).astype(np.float32)


def updated(metric, *batches):
    for y_true, y_pred in batches:
        metric.update_state(y_true, y_pred)
    return float(metric.result())


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_plain_python_with_ties_and_padding(name, seed):
    metric, expected = METRICS[name]
    y_true, y_pred = lists(seed)
    # Buckets of 0.008 in the logit hold 0.3 and 0.31 apart, so even the AUC over items is exact here.
    assert updated(metric(), (y_true, y_pred)) == pytest.approx(
        expected(reference.requests_of(y_true, y_pred)), rel=1e-5
    )


@pytest.mark.parametrize("name", METRICS)
def test_states_of_parts_add_up_as_tfma_adds_them(name):
    metric = METRICS[name][0]
    parts = [lists(2), lists(3, requests=5, longest=4), lists(4, requests=1, longest=1)]
    # TFMA: np.add of the lists of weights, then set_weights.
    total = None
    for part in parts:
        one = metric()
        updated(one, part)
        total = one.get_weights() if total is None else np.add(total, one.get_weights())
    merged = metric()
    merged.set_weights(total)
    assert float(merged.result()) == pytest.approx(updated(metric(), *parts), rel=1e-6)
    merged.reset_state()
    assert not any(np.any(weight) for weight in merged.get_weights())


@pytest.mark.parametrize("name", METRICS)
def test_neither_the_order_of_the_items_nor_sample_weights_matter(name):
    metric = METRICS[name][0]
    y_true, y_pred = lists(5)
    order = np.random.default_rng(0).permutation(y_true.shape[1])
    shuffled = metric()
    shuffled.update_state(
        y_true[:, order], y_pred[:, order].astype(np.float64), sample_weight=np.full(len(y_true), 3.0)
    )
    assert float(shuffled.result()) == pytest.approx(updated(metric(), (y_true, y_pred)), rel=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_is_rebuilt_from_its_config_and_compiled_once_for_all_shapes(name):
    metric = METRICS[name][0]()
    copy = type(metric).from_config(metric.get_config())
    assert copy.name == name
    assert copy.get_config() == metric.get_config()

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64), tf.TensorSpec([None, None])])
    def update(y_true, y_pred):
        copy.update_state(y_true, y_pred)

    for batch in (lists(6), lists(7, requests=3, longest=2)):
        update(*batch)
    assert float(copy.result()) == pytest.approx(updated(metric, lists(6), lists(7, requests=3, longest=2)), rel=1e-6)


@pytest.mark.parametrize("name", ["session_auc", "ties", "ndcg_at_10", "mrr", "auc", "calibration"])
def test_without_a_positive_there_is_no_figure(name):
    assert math.isnan(updated(METRICS[name][0](), ([[0, 0, -1]], [[0.2, 0.4, -1.0]])))


def test_golden_values():
    y_true, y_pred = [[0, 2, 1, 0]], [[0.5, 0.5, 0.2, 0.9]]
    # Positives 0.5, 0.2 against negatives 0.5, 0.9: half a pair of four.
    assert updated(SessionAUC(), (y_true, y_pred)) == pytest.approx(0.125)
    # The first positive is second or third.
    assert updated(RequestMRR(), (y_true, y_pred)) == pytest.approx((1 / 2 + 1 / 3) / 2)
    dcg = 3 * (1 / math.log2(3) + 1 / math.log2(4)) / 2 + 1 / math.log2(5)
    assert updated(RequestNDCG(), (y_true, y_pred)) == pytest.approx(dcg / (3 + 1 / math.log2(3)))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.3, -4.0), (3.0, -6.0)])
def test_auc_over_items_is_accurate_where_probabilities_crowd(scale, shift):
    rng = np.random.default_rng(8)
    logits = rng.normal(size=(40, 500)) * scale + shift
    grades = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits * 1.5))).astype(int)
    grades[0, 0] = 1
    probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
    order = np.argsort(probabilities, axis=None)
    ranks = np.empty(order.size)
    ranks[order] = np.arange(1, order.size + 1)
    positive = grades.reshape(-1) > 0
    p, n = positive.sum(), (~positive).sum()
    expected = (ranks[positive].sum() - p * (p + 1) / 2) / (p * n)
    assert updated(ItemAUC(), (grades, probabilities)) == pytest.approx(expected, abs=1e-3)


def test_equals_tf_ranking_where_its_convention_is_the_same():
    # No ties, and a positive in every list.
    import tensorflow_ranking as tfr

    rng = np.random.default_rng(9)
    y_true = rng.integers(0, 3, size=(30, 15)).astype(np.float32)
    y_true[:, 0] = 1.0
    y_true[::2, 11:] = -1.0
    y_pred = rng.permuted(np.tile(np.linspace(0.1, 0.9, 15, dtype=np.float32), (30, 1)), axis=1)
    for ours, theirs in (
        (RequestNDCG(10), tfr.keras.metrics.NDCGMetric(topn=10)),
        (RequestMRR(), tfr.keras.metrics.MRRMetric()),
    ):
        assert updated(ours, (y_true, y_pred)) == pytest.approx(updated(theirs, (y_true, y_pred)), rel=1e-5)


def test_mrr_of_long_lists_of_equal_scores_keeps_its_precision():
    # One positive among 500 equals: the mean of 1/1 .. 1/500.
    y_true = np.zeros((1, 500), int)
    y_true[0, 499] = 1
    expected = sum(1 / place for place in range(1, 501)) / 500
    assert updated(RequestMRR(), (y_true, np.full((1, 500), 0.5, np.float32))) == pytest.approx(expected, rel=1e-6)
