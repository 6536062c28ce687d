import pathlib

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.hierarchy import build_hierarchy
from pipeline.ablation.candidates import own_candidates
from pipeline.ablation.members import MemberScores, TransformedLog, held_out_leaves
from schemas.parsing import read_schema

SCHEMA = read_schema(pathlib.Path(__file__).resolve().parents[3] / "schemas" / "demo.pbtxt")
HIERARCHY = build_hierarchy({("a", f"a/{place}"): 100 - place for place in range(40)}, ["top_category", "sub_category"])


def batch() -> dict:
    return {
        "sub_category_id": tf.constant([1, 5, 0, 7], tf.int64),
        "price": tf.RaggedTensor.from_row_lengths(tf.range(6.0), [2, 1, 0, 3]),
    }


def test_requests_of_held_out_leaves_are_not_seen_in_training_and_judged_with_an_unknown_leaf():
    log = TransformedLog(SCHEMA, "", "", "", held_out=(5, 7))
    seen = log.seen(batch())
    assert seen["sub_category_id"].numpy().tolist() == [1, 0]
    assert seen["price"].to_list() == [[0.0, 1.0], []]
    judged, requests, shown = log.judged(batch())
    assert judged.numpy().tolist() == [False, True, False, True]
    assert requests["sub_category_id"].numpy().tolist() == [5, 7]
    assert shown["sub_category_id"].numpy().tolist() == [0, 0]
    assert shown["price"].to_list() == requests["price"].to_list() == [[2.0], [3.0, 4.0, 5.0]]


def test_nothing_is_held_out_unless_asked_for():
    log = TransformedLog(SCHEMA, "", "", "")
    judged, requests, shown = log.judged(log.seen(batch()))
    assert judged.numpy().all()
    assert requests["price"].to_list() == shown["price"].to_list() == batch()["price"].to_list()


@pytest.mark.parametrize(("share", "expected"), [(0.1, (6, 16, 26, 36)), (0.5, tuple(range(2, 41, 2)))])
def test_held_out_leaves_are_spread_over_the_ranks(share, expected):
    assert held_out_leaves(HIERARCHY, share) == expected


@pytest.mark.parametrize("share", [0.001, 0.99])
def test_too_few_or_all_leaves_cannot_be_held_out(share):
    with pytest.raises(ValueError, match=f"`held_out_leaves` of {share} is (0|40) of the 40 leaf categories"):
        held_out_leaves(HIERARCHY, share)


def test_own_candidates_are_those_with_the_requests_value(tmp_path):
    (tmp_path / "Split-test").mkdir()
    requests = [("x", ["x", "y", "x"], [1, 0, 0]), ("y", [], []), ("y", ["x", "y"], [0, 1])]
    with tf.io.TFRecordWriter(str(tmp_path / "Split-test" / "data.gz"), options="GZIP") as writer:
        for category, items, clicks in requests:
            example = tf.train.Example()
            example.features.feature["category"].bytes_list.value.append(category.encode())
            example.features.feature["item_category"].bytes_list.value.extend(item.encode() for item in items)
            example.features.feature["click"].int64_list.value.extend(clicks)
            writer.write(example.SerializeToString())
    found = own_candidates(str(tmp_path), "item_category", "category", "click")
    assert [own.tolist() for own, _ in found] == [[True, False, True], [], [False, True]]
    assert [grades.tolist() for _, grades in found] == [clicks for _, _, clicks in requests]

    scores = MemberScores(
        rows=np.arange(3),
        lengths=np.array([3, 0, 2]),
        grades=np.concatenate([grades for _, grades in found]),
        probabilities=np.array([0.1, 0.2, 0.3, 0.4, 0.5]),
        top=np.ones(3),
        leaf=np.ones(3),
        history=None,
        gates=None,
    )
    own = scores.among(np.concatenate([own for own, _ in found]))
    assert own.lengths.tolist() == [2, 0, 1]
    assert (own.grades.tolist(), own.probabilities.tolist()) == ([1, 0, 1], [0.1, 0.3, 0.5])
