import json
import logging
import pathlib
from collections import Counter

import pytest
import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils, standard_artifacts

import schemas
from common.warnings import read_warnings
from components.artifacts import CategoryHierarchy
from components.category_hierarchy_gen.component import CategoryHierarchyGen
from components.category_hierarchy_gen.config import HierarchyConfig
from components.category_hierarchy_gen.executor import Executor
from models.inputs.hierarchy import HierarchyError, build_hierarchy, read_hierarchy
from schemas.parsing import read_schema

FEATURES = ["top_category", "sub_category"]
SCHEMA = pathlib.Path(schemas.__file__).parent / "demo.pbtxt"


def _example(path):
    """A request; None in the path leaves the feature out, "" gives an empty name."""
    features = {
        name: tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[value if isinstance(value, bytes) else value.encode()])
        )
        for name, value in zip(FEATURES, path, strict=True)
        if value is not None
    }
    features["item_id"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"i1", b"i2"]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture
def generate(tmp_path):
    def run(requests, **exec_properties):
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / "examples")
        examples.split_names = artifact_utils.encode_split_names(list(requests))
        for split, shards in requests.items():
            folder = tmp_path / "examples" / f"Split-{split}"
            folder.mkdir(parents=True)
            for number, paths in enumerate(shards):
                with tf.io.TFRecordWriter(str(folder / f"data_{number}.gz"), "GZIP") as writer:
                    for path in paths:
                        writer.write(_example(path))
        hierarchy = CategoryHierarchy()
        hierarchy.uri = str(tmp_path / "hierarchy")
        properties = {
            "schema": SCHEMA.read_text("utf-8"),
            "splits": '["train"]',
            "min_count": 1,
            "conflicts": "majority",
            **exec_properties,
        }
        Executor().Do({"examples": [examples]}, {"hierarchy": [hierarchy]}, properties)
        return read_hierarchy(hierarchy.uri)

    return run


def test_the_tree_of_the_train_split(generate, tmp_path, caplog):
    caplog.set_level(logging.INFO, "aislerank.progress")
    shards = [
        [("电子", "手机")] * 3 + [("电子", "耳机")] * 2 + [("服装", "手机")] * 2 + [("a", None), (None, "b")],
        [("电子", "手机")] * 1 + [("", ""), (b"\xff", b"\xfe"), ("br\neak", "r"), ("手机", "电子"), ("a", "")],
    ]
    hierarchy = generate({"train": shards, "test": [[("unseen", "unseen")] * 9]})
    assert [level.feature for level in hierarchy.levels] == FEATURES
    assert [level.keys for level in hierarchy.levels] == [
        ("电子", "a", "服装", "手机", "\udcff"),
        ("手机", "耳机", "b", "r", "电子", "\udcfe"),
    ]
    assert hierarchy.levels[1].parents == (1, 1, 0, 0, 4, 5)
    assert (tmp_path / "hierarchy/level_1.txt").read_bytes() == "电子\na\n服装\n手机\n".encode() + b"\xff\n"
    # What Beam counted is what plain Python counts, and gives the same tree.
    counts = Counter(tuple(name or "" for name in path) for shard in shards for path in shard)
    expected = build_hierarchy(counts, FEATURES)
    assert [level.counts for level in hierarchy.levels] == [level.counts for level in expected.levels]
    assert hierarchy.report == json.loads(json.dumps(expected.report))
    assert hierarchy.report["requests"] == 15
    assert [record.message for record in caplog.records if record.name == "aislerank.progress"] == [
        "hierarchy of 2 levels from 15 requests: 5 top_category > 6 sub_category; 1 conflicts, 2 orphans, 1 cycles"
    ]


def test_parameters_reach_the_tree(generate):
    train = [[("a", "x")] * 3 + [("b", "x")] * 2 + [("c", "y")]]
    hierarchy = generate({"train": train, "test": train}, splits='["train", "test"]', conflicts="split", min_count=4)
    assert [level.keys for level in hierarchy.levels] == [("a", "b"), ("a > x", "b > x")]
    assert (hierarchy.conflicts, hierarchy.min_count) == ("split", 4)


@pytest.mark.parametrize("paths", [[("", None), ("", "")], []], ids=["no names", "no requests"])
def test_a_log_without_categories_is_refused(generate, paths):
    with pytest.raises(HierarchyError, match=f"no category is known: of {len(paths)} requests none has a name in top"):
        generate({"train": [paths]})


def test_the_component_carries_the_schema_and_the_configuration():
    examples = types.Channel(type=standard_artifacts.Examples)
    hierarchy = HierarchyConfig(min_count=3, conflicts="split")
    generator = CategoryHierarchyGen(examples, read_schema(SCHEMA), hierarchy, code="abc")
    assert generator.exec_properties == {
        "schema": SCHEMA.read_text("utf-8"),
        "splits": '["train"]',
        "min_count": 3,
        "conflicts": "split",
        "code": "abc",
    }
    assert generator.outputs["hierarchy"].type is CategoryHierarchy


def test_a_single_known_category_is_a_warning_that_is_kept(generate, tmp_path):
    generate({"train": [[("电子", "手机")] * 3 + [("电子", "耳机")]]}, min_count=2)
    [warning] = read_warnings(str(tmp_path / "hierarchy"))
    assert warning.startswith("there is one known category only, sub_category '手机' with 3 of 4 requests: a mixture's")
