"""Counting category paths: requests a second of CategoryHierarchyGen and of a plain Beam Count.PerElement.

    python -m benchmarks.hierarchy --rows=1000000 --copies=1,10 --repetitions=3

Both count the paths of the same requests, the train split of the demo's simulated log, and must find the same. The
plain pipeline is as people write it: read the TFRecords, parse each tf.Example, emit its path, count. Each runs in a
process of its own on one core, in turns; seconds are without imports. A larger log is the same files several times.
"""

import json
import os
import pathlib
import sys
import tempfile

from absl import app, flags

from benchmarks.harness import machine, markdown_table, medians, take_turns, timed, write

_NAMES = ("CategoryHierarchyGen", "Count.PerElement")
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

    requests, hierarchy = standard_artifacts.Examples(), CategoryHierarchy()
    requests.uri, hierarchy.uri = examples, str(out)
    requests.split_names = artifact_utils.encode_split_names(["train"])
    component = CategoryHierarchyGen(
        types.Channel(type=standard_artifacts.Examples), "schemas/demo.pbtxt", HierarchyConfig()
    )
    Executor().Do({"examples": [requests]}, {"hierarchy": [hierarchy]}, dict(component.exec_properties))
    return {tuple(path): count for count, *path in json.loads((out / "path_counts.json").read_text("utf-8"))}


def _child(examples: str, name: str) -> None:
    import components.category_hierarchy_gen.component  # noqa: F401  before the clock runs

    count = _category_hierarchy_gen if name == "CategoryHierarchyGen" else _count_per_element
    with tempfile.TemporaryDirectory() as folder, timed() as took:
        counts = count(examples, pathlib.Path(folder))
    print(json.dumps({**took, "counts": sorted([*path, count] for path, count in counts.items())}))


def _link(examples: pathlib.Path, copies: int, to: pathlib.Path) -> None:
    (to / "Split-train").mkdir(parents=True)
    for path in (examples / "Split-train").iterdir():
        for copy in range(copies):
            os.link(path, to / "Split-train" / f"{copy}-{path.name}")


def _measure(examples: str) -> dict[str, dict]:
    child = [sys.executable, "-m", "benchmarks.hierarchy", f"--child={examples}"]
    commands = {name: [*child, f"--only={name}"] for name in _NAMES}
    runs = take_turns(commands, 1 if _TOY.value else _REPETITIONS.value, _CORE.value)
    counts = runs[_NAMES[0]][0]["counts"]
    if any(run["counts"] != counts for measured in runs.values() for run in measured):
        raise RuntimeError("the two count differently")
    requests = sum(count for *_, count in counts)
    found = {name: {"requests": requests, **medians(measured)} for name, measured in runs.items()}
    for run in found.values():
        run["requests_a_second"] = requests / run["seconds"]
        run["requests_a_cpu_second"] = requests / run["cpu_seconds"]
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
    with tempfile.TemporaryDirectory(dir=pathlib.Path(_OUT.value).parent) as folder:
        ingest(str(log), pathlib.Path(folder))
        for copies in [1] if _TOY.value else map(int, _COPIES.value):
            examples = pathlib.Path(folder, f"copies-{copies}")
            _link(pathlib.Path(folder, "examples"), copies, examples)
            results.append(_measure(str(examples)))
            slow = results[-1]["Count.PerElement"]
            for name, run in results[-1].items():
                ratios = [run[rate] / slow[rate] for rate in ("requests_a_second", "requests_a_cpu_second")]
                rates = [int(run["requests_a_second"]), ratios[0], int(run["requests_a_cpu_second"]), ratios[1]]
                table.append([run["requests"], name, run["seconds"], *rates, int(run["peak_mib"])])
    header = ["requests", "counted by", "seconds", "requests/s", "times", "requests/CPU s", "times", "peak MiB"]
    print(f"{machine()['cpu']}, one core\n\n{markdown_table(header, table)}")
    write(_OUT.value, {"runs": results})


if __name__ == "__main__":
    app.run(main)
