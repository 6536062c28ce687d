import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.split_scorer.request_scores import RequestScores
from models.inputs.hierarchy import build_hierarchy
from models.inputs.reading import name_hash
from pipeline.ablation.candidates import own_candidates
from pipeline.ablation.compare import MembersDiffer
from pipeline.ablation.members import TransformedLog, held_out_leaves
from schemas.parsing import read_schema

SCHEMA = read_schema(pathlib.Path(__file__).resolve().parents[3] / "schemas" / "demo.pbtxt")
HIERARCHY = build_hierarchy({("a", f"a/{place}"): 100 - place for place in range(40)}, ["top_category", "sub_category"])


def batch() -> dict:
    return {
        "sub_category_id": tf.constant([1, 5, 0, 7], tf.int64),
        "price": tf.RaggedTensor.from_row_lengths(tf.range(6.0), [2, 1, 0, 3]),
    }


def test_requests_of_held_out_leaves_are_not_seen_in_training_and_judged_with_an_unknown_leaf():
    log = TransformedLog(SCHEMA, "", "", "", "", held_out=(5, 7))
    seen = log.seen(batch())
    assert seen["sub_category_id"].numpy().tolist() == [1, 0]
    assert seen["price"].to_list() == [[0.0, 1.0], []]
    judged, requests, shown = log.judged(batch())
    assert judged.numpy().tolist() == [False, True, False, True]
    assert requests["sub_category_id"].numpy().tolist() == [5, 7]
    assert shown["sub_category_id"].numpy().tolist() == [0, 0]
    assert shown["price"].to_list() == requests["price"].to_list() == [[2.0], [3.0, 4.0, 5.0]]


def test_nothing_is_held_out_unless_asked_for():
    log = TransformedLog(SCHEMA, "", "", "", "")
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


REQUESTS = [
    ("r1", "x", ["a", "b", "c"], ["x", "y", "x"]),
    ("r2", "y", [], []),
    ("r3", "y", ["a", "d"], ["x", "y"]),
    ("r4", "z", ["e"], ["z"]),
]


def hashes(names: list[str]) -> np.ndarray:
    return name_hash(tf.constant(names, tf.string)).numpy()


@pytest.fixture
def two_files(tmp_path) -> str:
    """Requests in two files, which are read side by side: r1, r3, r2, r4."""
    (tmp_path / "Split-test").mkdir()
    for name, requests in (("one", REQUESTS[:2]), ("two", REQUESTS[2:])):
        with tf.io.TFRecordWriter(str(tmp_path / "Split-test" / f"{name}.gz"), options="GZIP") as writer:
            for request, category, items, categories in requests:
                example = tf.train.Example()
                example.features.feature["request_id"].bytes_list.value.append(request.encode())
                example.features.feature["sub_category"].bytes_list.value.append(category.encode())
                example.features.feature["item_id"].bytes_list.value.extend(item.encode() for item in items)
                example.features.feature["brand"].bytes_list.value.extend(of.encode() for of in categories)
                writer.write(example.SerializeToString())
    return str(tmp_path)


def scores(order: list[int]) -> RequestScores:
    """Each item's score is its place among all, from 0; requests in the order ``order``."""
    requests = [REQUESTS[place] for place in order]
    items = [item for _, _, items, _ in requests for item in items]
    starts = {0: [0.0, 0.1, 0.2], 1: [], 2: [0.3, 0.4], 3: [0.5]}
    return RequestScores(
        requests=hashes([request for request, *_ in requests]),
        lengths=np.array([len(items) for _, _, items, _ in requests]),
        items=hashes(items),
        grades=np.zeros(len(items), np.int64),
        positions=None,
        scores=np.array([score for place in order for score in starts[place]], np.float32),
        baseline=None,
        levels=(),
        names=np.zeros((len(order), 0), object),
        categories=np.zeros((len(order), 0), np.int64),
        category_requests=np.zeros(len(order), np.int64),
        history=None,
    )


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 0, 2, 1], [2, 3]])
def test_own_candidates_are_joined_by_the_request_s_id_whatever_the_order_of_files(two_files, order):
    own = own_candidates(two_files, "brand", "sub_category", SCHEMA).of(scores(order))
    expected = {0: [0.0, 0.2], 1: [], 2: [0.4], 3: [0.5]}
    assert own.lengths.tolist() == [len(expected[place]) for place in order]
    assert own.scores.tolist() == pytest.approx([score for place in order for score in expected[place]])
    assert own.requests.tolist() == scores(order).requests.tolist()


def test_scores_of_other_requests_or_items_are_refused(two_files):
    own = own_candidates(two_files, "brand", "sub_category", SCHEMA)
    for name in ("requests", "items"):
        found = scores([0, 2])
        with pytest.raises(MembersDiffer, match="other requests or items than the log holds"):
            own.of(dataclasses.replace(found, **{name: getattr(found, name) + 1}))
