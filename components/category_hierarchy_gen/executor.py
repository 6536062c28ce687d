"""Counts category paths with Beam, file by file and then in one Combine, and writes the hierarchy."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from common.progress import progress
from common.warnings import keep_warnings
from components.timing import timed
from models.inputs.hierarchy import CategoryHierarchy, build_hierarchy, write_hierarchy
from schemas.parsing import parse_schema

# Requests a record batch: counting costs Python a little for each distinct path of a batch, so few large ones.
_BATCH_SIZE = 4096
_COUNTS_FILE = "path_counts.json"


@timed
class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of CategoryHierarchyGen."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Counts the paths, builds the tree and writes it.

        Args:
          input_dict: ``examples``: one or more Examples artifacts of tf.Example, each holding the splits.
          output_dict: ``hierarchy``: one CategoryHierarchy; its files are described in models/inputs/hierarchy.py,
            ``path_counts.json`` beside them has the requests of every path that the tree was built from, and
            `common.warnings.WARNINGS_FILE` says so if a single category is known.
          exec_properties: ``schema`` (text), ``splits`` (JSON list of names), ``min_count``, ``conflicts``.

        Raises:
          models.inputs.hierarchy.HierarchyError: if no category is known.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = input_dict["examples"]
        folder = artifact_utils.get_single_uri(output_dict["hierarchy"])
        schema = parse_schema(exec_properties["schema"])
        features = [feature.name for feature in schema.categories]

        counts_path = os.path.join(folder, _COUNTS_FILE)
        tf.io.gfile.makedirs(folder)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Files" >> beam.Create(_files(examples, json.loads(exec_properties["splits"])))
                | "OneByOne" >> beam.Reshuffle()
                # Files, not records: TensorFlow reads and parses batches; Beam's own reader hands on single requests.
                | "CountFiles" >> beam.Map(_count_file, features)
                # Without defaults: the default of an empty input would come by a side input.
                | "Add" >> beam.CombineGlobally(_add).without_defaults()
                | "WriteCounts" >> beam.Map(_write_counts, counts_path)
            )
        hierarchy = build_hierarchy(
            _read_counts(counts_path), features, exec_properties["min_count"], exec_properties["conflicts"]
        )
        progress.info(summary(write_hierarchy(hierarchy, folder)))
        with keep_warnings(folder):
            if len(hierarchy.levels[-1].keys) == 1:
                progress.warning(_one_category(hierarchy))


def summary(hierarchy: CategoryHierarchy) -> str:
    """One line: depth, known categories a level, and what was odd."""
    report = hierarchy.report
    sizes = " > ".join(f"{len(level.keys):,} {level.feature}" for level in hierarchy.levels)
    odd = ", ".join(f"{report[kind]['total']} {kind}" for kind in ("conflicts", "orphans", "cycles"))
    return f"hierarchy of {hierarchy.depth} levels from {report['requests']:,} requests: {sizes}; {odd}"


def _one_category(hierarchy: CategoryHierarchy) -> str:
    [leaf] = hierarchy.levels[-1:]
    return (
        f"there is one known category only, {leaf.feature} {leaf.keys[0]!r} with {leaf.counts[0]:,} of "
        f"{hierarchy.report['requests']:,} requests: a mixture's gate has nothing to tell apart. To mend it: look at "
        "`data.columns` and `data.category_path`, or lower `hierarchy.min_count`; or, if the log is so, set "
        "`model.variant: dnn`"
    )


def _files(examples: list[types.Artifact], splits: list[str]) -> list[str]:
    patterns = [pattern for split in splits for pattern in examples_utils.get_split_file_patterns(examples, split)]
    return [path for pattern in patterns for path in tf.io.gfile.glob(pattern)]


def _count_file(path: str, features: list[str]) -> Counter:
    """Requests by path, a path being a tuple of bytes."""
    # tfx_bsl's decoder would parse the whole request first, which takes eight times as long.
    spec = {feature: tf.io.RaggedFeature(tf.string) for feature in features}

    def names(examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The first value of each feature, "" where there is none."""
        values = tf.io.parse_example(examples, spec)
        return tuple(values[feature][:, :1].to_tensor("", shape=[None, 1])[:, 0] for feature in features)

    records = tf.data.TFRecordDataset(path, "GZIP" if path.endswith(".gz") else "")
    counts = Counter()
    for columns in records.batch(_BATCH_SIZE).map(names).prefetch(1).as_numpy_iterator():
        counts.update(_count_batch([pa.array(column, pa.binary()) for column in columns]))
    return counts


def _count_batch(names: list[pa.Array]) -> dict[tuple[bytes, ...], int]:
    columns = [f"level_{index}" for index in range(len(names))]
    counts = pa.table(names, columns).group_by(columns).aggregate([(columns[0], "count")])
    paths = zip(*(counts[column].to_pylist() for column in columns), strict=True)
    return dict(zip(paths, counts[f"{columns[0]}_count"].to_pylist(), strict=True))


def _add(counts: Iterable[Counter]) -> Counter:
    total = Counter()
    for some in counts:
        total.update(some)
    return total


def _write_counts(counts: Counter, path: str) -> None:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    # Bytes that are no UTF-8 become escapes of surrogates, which JSON can hold.
    lines = [json.dumps([count, *(name.decode("utf-8", "surrogateescape") for name in path)]) for path, count in rows]
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


def _read_counts(path: str) -> dict[tuple[str, ...], int]:
    if not tf.io.gfile.exists(path):  # The splits have no request at all.
        return {}
    with tf.io.gfile.GFile(path) as file:
        return {tuple(names): count for count, *names in json.load(file)}
