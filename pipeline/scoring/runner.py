"""Ingests and scores a log on this machine, and puts the scores where they belong."""

import json
import pathlib
import shutil
import time

from tfx.orchestration.pipeline import Pipeline

from common.threads import use_cores
from components.bulk_scorer.component import BulkScorer
from components.click_log_example_gen.component import ClickLogExampleGen
from components.click_log_example_gen.quarantine import read_summary
from pipeline.beam import beam_arguments
from pipeline.fingerprint import component_codes
from pipeline.lineage import NodeRun
from pipeline.run_folder.database import METADATA_FILE, database
from pipeline.run_folder.locks import alone
from pipeline.runners.local import LocalRunner
from pipeline.runners.nodes import ComponentFailed
from pipeline.scoring.job import SUMMARY, Job


def run(job: Job, runner: LocalRunner) -> dict:
    """Scores a log and writes ``job.output``: Parquet, and ``_summary.json``.

    A process that is killed leaves no output folder. The same job goes on after ingestion, if that was finished.

    Keys of the summary: ``name``, ``model``, ``model_version``, ``rows_read``, ``rows_in_requests``,
    ``rows_quarantined``, ``quarantine`` (by reason), ``quarantine_folder`` (None if nothing is in it), ``requests``,
    ``items``, ``seconds``, ``requests_per_second``, ``items_per_second``, ``made_of``.

    Returns:
      the summary.

    Raises:
      ComponentFailed: naming the component that failed, as where no request is left.
      Busy: if another process works on the same output.
      RuntimeError: if a request has no scores.
    """
    use_cores()
    unfinished = job.work / "unfinished"
    with alone(unfinished / "lock", job.output):
        began = time.monotonic()
        ingested, scored = _run_components(job, unfinished, runner)
        scores = pathlib.Path(scored.outputs["scores"])
        summary = _summary(job, ingested.outputs["quarantine"], scores / SUMMARY, time.monotonic() - began)
        (scores / SUMMARY).write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if summary["rows_quarantined"]:
            _replace(pathlib.Path(ingested.outputs["quarantine"]), job.quarantine, job.work.name)
        _replace(scores, job.output, job.work.name)
        shutil.rmtree(unfinished if summary["rows_quarantined"] else job.work)
    return summary


def _run_components(job: Job, unfinished: pathlib.Path, runner: LocalRunner) -> list[NodeRun]:
    codes = component_codes()
    example_gen = ClickLogExampleGen(job.data, job.schema, code=codes["ClickLogExampleGen"])
    scorer = BulkScorer(
        example_gen.outputs["examples"],
        model=str(job.model),
        model_version=job.version,
        schema=job.schema,
        code=codes["BulkScorer"],
    )
    try:
        runner.run(
            Pipeline(
                pipeline_name=f"{job.name}-score",
                pipeline_root=str(unfinished / "artifacts"),
                components=[example_gen, scorer],
                enable_cache=True,
                beam_pipeline_args=beam_arguments(job.beam, str(unfinished)),
                metadata_connection_config=database(unfinished / METADATA_FILE),
            )
        )
    except ComponentFailed as error:
        if built := [f for f in job.built_histories if f in str(error)]:
            raise ComponentFailed(
                f"{error}\nTraining built the history {built[0]} of clicks (`data.history.build`), which requests to "
                "be scored do not have yet: their log must bring it, in a column of that name (empty for a new user)"
            ) from error
        raise
    return runner.node_runs


def _summary(job: Job, quarantine: str, counts: pathlib.Path, seconds: float) -> dict:
    ingestion = read_summary(quarantine)
    scored = json.loads(counts.read_text(encoding="utf-8"))
    requests, items = sum(ingestion["requests"].values()), sum(ingestion["items"].values())
    if (scored["requests"], scored["items"]) != (requests, items):
        raise RuntimeError(
            f"requests were lost: {requests} with {items} items were read, {scored['requests']} with "
            f"{scored['items']} scored"
        )
    return {
        "name": job.name,
        "model": str(job.model),
        "model_version": job.version,
        **{key: ingestion[key] for key in ("rows_read", "rows_in_requests", "rows_quarantined")},
        "quarantine": ingestion["reasons"],
        "quarantine_folder": str(job.quarantine) if ingestion["rows_quarantined"] else None,
        "requests": requests,
        "items": items,
        "seconds": round(seconds, 2),
        "requests_per_second": round(requests / seconds, 1),
        "items_per_second": round(items / seconds, 1),
        "made_of": job.made_of,
    }


def _replace(source: pathlib.Path, target: pathlib.Path, mark: str) -> None:
    """Moves a folder to where another may stand; ``target`` is whole at any time, or not there.

    Hidden folders beside it, whose names hold ``mark`` and are nobody else's, are made on the way.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{mark}.{state}") for state in ("unfinished", "replaced"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed here
    shutil.move(source, new)  # a copy, where the target is on another disk
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
