"""Are the outputs of two runs the same? Byte for byte where files should be, record for record where shards differ."""

import gzip
import json
import pathlib

import numpy as np
import tensorflow as tf

# What is compared how: (what it is called, folder below artifacts, glob, how).
_KINDS = [
    ("requests", "ClickLogExampleGen/examples", "Split-*/*", "bytes"),
    ("quarantined rows", "ClickLogExampleGen/quarantine", "*.jsonl.gz", "bytes"),
    ("counts of ingestion", "ClickLogExampleGen/quarantine", "summary.json", "json"),
    ("category hierarchy", "CategoryHierarchyGen/hierarchy", "**/*", "bytes"),
    ("vocabularies", "Transform/transform_graph", "transform_fn/assets/*", "bytes"),
    ("transformed requests", "Transform/transformed_examples", "Split-*/*", "records"),
]


def compare(first: pathlib.Path, second: pathlib.Path) -> list[dict]:
    """Compares the newest outputs below two folders of artifacts.

    Returns:
      for each kind of output: ``output``, ``files``, ``records`` (of TFRecords), ``equal``: "byte for byte",
      "record for record" (shards or the order of a tf.Example's features differ), "but for <n> in <feature>" with the
      largest difference of a number, or "no: <where>".
    """
    return [
        {"output": name, **_compare(_newest(first / folder), _newest(second / folder), pattern, how)}
        for name, folder, pattern, how in _KINDS
    ]


def _newest(folder: pathlib.Path) -> pathlib.Path:
    return max(folder.iterdir(), key=lambda path: int(path.name))


def _compare(first: pathlib.Path, second: pathlib.Path, pattern: str, how: str) -> dict:
    ours, theirs = (
        {str(path.relative_to(folder)): path for path in sorted(folder.glob(pattern)) if path.is_file()}
        for folder in (first, second)
    )
    if how == "records":
        return _compare_records(ours, theirs)
    if set(ours) != set(theirs):
        return {"files": len(ours), "equal": f"no: files {sorted(set(ours) ^ set(theirs))[:3]}"}
    differing = [name for name in ours if _content(ours[name], how) != _content(theirs[name], how)]
    return {"files": len(ours), "equal": f"no: {differing[:3]}" if differing else "byte for byte"}


def _content(path: pathlib.Path, how: str):
    if how == "json":
        return {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "seconds"}
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _compare_records(ours: dict[str, pathlib.Path], theirs: dict[str, pathlib.Path]) -> dict:
    splits = sorted({name.split("/")[0] for name in [*ours, *theirs]})
    records, largest = 0, (0.0, "")
    for split in splits:
        mine, other = (_records([p for n, p in files.items() if n.startswith(f"{split}/")]) for files in (ours, theirs))
        records += len(mine)
        if [exact for exact, _ in mine] != [exact for exact, _ in other]:
            return {"files": len(ours), "records": records, "equal": f"no: {split}"}
        for (_, floats), (_, other_floats) in zip(mine, other, strict=True):
            for name, values in floats.items():
                difference = np.abs(values - other_floats[name]).max(initial=0.0)
                largest = max(largest, (float(difference), name))
    equal = f"but for {largest[0]:.2g} in {largest[1]}" if largest[0] else "record for record"
    return {"files": len(ours), "records": records, "equal": equal}


def _records(paths: list[pathlib.Path]) -> list[tuple[bytes, dict[str, np.ndarray]]]:
    """(what must be equal, the numbers) of each tf.Example, in an order that does not follow the shards."""
    found = []
    for record in tf.data.TFRecordDataset([str(path) for path in paths], "GZIP").as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        features = example.features.feature
        floats = {
            name: np.array(feature.float_list.value, np.float32)
            for name, feature in features.items()
            if feature.WhichOneof("kind") == "float_list"
        }
        for name, values in floats.items():
            del features[name]
            features[name].int64_list.value.append(len(values))
        found.append((example.SerializeToString(deterministic=True), floats))
    return sorted(found, key=lambda pair: pair[0])
