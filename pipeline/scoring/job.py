"""What is scored with which model, and whether that has been done already."""

import dataclasses
import hashlib
import json
import os
import pathlib

from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.plan import Plan
from pipeline.beam import BeamConfig
from pipeline.config import RunConfig
from pipeline.model_names import RANKER
from pipeline.scoring.requests import ScoringError, log_files, table_files, with_input, without_outcomes
from schemas.log_schema import LogSchema
from serving.versions import versions_in

SUMMARY = "_summary.json"
SCORES = "scores-*.parquet"


@dataclasses.dataclass(frozen=True)
class Job:
    """A log to score.

    Attributes:
      name: of the run whose model scores.
      data: how the log is read, see `without_outcomes`.
      schema: by which it is read.
      model: the folder of the pushed SavedModel.
      output: the folder the scores will stand in.
      work: the folder for what is not finished, and for the quarantine.
      built_histories: the histories that training built of clicks, and that the log must bring.
      made_of: what the scores follow from: the input, its files and settings as hashes, the model's version.
      beam: on which engine the stages run, which the scores do not follow from.
    """

    name: str
    data: DataConfig
    schema: LogSchema
    model: pathlib.Path
    output: pathlib.Path
    work: pathlib.Path
    built_histories: tuple[str, ...]
    made_of: dict[str, str | int]
    beam: BeamConfig

    @property
    def version(self) -> int:
        """Of the model."""
        return int(self.model.name)

    @property
    def quarantine(self) -> pathlib.Path:
        """The folder of the rows that are in no request."""
        return self.work / "quarantine"


def plan(
    config: RunConfig, schema: LogSchema, runs_folder: str, input: str | None, output: str | None, version: int | None
) -> Job:
    """Works out what is to be done; writes nothing.

    Args:
      config: as for training, with `data.path` where tables are found that the input does not have.
      schema: of the log.
      runs_folder: holds the run's folder with the pushed models.
      input: the folder of the log.
      output: the folder to write.
      version: of the model; the newest unless given.

    Raises:
      ScoringError: naming what is missing.
    """
    if not input or not output:
        raise ScoringError(
            "score needs --input=<folder of raw requests> and --output=<folder> (INPUT= and OUTPUT= in make)"
        )
    run = pathlib.Path(runs_folder).resolve() / config.name
    model = _pushed(run / "serving" / RANKER, version)
    built = tuple(Plan(config.data, schema).built_histories)
    data, schema = without_outcomes(config.data, schema)
    data = with_input(data, pathlib.Path(input).resolve())
    target = pathlib.Path(output).resolve()
    if target.exists() and not target.is_dir():
        raise ScoringError(f"--output must be a folder. Received: {output!r}")
    made_of = {
        "input": data.path,
        "files": _hash(_state(path) for path in [*log_files(data, pathlib.Path(data.path)), *table_files(data)]),
        "settings": _hash([data.model_dump_json(exclude={"path"}), schema.text]),
        "model_version": int(model.name),
    }
    work = run / "scoring" / f"{target.name}-{_hash([str(target)])[:8]}"
    return Job(config.name, data, schema, model, target, work, built, made_of, config.beam)


def finished(job: Job, overwrite: bool) -> dict | None:
    """The summary of the scores that stand in the output folder, if they are those of the job; None if there are none.

    Args:
      job: what is to be scored.
      overwrite: other scores there may be replaced; the same ones are not made again.

    Raises:
      ScoringError: if the folder holds other scores and not ``overwrite``, or anything else.
    """
    there = list(job.output.iterdir()) if job.output.is_dir() else []
    if not there:
        return None
    strange = [path.name for path in there if path.name != SUMMARY and not path.match(SCORES)]
    values = _read_summary(job.output / SUMMARY)
    if strange or values is None:
        # Never overwritten: it may be anything, given by a slip.
        raise ScoringError(
            f"--output: {job.output} is not empty and holds no scores ({', '.join(sorted(strange)[:5]) or SCORES}); "
            "name another folder"
        )
    if values["made_of"] == job.made_of:
        return values
    if overwrite:
        return None
    versions = f"model version ({values['model_version']} there, {job.version} now)"
    other = [
        versions if key == "model_version" else key
        for key, value in job.made_of.items()
        if values["made_of"].get(key) != value
    ]
    raise ScoringError(
        f"--output: {job.output} holds other scores, of other {', '.join(other)}; name another folder, "
        "or pass --overwrite"
    )


def _pushed(serving: pathlib.Path, version: int | None) -> pathlib.Path:
    versions = versions_in(serving)
    if not versions:
        raise ScoringError(
            f"there is no pushed model in {serving}. Train one with `python -m pipeline run` and the same --config and "
            "--runs; only a model that is blessed is pushed"
        )
    if version is not None and version not in versions:
        raise ScoringError(
            f"--version must be one of the pushed versions {', '.join(map(str, versions))} in {serving}. "
            f"Received: {version}"
        )
    return serving / str(versions[-1] if version is None else version)


def _read_summary(path: pathlib.Path) -> dict | None:
    """What `runner.run` wrote; None if there is nothing, or something else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return values if isinstance(values["made_of"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _state(path: str) -> str:
    state = os.stat(path)
    return f"{path}:{state.st_size}:{state.st_mtime_ns}"


def _hash(parts) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
