import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.hierarchy import build_hierarchy
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training import warm_start

SIZES = {"experts": 5, "top_k": 2, "hidden": [8], "embedding_size": 4}
VARIANTS = ["adv_hsc_moe", "moe", "adv_hsc_aw_moe", "mmoe", "dcn"]


def make_ranker(log, seed, inputs=None, **model):
    tf.keras.utils.set_random_seed(seed)
    ranker = Ranker(log.schema, inputs or log.inputs, ModelConfig(**SIZES | model))
    for batch in read_requests(log.valid_files, log.feature_spec, 8).take(1):
        ranker(batch)
    return ranker


def rows_of(ranker, log, hierarchy=None):
    return warm_start.rows_of(ranker, log.schema, log.transform_output, hierarchy or log.hierarchy)


def scores(ranker, log):
    [batch] = read_requests(log.valid_files, log.feature_spec, 100).take(1)
    return ranker(batch).flat_values.numpy()


@pytest.mark.parametrize("variant", VARIANTS)
def test_with_the_same_tokens_it_is_the_same_ranker(small_log, tmp_path, variant):
    options = {"variant": variant, "position_tower": True, "tasks": ["click", "purchase"]}
    old, new = (make_ranker(small_log, seed, **options) for seed in (1, 2))
    path = str(tmp_path / "weights.npz")
    warm_start.save(old, rows_of(old, small_log), path)
    assert not np.allclose(scores(old, small_log), scores(new, small_log))
    report = warm_start.take_over(new, rows_of(new, small_log), path)
    np.testing.assert_array_equal(scores(old, small_log), scores(new, small_log))
    assert report["weights_fresh"] == {}
    assert report["weights_taken_over"] == len(warm_start._weights(new))
    assert all(not kinds["fresh"] and not kinds["from_parent"] for kinds in report["rows"].values())


def test_rows_follow_their_tokens(small_log, tmp_path):
    """The order of a vocabulary changes, tokens go and tokens come."""
    old, new = make_ranker(small_log, 1), make_ranker(small_log, 2)
    path = str(tmp_path / "weights.npz")
    before = rows_of(old, small_log)
    brands = before.names["table brand"]
    before.names["table brand"] = [b"gone", *reversed(brands[1:])]
    warm_start.save(old, before, path)
    was = new.encoder.tables["brand"].embeddings.numpy()
    report = warm_start.take_over(new, rows_of(new, small_log), path)
    mine, theirs = (ranker.encoder.tables["brand"].embeddings.numpy() for ranker in (new, old))
    np.testing.assert_array_equal(mine[1:], theirs[:0:-1])
    np.testing.assert_array_equal(mine[0], was[0])
    assert report["rows"]["table brand"] == {"taken_over": len(brands) - 1, "from_parent": 0, "fresh": 1}


def test_input_columns_follow_their_features(small_log, tmp_path):
    """A feature that the earlier ranker did not have, and one in another place."""
    old, new = make_ranker(small_log, 1), make_ranker(small_log, 2)
    path = str(tmp_path / "weights.npz")
    before = rows_of(old, small_log)
    columns = before.names["input"]
    price, sales = columns.index(b"price"), columns.index(b"sales")
    columns[price], columns[sales] = b"sales", b"stock"
    warm_start.save(old, before, path)
    was = new.experts.kernels[0].numpy()
    warm_start.take_over(new, rows_of(new, small_log), path)
    mine, theirs = (ranker.experts.kernels[0].numpy() for ranker in (new, old))
    np.testing.assert_array_equal(mine[:, sales], theirs[:, price])
    np.testing.assert_array_equal(mine[:, price], was[:, price])
    others = [place for place in range(len(columns)) if place not in (price, sales)]
    np.testing.assert_array_equal(mine[:, others], theirs[:, others])


def with_a_new_leaf(log):
    """The log's hierarchy and a new leaf below `phones`, as tomorrow's log would have it."""
    counts = {("phones", "phones/cases"): 60, ("phones", "phones/手机"): 40, ("phones", "phones/new"): 50}
    counts |= {("shirts", "shirts/linen"): 60, ("shirts", "shirts/silk"): 40, ("hats", "hats/straw"): 10}
    hierarchy = build_hierarchy(counts, [level.feature for level in log.hierarchy.levels])
    inputs = dataclasses.replace(log.inputs, category_traffic=tuple((0, *level.counts) for level in hierarchy.levels))
    return hierarchy, inputs


@pytest.mark.parametrize("variant", ["adv_hsc_moe", "moe", "adv_hsc_aw_moe"])
def test_a_new_category_starts_from_its_parent(small_log, tmp_path, variant):
    sizes = {"variant": variant, "embedding_size": 8}  # wide enough for the gate of the parent to be met exactly
    hierarchy, inputs = with_a_new_leaf(small_log)
    old, new = make_ranker(small_log, 1, **sizes), make_ranker(small_log, 2, inputs, **sizes)
    path = str(tmp_path / "weights.npz")
    warm_start.save(old, rows_of(old, small_log), path)
    report = warm_start.take_over(new, rows_of(new, small_log, hierarchy), path)
    assert report["rows"]["level 1"] == {"taken_over": 3, "from_parent": 0, "fresh": 1}
    assert report["rows"]["level 2"] == {"taken_over": 5, "from_parent": 1, "fresh": 1}

    tops, leaves = (list(level.keys) for level in hierarchy.levels)
    phones, leaf = 1 + tops.index("phones"), 1 + leaves.index("phones/new")
    siblings = [1 + leaves.index(name) for name in ("phones/cases", "phones/手机")]
    table = new.encoder.category_tables[1].embeddings.numpy()
    np.testing.assert_allclose(table[leaf], table[siblings].mean(axis=0), rtol=1e-6)
    gates = new.gates[0]
    gates = gates.category_gates if variant == "adv_hsc_aw_moe" else gates
    if variant == "moe":
        table = gates.embeddings[0].embeddings.numpy()
        np.testing.assert_allclose(table[leaf], table[siblings].mean(axis=0), rtol=1e-6)
    else:
        _, (of_parent, of_leaf) = gates.logits([tf.constant([phones]), tf.constant([leaf])])
        np.testing.assert_allclose(of_leaf, of_parent, atol=1e-5)
        [of_silk] = gates.logits([tf.constant([phones]), tf.constant([siblings[0]])])[1][1].numpy()
        assert np.abs(of_silk - of_leaf.numpy()[0]).max() > 1e-3


def test_what_has_another_shape_starts_fresh_and_is_named(small_log, tmp_path):
    old, new = make_ranker(small_log, 1), make_ranker(small_log, 2, hidden=[6])
    path = str(tmp_path / "weights.npz")
    warm_start.save(old, rows_of(old, small_log), path)
    was = [kernel.numpy() for kernel in new.experts.kernels]
    report = warm_start.take_over(new, rows_of(new, small_log), path)
    for kernel, value in zip(new.experts.kernels, was, strict=True):
        np.testing.assert_array_equal(kernel, value)
    assert set(report["weights_fresh"]) == {"experts/kernel_0", "experts/bias_0", "experts/kernel_1"}
    assert report["weights_fresh"]["experts/bias_0"] == "its shape was [5, 8] and is [5, 6]"


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK\x03\x04half")])
def test_weights_that_cannot_be_read_are_named(small_log, tmp_path, damage):
    ranker = make_ranker(small_log, 1, variant="dnn")
    path = tmp_path / "weights.npz"
    warm_start.save(ranker, rows_of(ranker, small_log), str(path))
    damage(path)
    with pytest.raises(warm_start.WarmStartError, match=r"weights\.npz: the weights .* cannot be read"):
        warm_start.take_over(ranker, rows_of(ranker, small_log), str(path))
