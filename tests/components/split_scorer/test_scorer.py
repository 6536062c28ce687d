"""The real executor on a test split of two files, whose order means nothing."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from components import artifacts
from components.split_scorer.executor import Executor
from components.split_scorer.request_scores import RequestScores, has_baseline, joined, places_of, read_parts
from models.inputs.reading import name_hash
from tests.models.conftest import SCHEMA_PATH, to_example

PARAMETERS = {"split": "test", "label": "click", "schema": SCHEMA_PATH.read_text(encoding="utf-8"), "code": ""}


def write_split(folder: pathlib.Path, files: list[list[dict]], schema) -> None:
    (folder / "Split-test").mkdir(parents=True)
    for number, requests in enumerate(files):
        with tf.io.TFRecordWriter(str(folder / "Split-test" / f"{number}.gz"), options="GZIP") as writer:
            for request in requests:
                writer.write(to_example(request, schema).SerializeToString())


def scored(log, exported, folder: pathlib.Path, files: list[list[dict]], baseline: bool) -> RequestScores:
    write_split(folder / "examples", files, log.schema)
    (folder / "model").mkdir()
    (folder / "model" / "Format-Serving").symlink_to(exported)
    uris = {
        "examples": (standard_artifacts.Examples, folder / "examples"),
        "transform_graph": (standard_artifacts.TransformGraph, log.transform_graph),
        "model": (standard_artifacts.Model, folder / "model"),
        **({"baseline_model": (standard_artifacts.Model, folder / "model")} if baseline else {}),
        "scores": (artifacts.RequestScores, folder / "scores"),
    }
    made = {name: kind() for name, (kind, _) in uris.items()}
    for name, artifact in made.items():
        artifact.uri = str(uris[name][1])
    made["examples"].split_names = artifact_utils.encode_split_names(["test"])
    Executor().Do(
        {name: [one] for name, one in made.items() if name != "scores"}, {"scores": [made["scores"]]}, PARAMETERS
    )
    assert has_baseline(str(folder / "scores")) is baseline
    return joined(list(read_parts(str(folder / "scores"))))


@pytest.fixture(scope="module")
def two(small_log, exported, tmp_path_factory) -> tuple[list[dict], RequestScores, RequestScores]:
    """Some requests; their scores from two files, and from three with an empty one in another order."""
    requests = small_log.requests[:30]
    first = scored(small_log, exported, tmp_path_factory.mktemp("one"), [requests[:20], requests[20:]], True)
    files = [requests[20:], [], requests[:20][::-1]]
    return requests, first, scored(small_log, exported, tmp_path_factory.mktemp("other"), files, False)


def test_a_row_holds_what_the_model_says_and_what_it_is_evaluated_by(two, exported):
    requests, found, _ = two
    served = tf.saved_model.load(str(exported)).signatures["rank"]
    inputs = {name: spec.dtype for name, spec in served.structured_input_signature[1].items()}
    places = places_of(found.requests, name_hash(tf.constant([one["request_id"] for one in requests])).numpy())
    assert sorted(places) == list(range(len(requests)))
    for request, place in zip(requests, places, strict=True):
        row = found.take(np.array([place]))
        scores = served(**{name: tf.constant(request[name], dtype) for name, dtype in inputs.items()})["scores"]
        np.testing.assert_allclose(row.scores, scores, rtol=1e-5)
        np.testing.assert_array_equal(row.baseline, row.scores)
        assert row.grades.tolist() == list(request["click"])
        assert row.items.tolist() == name_hash(tf.constant(request["item_id"])).numpy().tolist()
        assert row.names.tolist() == [[request["top_category"].encode(), request["sub_category"].encode()]]
        assert row.history.tolist() == [len(request["history_item"])]
    assert found.levels == ("top_category", "sub_category")


def test_files_in_another_order_have_the_same_scores_by_request(two):
    _, first, second = two
    assert first.requests.tolist() != second.requests.tolist()
    assert second.baseline is None
    again = second.take(places_of(second.requests, first.requests))
    for field in dataclasses.fields(RequestScores):
        if field.name not in ("baseline", "scores"):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(first, field.name), field.name)
    np.testing.assert_allclose(again.scores, first.scores, rtol=1e-5)


def test_some_items_of_each_request(two):
    _, found, _ = two
    first = np.zeros(len(found.items), bool)
    first[np.cumsum(found.lengths) - found.lengths] = True
    alone = found.where(first)
    assert set(alone.lengths) == {1}
    assert alone.scores.tolist() == found.scores[first].tolist()
    assert places_of(found.requests, np.array([-5])).tolist() == [-1]
    assert places_of(np.zeros(0, np.int64), np.array([7])).tolist() == [-1]
