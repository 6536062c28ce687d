"""What ClickLogExampleGen does."""

import errno
import json
import math
import os
import time

import tensorflow as tf
from tfx import types
from tfx.components.example_gen import driver, utils
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from common.progress import progress
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.headers import check_files
from components.click_log_example_gen.job import Job
from components.click_log_example_gen.joins import Lookup, prepare_table
from components.click_log_example_gen.negatives import mark
from components.click_log_example_gen.plan import Plan, check
from components.click_log_example_gen.quarantine import SUMMARY, describe_reasons, failure, merge_reports
from components.click_log_example_gen.sources import Source
from components.click_log_example_gen.spans import resolve_properties
from components.click_log_example_gen.stages import build
from components.click_log_example_gen.writing import write_faults
from components.timing import timed
from schemas.parsing import parse_schema

_NO_ROOM = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
PARTITION_BYTES = 64 << 20  # of text; takes about a quarter of a gigabyte of a worker's memory


@timed
class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads a click log and writes its requests as tf.Examples, and the rows that are none."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict,
    ) -> None:
        """Reads, checks, joins, groups, splits and writes.

        Args:
          input_dict: empty.
          output_dict:
            - examples: ``Split-<name>/data_tfrecord-*.gz``, a tf.Example a request, ordered by (timestamp,
              request_id) in a shard; which requests share a shard follows from a hash of the request (of the user,
              if histories are built or the user's items excluded from the negatives).
            - quarantine: ``rows-*.jsonl.gz``, a file for each file of the log with bad rows (``tables-*``: of a
              table), and ``summary.json`` as `quarantine.read_summary` describes.
          exec_properties:
            - input_base, input_config: the folder and the globs, one a span, newest first, as `spans.WindowDriver`
              resolves them; or the glob with what is to be filled in, where no driver ran.
            - wanted_span: the span to take if none ran, or `spans.NEWEST`.
            - data: a `DataConfig` as JSON, without the folder and the span.
            - schema: the text of the schema; without a label, for requests that are only to be scored.

        Raises:
          ValueError: before any work, if the configuration does not fit the schema or the files; after it, if more
            than `max_bad_fraction` of the rows are malformed or no request is left.
          RuntimeError: if rows were lost on the way, or there is no room to write.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        quarantine = artifact_utils.get_single_instance(output_dict["quarantine"])
        try:
            self._ingest(examples, quarantine, exec_properties)
        except Exception as error:  # Beam makes a RuntimeError of TensorFlow's own, the words are left
            if not any(words in str(error) for words in _NO_ROOM):
                raise
            raise RuntimeError(
                f"there is no room to write: {error}\nNothing of this run is used; run again when there is room."
            ) from error

    def _ingest(self, examples: types.Artifact, quarantine: types.Artifact, exec_properties: dict) -> None:
        start = time.monotonic()
        data = DataConfig.model_validate_json(exec_properties["data"])
        schema = parse_schema(exec_properties["schema"], labelled=False)
        check(data, schema)
        plan = Plan(data, schema)
        if utils.FINGERPRINT_PROPERTY_NAME not in exec_properties:  # no driver ran
            exec_properties = resolve_properties(exec_properties)
            driver.update_output_artifact(exec_properties, examples.mlmd_artifact)
        input_config = proto_utils.json_to_proto(exec_properties["input_config"], example_gen_pb2.Input())
        patterns = [split.pattern for split in input_config.splits]
        sources, table_sources = check_files(plan, exec_properties["input_base"], patterns)

        staging = os.path.join(quarantine.uri, "staging")
        fileio.makedirs(staging)
        examples.split_names = artifact_utils.encode_split_names(plan.splits)
        folders = {name: artifact_utils.get_split_uri([examples], name) for name in plan.splits}
        for folder in folders.values():
            fileio.makedirs(folder)
        lookups, tables = [], []
        for i, found in enumerate(table_sources):
            lookup, report = _prepare(plan, i, found, staging, quarantine.uri)
            lookups.append(lookup)
            tables.append(report)
        partitions = max(1, math.ceil(sum(source.unpacked_bytes for source in sources) / PARTITION_BYTES))
        for direct in (True, False):
            job = Job(
                plan=plan,
                sources=tuple(sources),
                lookups=tuple(lookups),
                partitions=partitions,
                examples=folders,
                quarantine=quarantine.uri,
                staging=staging,
                direct=direct,
            )
            with self._make_beam_pipeline() as pipeline:
                build(pipeline, job)
            report = _read_report(job)
            if not report.get("scattered"):
                break
            progress.info("the log looked grouped by request at first, but is not: it is read again and shuffled")
            _clear(job)

        summary = _summary(job, report, tables, time.monotonic() - start)
        with fileio.open(os.path.join(quarantine.uri, SUMMARY), "w") as file:
            file.write(json.dumps(summary, indent=2))
        if summary["rows_read"] != summary["rows_in_requests"] + summary["rows_quarantined"]:
            raise RuntimeError(
                f"rows were lost: {summary['rows_read']} read, but {summary['rows_in_requests']} in requests and "
                f"{summary['rows_quarantined']} quarantined"
            )
        if reason := failure(summary, data.max_bad_fraction):
            kept = _keep_quarantine(quarantine.uri)
            raise ValueError(f"{exec_properties['input_base']}: {reason}\nThe rows with their reasons are in {kept}")
        _fill_empty_splits(folders)
        fileio.rmtree(staging)
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")
        progress.info(
            "%d rows read, %d in requests, %d quarantined%s, in %.1f s",
            summary["rows_read"],
            summary["rows_in_requests"],
            summary["rows_quarantined"],
            f", {summary['items_cut']} items cut by max_items" if summary["items_cut"] else "",
            summary["seconds"],
        )


def _prepare(plan: Plan, i: int, sources: list[Source], staging: str, quarantine: str) -> tuple[Lookup, dict]:
    """Reads a table; its bad rows are kept as those of the log are, and counted apart."""
    table = plan.data.tables[i]
    progress.info("reading the table %s", table.files)
    lookup, rows, faults = prepare_table(table, sources, plan, os.path.join(staging, f"table-{i}.arrow"))
    reasons = []
    for source, bad in zip(sources, faults, strict=True):
        if len(bad):
            path = os.path.join(quarantine, f"tables-{i:05d}-{source.index:05d}.jsonl.gz")
            reasons.append(write_faults(source, bad, path))
    report = {
        "rows_read": rows,
        "rows_in_requests": rows - sum(map(len, faults)),
        "rows_quarantined": sum(map(len, faults)),
        "reasons": describe_reasons(merge_reports(reasons)),
    }
    if reason := failure(report, plan.data.max_bad_fraction, "row"):
        raise ValueError(f"`data.tables[{i}]` ({table.files}): {reason}")
    report["rows_kept"] = report.pop("rows_in_requests")
    return lookup, {"files": table.files, **report}


def _keep_quarantine(uri: str) -> str:
    """Copies the quarantine out of the artifact, which TFX deletes when the component fails."""
    kept = os.path.join(os.path.dirname(os.path.dirname(uri)), "quarantine-of-failed-run")
    if fileio.exists(kept):
        fileio.rmtree(kept)
    fileio.makedirs(kept)
    for name in fileio.listdir(uri):
        if not fileio.isdir(os.path.join(uri, name)):
            fileio.copy(os.path.join(uri, name), os.path.join(kept, name))
    return kept


def _read_report(job: Job) -> dict:
    with fileio.open(job.report_path, "r") as file:
        return json.load(file)


def _clear(job: Job) -> None:
    """Takes away what a first attempt wrote; the tables' own files, which are prepared once, stay."""
    for pattern in [*(f"{folder}/*" for folder in job.examples.values()), f"{job.quarantine}/rows-*"]:
        for path in fileio.glob(pattern):
            fileio.remove(path)
    for path in fileio.glob(f"{job.staging}/*.spill"):
        fileio.remove(path)


def _summary(job: Job, report: dict, tables: list[dict], seconds: float) -> dict:
    return {
        **{key: report.get(key, 0) for key in ("rows_read", "rows_in_requests", "rows_quarantined", "items_cut")},
        "reasons": describe_reasons(report.get("reasons", {})),
        "negatives": _negatives(job, report),
        "tables": tables,
        "requests": {name: report.get("requests", {}).get(name, 0) for name in job.plan.splits},
        "items": {name: report.get("items", {}).get(name, 0) for name in job.plan.splits},
        "labels": {
            label: {name: found.get(name, {}) for name in job.plan.splits}
            for label, found in report.get("labels", {}).items()
        },
        "seconds": round(seconds, 2),
        "files": [source.name for source in job.sources],
    }


def _negatives(job: Job, report: dict) -> dict | None:
    if job.plan.data.negatives is None:
        return None
    sampled = report.get("items_sampled", {})
    return {
        "mark": mark(job.plan),
        "items_sampled": {name: sampled.get(name, 0) for name in job.plan.splits},
        "requests_short": report.get("requests_short", 0),
    }


def _fill_empty_splits(folders: dict[str, str]) -> None:
    """Every split has a file, so that the components after this one find something to read."""
    for folder in folders.values():
        if not fileio.listdir(folder):
            tf.io.TFRecordWriter(os.path.join(folder, "data_tfrecord-00000-of-00001.gz"), "GZIP").close()
