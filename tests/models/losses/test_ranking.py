import math

import numpy as np
import pytest
import tensorflow as tf

from models.losses.ranking import ranking_loss

GAINS = (0.0, 1.0, 5.0)
LENGTHS = [3, 1, 5, 2]


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def reference(name, requests, gains):
    """The four losses in plain Python; a request is a list of (grade, score, weight)."""
    items = [item for request in requests for item in request]
    mean_weight = sum(w for _, _, w in items) / len(items)
    requests = [[(grade, score, w / mean_weight) for grade, score, w in request] for request in requests]
    if name == "cross_entropy":
        return sum(w * softplus(-s if grade else s) for r in requests for grade, s, w in r) / len(items)
    values = []
    for request in requests:
        y = [grade if gains is None else gains[grade] for grade, _, _ in request]
        s = [score for _, score, _ in request]
        w = [weight for _, _, weight in request]
        n = range(len(request))
        if name == "pairwise_logistic":
            values += [w[i] * softplus(s[j] - s[i]) for i in n for j in n if y[i] > y[j]]
        elif sum(y) > 0 and name == "softmax":
            log_sum = math.log(sum(math.exp(x) for x in s))
            values.append(-sum(w[i] * y[i] * (s[i] - log_sum) for i in n))
        elif sum(y) > 0:
            gain = [2.0**g - 1.0 for g in y] if gains is None else y
            # TF-Ranking weighs a list by its labels; ours are log2(1 + gain).
            label = [math.log2(1.0 + g) for g in gain]
            rank = [0.5 + sum(1 / (1 + math.exp(-(s[j] - s[i]) / 0.1)) for j in n) for i in n]
            dcg = sum(g / math.log2(1 + r) for g, r in zip(gain, rank, strict=True))
            best = sum(g / math.log2(2 + place) for place, g in enumerate(sorted(gain, reverse=True)))
            values.append(-dcg / best * sum(a * b for a, b in zip(w, label, strict=True)) / sum(label))
    return sum(values) / (len(items) if name == "pairwise_logistic" else len(values))


def batch(weighted, shift=0.0):
    rng = np.random.default_rng(4)
    grades = np.array([0, 2, 1, 1, 0, 0, 0, 0, 0, 2, 0])
    scores = rng.normal(size=11) + shift
    weights = rng.uniform(0.2, 3.0, size=11) if weighted else np.ones(11)
    rows = list(zip(grades.tolist(), scores.tolist(), weights.tolist(), strict=True))
    ends = np.cumsum(LENGTHS)
    return grades, scores, weights, [rows[end - length : end] for end, length in zip(ends, LENGTHS, strict=True)]


@pytest.mark.parametrize("name", ["cross_entropy", "pairwise_logistic", "softmax", "approx_ndcg"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("gains", [None, GAINS])
def test_equals_plain_python(name, weighted, gains):
    grades, scores, weights, requests = batch(weighted)
    loss = ranking_loss(name, grades, scores, LENGTHS, weights if weighted else None, gains)
    assert float(loss) == pytest.approx(reference(name, requests, gains), rel=1e-4)


@pytest.mark.parametrize("name", ["pairwise_logistic", "softmax", "approx_ndcg"])
def test_scores_far_from_zero_change_nothing(name):
    # TF-Ranking's padding has logit -23: without a shift it would take part in this softmax.
    grades, scores, _, requests = batch(weighted=False, shift=-40.0)
    assert float(ranking_loss(name, grades, scores, LENGTHS)) == pytest.approx(
        reference(name, requests, None), rel=1e-3
    )


@pytest.mark.parametrize("name", ["cross_entropy", "pairwise_logistic", "softmax", "approx_ndcg"])
def test_a_batch_without_a_positive_has_a_finite_loss_and_gradient(name):
    scores = tf.Variable([0.3, -0.2, 1.0])
    with tf.GradientTape() as tape:
        loss = ranking_loss(name, tf.constant([0, 0, 0]), scores, tf.constant([2, 1]))
    gradient = tape.gradient(loss, scores)
    assert np.isfinite(loss)
    assert np.all(np.isfinite(gradient))
    if name != "cross_entropy":
        assert float(loss) == 0.0
        np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("name", ["pairwise_logistic", "softmax", "approx_ndcg"])
def test_requests_without_a_positive_get_no_gradient_and_the_others_rise(name):
    scores = tf.Variable([0.3, -0.2, 0.1, 0.5, 0.4])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = ranking_loss(name, tf.constant([0, 0, 1, 0, 0]), scores, tf.constant([2, 3]))
        return tape.gradient(loss, scores)

    slope = gradient().numpy()
    np.testing.assert_array_equal(slope[:2], 0.0)
    assert slope[2] < 0.0 < min(slope[3:])


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="`name` must be one of cross_entropy, pairwise_logistic"):
        ranking_loss("listnet", tf.constant([1]), tf.constant([0.0]), tf.constant([1]))
