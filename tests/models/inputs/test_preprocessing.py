import math
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from tests.models.conftest import to_example

SERVED = 230  # a request of the validation split


def _transformed(small_log, requests):
    names = {feature.name for feature in small_log.schema.model_inputs}
    spec = {name: value for name, value in small_log.transform_output.raw_feature_spec().items() if name in names}
    raw = tf.io.parse_example([to_example(request, small_log.schema).SerializeToString() for request in requests], spec)
    return small_log.transform_output.transform_features_layer()(raw)


def test_numeric_features_are_log_scaled_z_scored_and_marked_where_missing(small_log):
    training = small_log.requests[:200]
    logs = [math.log1p(price) for request in training for price in request["price"] if not math.isnan(price)]
    mean = sum(logs) / len(logs)
    deviation = math.sqrt(sum((log - mean) ** 2 for log in logs) / len(logs))
    request = small_log.requests[SERVED]
    expected = [0.0 if math.isnan(p) else (math.log1p(p) - mean) / deviation for p in request["price"]]
    transformed = _transformed(small_log, [request])
    np.testing.assert_allclose(transformed["price"][0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(transformed["price_missing"][0], np.isnan(request["price"]).astype(np.float32))
    ratings = [rating for request in training for rating in request["rating"]]
    mean, deviation = np.mean(ratings), np.std(ratings)
    np.testing.assert_allclose(transformed["rating"][0], (request["rating"] - mean) / deviation, rtol=1e-3, atol=1e-4)


def test_an_item_feature_and_its_history_share_one_vocabulary_by_frequency(small_log):
    counts = Counter(brand for request in small_log.requests[:200] for brand in request["brand"])
    # Ties go to the greater name in TFT; these counts have none.
    assert len(set(counts.values())) == len(counts)
    ids = {brand: place for place, (brand, _) in enumerate(counts.most_common())}
    requests = [request for request in small_log.requests if request["history_brand"]][:20]
    transformed = _transformed(small_log, requests)
    for row, request in enumerate(requests):
        assert transformed["brand_id"][row].numpy().tolist() == [ids[brand] for brand in request["brand"]]
        assert transformed["history_brand_id"][row].numpy().tolist() == [ids[b] for b in request["history_brand"]]


def test_values_outside_the_vocabulary_go_to_the_hash_buckets(small_log):
    request = small_log.requests[0] | {"brand": ["never seen"] * len(small_log.requests[0]["brand"])}
    size = small_log.transform_output.vocabulary_size_by_name("brand")
    assert set(_transformed(small_log, [request])["brand_id"].flat_values.numpy()) == {size}
    assert small_log.inputs.table_sizes["brand"] == size + 1


def test_category_ids_and_how_often_training_saw_the_leaf(small_log):
    leaves = Counter(request["sub_category"] for request in small_log.requests[:200])
    names = ["phones/手机", "phones/cases", "no such category", ""]
    transformed = _transformed(small_log, [small_log.requests[0] | {"sub_category": name} for name in names])
    assert transformed["category_requests"].numpy().tolist() == [leaves[name] for name in names]
    known = transformed["sub_category_id"].numpy() > 0
    assert known.tolist() == [True, True, False, False]
    # The parent of an unknown leaf is the request's own.
    assert len(set(transformed["top_category_id"].numpy())) == 1


def test_lists_of_unequal_length_are_refused(small_log):
    request = small_log.requests[0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="equally long"):
        _transformed(small_log, [request | {"brand": request["brand"][:-1]}])
