import numpy as np
import pytest
import tensorflow as tf

from models.layers.bucket_gates import BucketGates, buckets_of_equal_traffic


@pytest.mark.parametrize(
    ("traffic", "buckets", "expected"),
    [
        ((0, 9, 5, 4), 2, [0, 0, 1, 1]),  # 9 | 5 + 4
        ((0, 4, 9, 5), 2, [0, 1, 0, 1]),
        ((0, 7, 7), 1, [0, 0, 0]),
        ((0, 3), 3, [0, 0]),
    ],
)
def test_buckets_have_about_equal_traffic(traffic, buckets, expected):
    assert buckets_of_equal_traffic(traffic, buckets) == expected


def test_each_item_is_weighed_by_the_gate_of_its_requests_bucket():
    gates = BucketGates((0, 9, 5, 4), buckets=2, experts=3)
    items = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    weights = gates(items, tf.constant([3, 1], tf.int64), tf.constant([0, 0, 1, 1, 1], tf.int64)).numpy()
    kernel, bias = gates.dense.kernel.numpy(), gates.dense.bias.numpy()
    for item, bucket in enumerate([1, 1, 0, 0, 0]):
        logits = items[item] @ kernel[:, 3 * bucket : 3 * bucket + 3] + bias[3 * bucket : 3 * bucket + 3]
        np.testing.assert_allclose(weights[item], np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)
