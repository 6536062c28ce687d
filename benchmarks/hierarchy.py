"""Counting category paths: requests a second of CategoryHierarchyGen and of a plain Beam Count.PerElement.

    python -m benchmarks.hierarchy --rows=1000000 --copies=1,10 --repetitions=3

CategoryHierarchyGen and "Count.PerElement" count the paths of the same requests, the train split of the demo's
simulated log, and must find the same. The plain pipeline is as people write it: read the TFRecords, parse each
tf.Example, emit its path, count. "Count.PerElement, flat" does the same on flat rows of that log, one tf.Example an
impression, as CsvExampleGen and most rankers have them; rows are impressions for all three. Each runs in a process of
its own on one core, in turns; seconds are without imports. A larger log is the same files several times.
"""

import json
import os
import pathlib
import sys
import tempfile
from collections import Counter

import pyarrow as pa
from absl import app, flags

from benchmarks.harness import machine, markdown_table, medians, take_turns, timed, write

_FLAT = "Count.PerElement, flat"
_NAMES = ("CategoryHierarchyGen", "Count.PerElement", _FLAT)
_FLAT_ROWS = 100_000  # the plain pipelines' rate does not depend on how many
_ROWS = flags.DEFINE_integer("rows", 1_000_000, "Impressions of the simulated log.")
_COPIES = flags.DEFINE_list("copies", ["1", "10"], "How many times each of its files stands there.")
_REPETITIONS = flags.DEFINE_integer("repetitions", 3, "Runs of each, in turns; medians are shown.", lower_bound=1)
_LOGS = flags.DEFINE_string("logs", "runs/benchmarks/logs", "Where the simulated logs are kept.")
_CORE = flags.DEFINE_integer("core", 0, "The core that all runs share.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/hierarchy.json", "The figures.")
_TOY = flags.DEFINE_bool("toy", False, "Two thousand impressions, once: does it run at all?")
_CHILD = flags.DEFINE_string("child", None, "Used by the benchmark itself: count the examples of this folder.")
_ONLY = flags.DEFINE_enum("only", None, _NAMES, "Used by the benchmark itself.")

_FEATURES = ("top_category", "sub_category")


def _count_per_element(examples: str, out: pathlib.Path) -> dict[tuple[str, ...], int]:
    import apache_beam as beam
    import tensorflow as tf

    def path(serialized: bytes) -> tuple[str, ...]:
        features = tf.train.Example.FromString(serialized).features.feature
        return tuple(features[name].bytes_list.value[0].decode() for name in _FEATURES)

    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromTFRecord(f"{examples}/Split-train/*.gz")
            | beam.Map(path)
            | beam.combiners.Count.PerElement()
            | beam.Map(json.dumps)
            | beam.io.WriteToText(str(out / "counts"), num_shards=1)
        )
    (written,) = out.iterdir()
    return {tuple(path): count for path, count in map(json.loads, written.read_text("utf-8").splitlines())}


def _category_hierarchy_gen(examples: str, out: pathlib.Path) -> dict[tuple[str, ...], int]:
    from tfx import types
    from tfx.types import artifact_utils, standard_artifacts

    from components.artifacts import CategoryHierarchy
    from components.category_hierarchy_gen.component import CategoryHierarchyGen, HierarchyConfig
    from components.category_hierarchy_gen.executor import Executor
    from schemas.parsing import read_schema

    requests, hierarchy = standard_artifacts.Examples(), CategoryHierarchy()
    requests.uri, hierarchy.uri = examples, str(out)
    requests.split_names = artifact_utils.encode_split_names(["train"])
    component = CategoryHierarchyGen(
        types.Channel(type=standard_artifacts.Examples), read_schema("schemas/demo.pbtxt"), HierarchyConfig()
    )
    Executor().Do({"examples": [requests]}, {"hierarchy": [hierarchy]}, dict(component.exec_properties))
    return {tuple(path): count for count, *path in json.loads((out / "path_counts.json").read_text("utf-8"))}


def _child(examples: str, name: str) -> None:
    import components.category_hierarchy_gen.component  # noqa: F401  before the clock runs

    count = _category_hierarchy_gen if name == "CategoryHierarchyGen" else _count_per_element
    with tempfile.TemporaryDirectory() as folder, timed() as took:
        counts = count(examples, pathlib.Path(folder))
    print(json.dumps({**took, "counts": _listed(counts)}))


def _link(examples: pathlib.Path, copies: int, to: pathlib.Path) -> None:
    (to / "Split-train").mkdir(parents=True)
    for path in (examples / "Split-train").iterdir():
        for copy in range(copies):
            os.link(path, to / "Split-train" / f"{copy}-{path.name}")


def _write_flat(log: pathlib.Path, to: pathlib.Path) -> dict[tuple[str, ...], int]:
    """Writes the first rows of a log as a tf.Example each; returns the rows by category path."""
    import tensorflow as tf
    from pyarrow import csv

    from components.click_log_example_gen.encode import encode_examples

    rows = csv.read_csv(sorted(log.glob("*.csv"))[0]).slice(0, _FLAT_ROWS)
    rows = rows.cast(_large_strings(rows.schema)).combine_chunks()
    (to / "Split-train").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(to / "Split-train" / "data.gz"), "GZIP") as writer:
        for start in range(0, len(rows), 4096):
            for example in encode_examples(rows.slice(start, 4096).combine_chunks()):
                writer.write(example)
    return Counter(zip(*(rows[name].to_pylist() for name in _FEATURES), strict=True))


def _large_strings(schema: pa.Schema) -> pa.Schema:
    types = {pa.string(): pa.large_string(), pa.float64(): pa.float32()}
    return pa.schema([(field.name, types.get(field.type, field.type)) for field in schema])


def _listed(counts: dict[tuple[str, ...], int]) -> list[list]:
    return sorted([*path, count] for path, count in counts.items())


def _measure(examples: str, flat: str, flat_counts: list[list], rows: int) -> dict[str, dict]:
    child = [sys.executable, "-m", "benchmarks.hierarchy"]
    commands = {name: [*child, f"--child={flat if name == _FLAT else examples}", f"--only={name}"] for name in _NAMES}
    runs = take_turns(commands, 1 if _TOY.value else _REPETITIONS.value, _CORE.value)
    expected = dict.fromkeys(_NAMES, runs["Count.PerElement"][0]["counts"]) | {_FLAT: flat_counts}
    for name, measured in runs.items():
        if any(run["counts"] != expected[name] for run in measured):
            raise RuntimeError(f"{name} counts differently")
    found = {name: medians(measured) for name, measured in runs.items()}
    for name, run in found.items():
        run["rows"] = sum(count for *_, count in flat_counts) if name == _FLAT else rows
        run["rows_a_second"] = run["rows"] / run["seconds"]
        run["rows_a_cpu_second"] = run["rows"] / run["cpu_seconds"]
    return found


def main(_) -> None:
    """Measures, prints and writes."""
    if _CHILD.value:
        _child(_CHILD.value, _ONLY.value)
        return
    from benchmarks.logs import ingest, simulated_log

    results, table = [], []
    log = simulated_log(2000 if _TOY.value else _ROWS.value, _LOGS.value)
    pathlib.Path(_OUT.value).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pathlib.Path(_OUT.value).parent) as name:
        folder = pathlib.Path(name)
        ingest(str(log), folder)
        flat_counts = _listed(_write_flat(log, folder / "flat"))
        rows = json.loads((folder / "quarantine" / "summary.json").read_text("utf-8"))["items"]["train"]
        for copies in [1] if _TOY.value else map(int, _COPIES.value):
            examples = folder / f"copies-{copies}"
            _link(folder / "examples", copies, examples)
            results.append(found := _measure(str(examples), str(folder / "flat"), flat_counts, rows * copies))
            ours = found["CategoryHierarchyGen"]
            for name, run in found.items():
                ratios = [ours[rate] / run[rate] for rate in ("rows_a_second", "rows_a_cpu_second")]
                rates = [int(run["rows_a_second"]), ratios[0], int(run["rows_a_cpu_second"]), ratios[1]]
                table.append([run["rows"], name, run["seconds"], *rates, int(run["peak_mib"])])
    header = ["rows", "counted by", "seconds", "rows/s", "ours to it", "rows/CPU s", "ours to it", "peak MiB"]
    print(f"{machine()['cpu']}, one core\n\n{markdown_table(header, table)}")
    write(_OUT.value, {"runs": results})


if __name__ == "__main__":
    app.run(main)
