import io
import random

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator

from models.inputs.features import ranker_inputs
from models.inputs.hierarchy import build_hierarchy, path_names
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.tensorboard.heat_map import HeatMap, png
from models.training.tensorboard.pictures import Inside

SMALL = {"experts": 5, "top_k": 2, "hidden": [8], "embedding_size": 4}
HOSTILE = "a\tb\x1b[2J\u2028<img src=x>"


@pytest.fixture(scope="module")
def batch(small_log):
    [batch] = read_requests(small_log.valid_files, small_log.feature_spec, 40).take(1)
    return batch


def written(ranker, hierarchy, batch, folder) -> event_accumulator.EventAccumulator:
    """What TensorBoard's own reader finds after two validations."""
    inside, writer = Inside(hierarchy), tf.summary.create_file_writer(str(folder))
    for step in (3, 6):
        with writer.as_default(step):
            inside(ranker, batch)
    writer.close()
    return event_accumulator.EventAccumulator(str(folder), {event_accumulator.TENSORS: 0}).Reload()


def last(logs: event_accumulator.EventAccumulator, tag: str) -> np.ndarray:
    return tf.make_ndarray(logs.Tensors(tag)[-1].tensor_proto)


@pytest.mark.parametrize(
    ("config", "gates"),
    [
        ({"variant": "adv_hsc_moe"}, ["click"]),
        ({"variant": "moe", "back_off": False, "tasks": ["click", "purchase"]}, ["click", "purchase"]),
        ({"variant": "mmoe", "buckets": 3}, ["click"]),
        ({"variant": "aw_moe", "behaviour_gate": "softmax"}, ["click"]),
        ({"variant": "adv_hsc_aw_moe"}, ["click"]),
        ({"variant": "dnn"}, []),
    ],
    ids=lambda value: value["variant"] if isinstance(value, dict) else "",
)
def test_each_variant_shows_what_it_has(small_log, batch, tmp_path, config, gates):
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig(**SMALL | config))
    ranker(batch)
    logs = written(ranker, small_log.hierarchy, batch, tmp_path)
    plugins = {tag: logs.SummaryMetadata(tag).plugin_data.plugin_name for tag in logs.Tags()[event_accumulator.TENSORS]}
    expected = {"scores": "histograms"}
    if gates:
        expected = {f"gates/{label}": "images" for label in gates} | {"gates/rows": "text"}
        expected |= {f"gates/{label}/weights": "histograms" for label in gates}
        expected |= {f"experts/probabilities/expert_{expert}": "histograms" for expert in range(5)}
        expected |= {"experts/distance": "images", "experts/mean_distance": "scalars"}
    assert plugins == expected
    assert {len(logs.Tensors(tag)) for tag in plugins} <= ({1, 2} if gates else {2})
    assert all(np.isfinite(last(logs, tag)).all() for tag, plugin in plugins.items() if plugin == "histograms")
    if ranker.config.sparse:
        # A weight for each of the K experts of the four leaves.
        assert last(logs, "gates/click/weights")[:, 2].sum() == 4 * 2
    for tag in (tag for tag, plugin in plugins.items() if plugin == "images"):
        width, height, picture = last(logs, tag)
        assert Image.open(io.BytesIO(picture)).size == (int(width), int(height))


def test_the_picture_is_of_the_gates_in_the_order_of_the_tree(small_log, batch, tmp_path):
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig(**SMALL))
    ranker(batch)
    logs = written(ranker, small_log.hierarchy, batch, tmp_path)
    rows = last(logs, "gates/rows")[()].decode().splitlines()
    # By number in order of traffic; the tops and, in each, the leaves.
    names = path_names(small_log.hierarchy, 1)
    tops = small_log.hierarchy.levels[1].parents
    order = sorted(range(4), key=lambda leaf: (tops[leaf], leaf))
    assert [row.strip() for row in rows] == [f"{leaf + 1} {names[leaf]}" for leaf in order]
    assert sorted(names)[1:3] == ["phones > phones/手机", "shirts > shirts/linen"]
    weights = ranker.gates[0].category_vectors(np.array([(tops[leaf], leaf + 1) for leaf in order]))
    shown = Image.open(io.BytesIO(last(logs, "gates/click")[2])).convert("RGB")
    expected = HeatMap([row.strip() for row in rows], 5).draw(weights).convert("RGB")
    np.testing.assert_array_equal(shown, expected)


def test_a_pictures_colours_tell_the_values():
    values = np.array([[0.0, 0.25, 1.0], [-1.0, np.nan, 2.0]])
    picture = np.asarray(Image.open(io.BytesIO(png(HeatMap(["one", "other"], 3).draw(values)))).convert("RGB"))
    # The cells' middles: 28 pixels wide, before a margin of 4, below a row of 14 for the numbers.
    left = picture.shape[1] - 4 - 3 * 28
    cells = picture[[21, 35]][:, [left + 14, left + 42, left + 70]].astype(int)
    np.testing.assert_array_equal(cells[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(cells[0, 2], [8, 48, 107])
    assert abs(cells[0, 1] - (cells[0, 0] + cells[0, 2]) / 2).max() <= 1  # the square root of a quarter
    np.testing.assert_array_equal(cells[1], [[255, 255, 255], [225, 225, 225], [8, 48, 107]])


def test_it_changes_no_weight_and_draws_nothing(small_log, batch, tmp_path):
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig(**SMALL, variant="adv_hsc_aw_moe"))
    ranker(batch)
    drawn = []
    for look in (False, True):
        tf.keras.utils.set_random_seed(5)
        before = [variable.numpy() for variable in ranker.variables]
        if look:
            written(ranker, small_log.hierarchy, batch, tmp_path)
        for variable, value in zip(ranker.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value, err_msg=variable.name)
        drawn.append([random.random(), np.random.random(), float(tf.random.uniform([]))])
    assert drawn[0] == drawn[1]


def test_many_categories_and_hostile_names_are_bounded_rows(small_log, batch, tmp_path):
    paths = {("top", f"leaf {number}"): 2 for number in range(1500)} | {(HOSTILE, HOSTILE): 5000}
    hierarchy = build_hierarchy(paths, ["top_category", "sub_category"])
    inputs = ranker_inputs(small_log.schema, small_log.transform_output, hierarchy)
    ranker = Ranker(small_log.schema, inputs, ModelConfig(**SMALL))
    ranker(batch)
    logs = written(ranker, hierarchy, batch, tmp_path)
    rows = last(logs, "gates/rows")[()].decode().split("\n")
    shown = r"a\tb\x1b[2J\u2028<img src=x>"
    assert len(rows) == 60
    assert rows.count(f"    1 {shown} > {shown}") == 1
    assert last(logs, "gates/click/weights")[:, 2].sum() == 1000 * 2
