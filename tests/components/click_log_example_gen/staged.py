"""The stages on real files, one after the other as Beam would run them, without Beam, which takes a second to start."""

import collections
import gzip
import os
import pathlib

import orjson
import tensorflow as tf
from apache_beam.pvalue import TaggedOutput

from components.click_log_example_gen import grouping, stages, writing
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.executor import _clear, _fill_empty_splits
from components.click_log_example_gen.headers import check_files
from components.click_log_example_gen.job import REQUESTS, Job
from components.click_log_example_gen.joins import prepare_table
from components.click_log_example_gen.plan import Plan, check
from components.click_log_example_gen.quarantine import merge_reports
from components.click_log_example_gen.splits import add_counts
from schemas.parsing import parse_schema
from tests.components.click_log_example_gen.conftest import SHOP, make_schema

NAMED = {  # each row carries its own name, so that it can be found again
    "impressions": SHOP + make_schema(("row", "BYTES", "", "scope:item role:hidden")).partition("\n")[2],
    "requests": SHOP + make_schema(("row", "BYTES", "", "scope:request role:hidden")).partition("\n")[2],
}


class Outcome:
    """What the stages did."""

    def __init__(self, job: Job, report: dict):
        self.read, self.kept = report.get("rows_read", 0), report.get("rows_in_requests", 0)
        self.quarantined, self.cut = report.get("rows_quarantined", 0), report.get("items_cut", 0)
        self.reasons = {name: found["rows"] for name, found in report.get("reasons", {}).items()}
        self.report = report
        self.items = sum(report.get("items", {}).values())
        self.bad = []
        for path in sorted(pathlib.Path(job.quarantine).glob("rows-*")):
            with gzip.open(path) as lines:
                self.bad += map(orjson.loads, lines)
        paths = [str(path) for folder in job.examples.values() for path in pathlib.Path(folder).iterdir()]
        self.requests = []
        for path in paths:
            for record in tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator():
                self.requests.append(tf.train.Example.FromString(record).features.feature)


def run(folder: str, schema: str, partitions: int = 1, **data) -> Outcome:
    """Does what the executor does."""
    config = DataConfig.model_validate({"path": folder, "files": "log*", **data})
    parsed = parse_schema(schema)
    check(config, parsed)
    plan = Plan(config, parsed)
    found, tables = check_files(plan, folder, [config.files])
    out = os.path.join(folder, "out")
    examples = {name: os.path.join(out, name) for name in plan.splits}
    for path in [*examples.values(), os.path.join(out, "staging")]:
        os.makedirs(path)
    lookups = []
    for i, (table, of_table) in enumerate(zip(config.tables, tables, strict=True)):
        lookups.append(prepare_table(table, of_table, plan, os.path.join(out, f"{i}.arrow"))[0])
    for direct in (True, False):
        job = Job(plan, tuple(found), tuple(lookups), partitions, examples, out, os.path.join(out, "staging"), direct)
        report = run_stages(job)
        if not report.get("scattered"):
            break
        _clear(job)
    _fill_empty_splits(examples)
    return Outcome(job, report)


def run_stages(job: Job) -> dict:
    """As `stages.build`, one stage after the other."""
    outputs: dict[str, list] = collections.defaultdict(list)

    def take(results):
        for result in results:
            tagged = isinstance(result, TaggedOutput)
            outputs[result.tag if tagged else "rows"].append(result.value if tagged else result)

    def grouped(name):
        groups = collections.defaultdict(list)
        for key, value in outputs[name]:
            groups[key].append(value)
        return groups.items()

    impressions = job.plan.data.layout == "impressions"
    for source in job.sources:
        take((grouping.ReadImpressions if impressions else grouping.ReadRequests)(job).process(source))
    for element in grouped("rows"):
        take(grouping.BuildRequests(job).process(element))
    reports = [stages._count_repeated(part, stages._joined(hashes)) for part, hashes in grouped("built")]
    counts = add_counts(outputs["times"]) if job.plan.data.split.by == "time" else None
    items = []
    if job.plan.data.negatives:
        counted = collections.defaultdict(list)
        for element in grouped(REQUESTS):
            for part, place in writing.CountItems(job).process(element, counts):
                counted[part].append(place)
        items = [place for element in counted.items() for place in writing.AddItems(job).process(element)]
    for element in grouped(REQUESTS):
        for result in writing.WriteRequests(job).process(element, counts, items):
            if isinstance(result, TaggedOutput):
                outputs[result.tag].append(result.value)
            else:
                reports.append(result)
    for element in grouped("faults"):
        reports += writing.WriteQuarantine(job).process(element)
    return merge_reports(outputs["report"] + reports)
