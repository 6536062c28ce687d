"""A golden batch: two requests, encoded a second time in plain Python."""

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.features import RankerInputs
from models.layers.request_encoder import RequestEncoder

SIZE = 2
INPUTS = RankerInputs(
    categories=("top_id", "leaf_id"),
    category_traffic=((0, 3, 2), (0, 2, 2, 1)),
    request_numeric=("hour",),
    item_numeric=("price", "price_missing"),
    request_categorical=(("city_id", "city"),),
    item_categorical=(("item_id", "item"), ("brand_id", "brand")),
    histories=(("past_item_id", "item"), ("past_brand_id", "brand")),
    table_sizes={"city": 3, "item": 5, "brand": 4},
)
# Two requests of three and one items. The first knows both categories; the second has an unknown leaf and no history.
REQUESTS = [
    {
        "top_id": 2, "leaf_id": 3, "hour": 0.5, "city_id": 1, "past_item_id": [4, 0], "past_brand_id": [1, 3, 2],
        "price": [1.5, -2.0, 0.25], "price_missing": [0.0, 0.0, 1.0], "item_id": [0, 3, 4], "brand_id": [2, 0, 1],
    },
    {
        "top_id": 1, "leaf_id": 0, "hour": -1.0, "city_id": 2, "past_item_id": [], "past_brand_id": [],
        "price": [0.75], "price_missing": [0.0], "item_id": [2], "brand_id": [3],
    },
]  # fmt: skip
LISTS = {"past_item_id", "past_brand_id", "price", "price_missing", "item_id", "brand_id"}


def batch() -> dict:
    def column(name):
        values, dtype = [request[name] for request in REQUESTS], tf.int64 if name.endswith("_id") else tf.float32
        return (
            tf.ragged.constant(values, dtype, row_splits_dtype=tf.int64)
            if name in LISTS
            else tf.constant(values, dtype)
        )

    return {name: column(name) for name in REQUESTS[0]}


def made(**options) -> tuple[RequestEncoder, dict[str, np.ndarray]]:
    """An encoder with known weights, and its tables by name."""
    encoder = RequestEncoder(INPUTS, SIZE, **options)
    encoder(batch())
    rng = np.random.default_rng(3)
    for weight in encoder.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    tables = {name: table.embeddings.numpy() for name, table in encoder.tables.items()}
    tables |= dict(zip(INPUTS.categories, (table.embeddings.numpy() for table in encoder.category_tables), strict=True))
    return encoder, tables


def item_rows(tables) -> list[list[float]]:
    rows = []
    for request in REQUESTS:
        columns = (request[name] for name in ("price", "price_missing", "item_id", "brand_id"))
        for price, missing, item, brand in zip(*columns, strict=True):
            rows.append([price, missing, *tables["item"][item], *tables["brand"][brand]])
    return rows


def request_rows(tables, pooled: bool = True) -> list[list[float]]:
    rows = []
    for request in REQUESTS:
        row = [request["hour"], *tables["city"][request["city_id"]]]
        for name in INPUTS.categories:
            row += [0.0] * SIZE if request[name] == 0 else list(tables[name][request[name]])
        for name, table in INPUTS.histories if pooled else ():
            past = [tables[table][each] for each in request[name]]
            row += [sum(values) / len(past) for values in zip(*past, strict=True)] if past else [0.0] * SIZE
        rows.append(row)
    return rows


def test_rows_are_numbers_embeddings_categories_and_mean_histories_in_the_order_of_the_columns():
    encoder, tables = made(batch_norm=False)
    encoded = encoder(batch())
    np.testing.assert_allclose(encoded.items, item_rows(tables), rtol=1e-6)
    np.testing.assert_allclose(encoded.requests, request_rows(tables), rtol=1e-6)
    np.testing.assert_array_equal(encoded.request_of_item, [0, 0, 0, 1])
    joined = [item + request_rows(tables)[of] for item, of in zip(item_rows(tables), [0, 0, 0, 1], strict=True)]
    np.testing.assert_allclose(encoded.joined(), joined, rtol=1e-6)
    of_items, of_requests = encoder.columns
    assert of_items == ["price", "price_missing", "item_id 0", "item_id 1", "brand_id 0", "brand_id 1"]
    names = ("city_id", "top_id", "leaf_id", "past_item_id", "past_brand_id")
    assert of_requests == ["hour", *(f"{name} {place}" for name in names for place in range(SIZE))]


def test_attention_meets_items_with_past_items_and_brands_with_past_brands():
    encoder, tables = made(batch_norm=False, attends=True)
    encoded, attention, expected = encoder(batch()), encoder.attention, []
    for request in REQUESTS:
        length = max(len(request["past_item_id"]), len(request["past_brand_id"]))
        past = np.zeros((length, 2 * SIZE))
        for place, (name, table) in enumerate(INPUTS.histories):
            for row, each in enumerate(request[name]):
                past[row, place * SIZE : (place + 1) * SIZE] = tables[table][each]
        for item, brand in zip(request["item_id"], request["brand_id"], strict=True):
            target, pooled = np.concatenate([tables["item"][item], tables["brand"][brand]]), np.zeros(2 * SIZE)
            for behaviour in past:
                hidden = behaviour @ attention.of_behaviour.kernel.numpy() + attention.of_behaviour.bias.numpy()
                hidden = hidden + target @ attention.of_target.kernel.numpy()
                hidden = hidden + (behaviour * target) @ attention.of_product.kernel.numpy()
                weight = np.maximum(hidden, 0.0) @ attention.activation.kernel.numpy()
                pooled = pooled + (weight + attention.activation.bias.numpy()) * behaviour
            expected.append(pooled)
    np.testing.assert_allclose(encoded.items[:, : -2 * SIZE], item_rows(tables), rtol=1e-6)
    np.testing.assert_allclose(encoded.items[:, -2 * SIZE :], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoded.requests, request_rows(tables, pooled=False), rtol=1e-6)
    assert encoder.columns[0][-2 * SIZE :] == [
        f"attended {name} {place}" for name in ("past_item_id", "past_brand_id") for place in range(SIZE)
    ]


def test_each_cross_layer_multiplies_by_the_input_of_the_first():
    encoder, tables = made(batch_norm=False, cross_layers=2)
    encoded = encoder(batch())
    rows = zip(item_rows(tables), [0, 0, 0, 1], strict=True)
    first = crossed = np.array([item + request_rows(tables)[of] for item, of in rows])
    for cross in encoder.crosses:
        kernel, bias = (weight.numpy() for weight in cross.weights)
        crossed = first * (crossed @ kernel + bias) + crossed
    np.testing.assert_allclose(encoded.joined(), crossed, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", ["items", "requests"])
def test_a_batch_is_normalised_and_a_request_counts_once_for_each_of_its_items(part):
    encoder, tables = made(batch_norm=True)
    encoded = encoder(batch(), training=True)
    rows, weights = (item_rows(tables), [1, 1, 1, 1]) if part == "items" else (request_rows(tables), [3, 1])
    repeated = np.repeat(np.array(rows), weights, axis=0)
    expected = (np.array(rows) - repeated.mean(axis=0)) / np.sqrt(repeated.var(axis=0) + 1e-3)
    np.testing.assert_allclose(getattr(encoded, part), expected, rtol=1e-4, atol=1e-4)
