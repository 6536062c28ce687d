import json
import os
import shutil

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import schema_utils

from models.inputs.hierarchy import HierarchyError, asset_name, build_hierarchy, lookup, read_hierarchy, write_hierarchy

FEATURES = ("top", "sub")


def test_ids_are_ordered_by_requests_then_code_point():
    paths = {("b", "x"): 3, ("a", "y"): 3, ("电子", "手机"): 9, ("Z", "手环"): 1, ("a", "É"): 1}
    top, sub = build_hierarchy(paths, FEATURES).levels
    assert top.keys == ("电子", "a", "b", "Z")
    assert top.counts == (9, 4, 3, 1)
    assert top.parents == (0, 0, 0, 0)
    assert sub.keys == ("手机", "x", "y", "É", "手环")
    assert sub.parents == (1, 3, 2, 2, 4)


def test_the_order_of_the_counts_and_the_type_of_the_names_do_not_matter():
    paths = {("a", "x"): 2, ("b", "x"): 2, ("电", ""): 1, ("c", "é"): 5}
    as_bytes = {tuple(name.encode() for name in path): count for path, count in reversed(paths.items())}
    assert build_hierarchy(paths, FEATURES) == build_hierarchy(as_bytes, FEATURES)


@pytest.mark.parametrize(
    ("conflicts", "keys", "parents", "choice"),
    [("majority", ("phones", "red"), (2, 1), "b"), ("split", ("a > red", "b > phones", "a > phones"), (1, 2, 1), None)],
)
def test_a_child_of_two_parents(conflicts, keys, parents, choice):
    paths = {("a", "phones"): 2, ("b", "phones"): 3, ("a", "red"): 4}
    hierarchy = build_hierarchy(paths, FEATURES, conflicts=conflicts)
    assert hierarchy.levels[1].keys == keys
    assert hierarchy.levels[1].parents == parents
    assert hierarchy.report["conflicts"] == {
        "total": 1,
        "first": [
            {"level": 2, "child": "phones", "requests": 5, "parents": [("b", 3), ("a", 2)], "choice": choice},
        ],
    }


def test_ties_between_parents_go_to_the_smaller_name_and_unknown_parents_are_passed_over():
    paths = {("b", "tie"): 2, ("a", "tie"): 2, ("", "mostly nowhere"): 7, ("a", "mostly nowhere"): 1}
    top, sub = build_hierarchy(paths, FEATURES).levels
    assert {key: top.keys[parent - 1] for key, parent in zip(sub.keys, sub.parents, strict=True)} == {
        "tie": "a",
        "mostly nowhere": "a",
    }


def test_orphans_and_dropped_names_are_reported():
    paths = {("", "lost"): 5, ("rare", "common"): 2, ("poor", "common"): 2, ("a\r", "b\nc"): 6, ("top", ""): 3}
    hierarchy = build_hierarchy(paths, FEATURES, min_count=3)
    assert [level.keys for level in hierarchy.levels] == [("top",), ("lost", "common")]
    assert hierarchy.levels[1].parents == (0, 0)
    assert [orphan["child"] for orphan in hierarchy.report["orphans"]["first"]] == ["lost", "common"]
    dropped = {(entry["level"], entry["reason"]): entry for entry in hierarchy.report["dropped"]}
    assert dropped[1, "empty"]["requests"] == 5
    assert dropped[2, "empty"]["requests"] == 3
    assert dropped[1, "line break"]["first"] == [("a\r", 6)]
    assert dropped[2, "line break"]["first"] == [("b\nc", 6)]
    assert dropped[1, "below min_count"]["first"] == [("poor", 2), ("rare", 2)]
    assert dropped[2, "below min_count"]["total"] == 0
    assert hierarchy.report["requests"] == 18


def test_cycles_are_reported_and_break_nothing():
    paths = {
        ("A", "B", "x"): 3,
        ("B", "C", "y"): 2,
        ("q", "C", "A"): 1,  # closes A > B > C > A over three paths
        ("other", "other", "z"): 4,
        ("before", "A", "after"): 1,
    }
    hierarchy = build_hierarchy(paths, ("l1", "l2", "l3"))
    assert hierarchy.report["cycles"]["first"] == [
        {"names": ["A", "B", "C"], "total": 3, "requests": 6},
        {"names": ["other"], "total": 1, "requests": 4},
    ]
    assert hierarchy.size(0) == 6


def test_two_paths_with_one_joined_key_are_one_node():
    paths = {("a", "b > c", "x"): 1, ("a > b", "c", "y"): 2, ("a", "c", "z"): 1}
    _, middle, _ = build_hierarchy(paths, ("l1", "l2", "l3"), conflicts="split").levels
    assert middle.keys == ("a > b > c", "a > c")
    assert middle.counts == (3, 1)
    assert middle.parents == (2, 1)  # "a > b" has two of the node's three requests


def test_long_chains_do_not_exhaust_the_stack():
    names = [f"n{i}" for i in range(5000)]
    paths = dict.fromkeys(zip(names, names[1:] + names[:1], strict=True), 1)
    (cycle,) = build_hierarchy(paths, FEATURES).report["cycles"]["first"]
    assert cycle["total"] == 5000
    assert len(cycle["names"]) == 100


def test_no_known_category_is_an_error():
    with pytest.raises(HierarchyError, match="no category is known: of 3 requests none has a name in top, sub"):
        build_hierarchy({("", ""): 2, ("a", "b"): 1}, FEATURES, min_count=2)
    with pytest.raises(HierarchyError, match="no category is known"):
        build_hierarchy({}, FEATURES)


def test_files_hold_what_was_written(tmp_path):
    odd = {(b"\xff\xfe", "a\u2028b\x0c".encode()): 2, ("手机\x00".encode(), b" "): 1}
    built = build_hierarchy(odd, FEATURES, conflicts="split")
    folder = str(tmp_path / "hierarchy")
    written = write_hierarchy(built, folder)
    assert read_hierarchy(folder) == written
    assert [level.keys for level in written.levels] == [level.keys for level in built.levels]
    assert (tmp_path / "hierarchy/level_1.txt").read_bytes() == b"\xff\xfe\n" + "手机\x00\n".encode()
    assert json.loads((tmp_path / "hierarchy/report.json").read_text())["requests"] == 3
    assert [written.size(0), written.size(1)] == [3, 3]

    (tmp_path / "hierarchy/level_2.txt").write_text("one\n")
    with pytest.raises(HierarchyError, match=r"level_2.txt: holds 1 keys, but hierarchy.json beside it has 2 counts"):
        read_hierarchy(folder)
    (tmp_path / "hierarchy/level_2.txt").unlink()
    with pytest.raises(HierarchyError, match=r"level_2.txt: cannot be read"):
        read_hierarchy(folder)


# The lookup inside a real Transform graph, against a second writing of it in plain Python.

TWO = {
    ("电子", "手机"): 9,
    ("电子", "耳机"): 5,
    ("服装", "手机"): 2,
    ("服装", "衬衫"): 6,
    ("罕", "见"): 1,
    ("", "孤"): 4,
}
FOUR = {
    ("a", "b", "c", "d"): 9,
    ("a", "b", "c2", "e"): 5,
    ("x", "b", "c", "d"): 3,
    ("x", "y", "c", "f"): 4,
    ("x", "", "z", "g"): 4,
    ("q", "r", "s", "t"): 1,
}
PROBES_TWO = [
    *TWO,
    ("服装", "耳机"),  # under another parent than in the tree
    ("服装", "新"),  # unknown leaf
    ("新", "手机"),
    ("新", "新"),
    ("", ""),
    ("电子", ""),
    ("", "衬衫"),
]
PROBES_FOUR = [
    *FOUR,
    ("x", "b", "c2", "d"),
    ("x", "b", "c2", "?"),
    ("x", "y", "?", "?"),
    ("x", "?", "c", "?"),
    ("?", "?", "?", "g"),
    ("a", "", "z", "g"),
    ("", "", "", ""),
    ("a", "b", "", ""),
]


def reference(paths, rule, min_count, probe):
    """The ids of one path: words for words what the documentation says, with lists instead of tensors."""
    depth = len(probe)

    def key(path):
        if path[-1] == "":
            return None
        return " > ".join(path) if rule == "split" else path[-1]

    vocabularies = []
    for level in range(1, depth + 1):
        seen = [(key(path[:level]), count) for path, count in paths.items()]
        total = {name: sum(count for other, count in seen if other == name) for name, _ in seen if name is not None}
        kept = [name for name in total if total[name] >= min_count]
        vocabularies.append(sorted(kept, key=lambda name, total=total: (-total[name], name)))

    def number(level, name):
        return vocabularies[level - 1].index(name) + 1 if name in vocabularies[level - 1] else 0

    def parent(level, child_id):
        child = vocabularies[level - 1][child_id - 1]
        votes = {}
        for path, count in paths.items():
            above = key(path[: level - 1])
            if key(path[:level]) == child and above in vocabularies[level - 2]:
                votes[above] = votes.get(above, 0) + count
        return number(level - 1, min(votes, key=lambda name: (-votes[name], name))) if votes else 0

    ids = [number(level, key(probe[:level])) for level in range(1, depth + 1)]
    for level in range(depth, 1, -1):
        if ids[level - 1]:
            ids[level - 2] = parent(level, ids[level - 1])
    return ids


@pytest.mark.parametrize("rule", ["majority", "split"])
@pytest.mark.parametrize(("paths", "probes"), [(TWO, PROBES_TWO), (FOUR, PROBES_FOUR)], ids=["two", "four"])
def test_lookup_travels_in_the_transform_graph(paths, probes, rule, tmp_path):
    features = [f"level_{number}" for number in range(1, len(probes[0]) + 1)]
    artifact, graph, elsewhere = (str(tmp_path / name) for name in ("artifact", "graph", "elsewhere"))
    hierarchy = write_hierarchy(build_hierarchy(paths, features, min_count=2, conflicts=rule), artifact)

    def preprocessing_fn(inputs):
        ids = lookup(hierarchy, [inputs[name] for name in features])
        return dict(zip(features, ids, strict=True))

    rows = [dict(zip(features, [name.encode() for name in probe], strict=True)) for probe in probes]
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in features}
    metadata = tft.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    results = []
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(tmp_path / "temp")):
        data = pipeline | beam.Create(rows, reshuffle=False)
        (transformed, _), transform_fn = (data, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocessing_fn)
        transform_fn | tft_beam.WriteTransformFn(graph)
        transformed | beam.combiners.ToList() | beam.Map(lambda rows: _keep(rows, str(tmp_path / "rows.json")))
    shutil.rmtree(artifact)
    os.rename(graph, elsewhere)

    output = tft.TFTransformOutput(elsewhere)
    inputs = {name: tf.constant([probe[index] for probe in probes]) for index, name in enumerate(features)}
    served = output.transform_features_layer()(inputs)
    results = [[int(served[name][row]) for name in features] for row in range(len(probes))]
    expected = [reference(paths, rule, 2, probe) for probe in probes]
    assert results == expected
    with open(tmp_path / "rows.json") as file:
        assert sorted(json.load(file)) == sorted(expected)
    assert output.vocabulary_size_by_name(asset_name(2)) + 1 == hierarchy.size(1)


def _keep(rows, path):
    with open(path, "w") as file:
        json.dump([[int(row[name]) for name in sorted(row)] for row in rows], file)


def test_lookup_of_a_level_without_any_known_name(tmp_path):
    built = build_hierarchy({("a", ""): 2, ("b", "\r"): 1}, FEATURES)
    hierarchy = write_hierarchy(built, str(tmp_path / "artifact"))
    ids = tf.function(lambda top, sub: lookup(hierarchy, [top, sub]))(tf.constant(["b", "?"]), tf.constant(["", "x"]))
    assert [level.numpy().tolist() for level in ids] == [[2, 0], [0, 0]]


def test_lookup_of_odd_bytes(tmp_path):
    names = [b"\xff\xfe", "a\u2028b\x0c".encode(), b"nul\x00nul", b" ", b"tab\t", "é".encode()]
    hierarchy = write_hierarchy(
        build_hierarchy({(name, name): 1 for name in names}, FEATURES), str(tmp_path / "artifact")
    )
    # In a graph of its own, as in use: eagerly TFT leaves notes in the process that trip the next analysis.
    ids = tf.function(lambda top, sub: lookup(hierarchy, [top, sub]))(tf.constant(names), tf.constant(names))
    order = sorted(names, key=lambda name: name.decode("utf-8", "surrogateescape"))
    assert ids[0].numpy().tolist() == ids[1].numpy().tolist() == [order.index(name) + 1 for name in names]
