"""The graph of Beam stages that ingestion runs."""

import json
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
from tfx.dsl.io import fileio

from components.click_log_example_gen.grouping import BuildRequests, ReadImpressions, ReadRequests
from components.click_log_example_gen.job import REQUESTS, Job
from components.click_log_example_gen.quarantine import merge_reports
from components.click_log_example_gen.splits import add_counts
from components.click_log_example_gen.writing import AddItems, CountItems, WriteQuarantine, WriteRequests


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds ingestion to a Beam pipeline; the counts are in `Job.report_path` when it has run."""
    sources = pipeline | "Files" >> beam.Create(job.sources) | "OneByOne" >> beam.Reshuffle()
    outputs = (REQUESTS, "faults", "report", "times", "built")
    if job.plan.data.layout == "impressions":
        read = sources | "ReadRows" >> beam.ParDo(ReadImpressions(job)).with_outputs(*outputs, main="rows")
        grouped = read.rows | "GroupRows" >> beam.GroupByKey()
        built = grouped | "BuildRequests" >> beam.ParDo(BuildRequests(job)).with_outputs(*outputs)
        made = {name: (read[name], built[name]) | f"All[{name}]" >> beam.Flatten() for name in outputs}
    else:
        made = sources | "ReadRequests" >> beam.ParDo(ReadRequests(job)).with_outputs(*outputs)
    again = made["built"] | "Built" >> beam.CombinePerKey(_joined) | "BuiltTwice" >> beam.MapTuple(_count_repeated)
    counts = {}
    if job.plan.data.split.by == "time":
        counts["counts"] = beam.pvalue.AsSingleton(made["times"] | "CountTimes" >> beam.CombineGlobally(add_counts))
    grouped = made[REQUESTS] | "GroupRequests" >> beam.GroupByKey()
    items = {}
    if job.plan.data.negatives:
        counted = grouped | "CountItems" >> beam.ParDo(CountItems(job), **counts)
        added = counted | "GroupItems" >> beam.GroupByKey() | "AddItems" >> beam.ParDo(AddItems(job))
        items["items"] = beam.pvalue.AsList(added)
    writing = beam.ParDo(WriteRequests(job), **counts, **items).with_outputs("faults", main="report")
    written = grouped | "WriteRequests" >> writing
    faults = (made["faults"], written.faults) | "AllFaults" >> beam.Flatten()
    quarantined = faults | "GroupFaults" >> beam.GroupByKey() | "WriteQuarantine" >> beam.ParDo(WriteQuarantine(job))
    report = (made["report"], again, written.report, quarantined) | "AllReports" >> beam.Flatten()
    report = report | "AddReports" >> beam.CombineGlobally(merge_reports)
    _ = report | "WriteReport" >> beam.Map(_write_json, job.report_path)


def _joined(hashes: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.uint64), *hashes])


def _count_repeated(_: int, hashes: np.ndarray) -> dict:
    """How many requests were built in more than one place."""
    return {"scattered": len(hashes) - len(np.unique(hashes))}


def _write_json(report: dict, path: str) -> None:
    with fileio.open(path, "w") as file:
        file.write(json.dumps(report))
