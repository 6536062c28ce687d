"""What two finished runs have left to be compared by."""

import dataclasses
import json
import os
import pathlib

import pydantic

from common.files import SUMMARY_FILE
from reporting.content import ReportContent
from reporting.files import CONTENT_FILE, REQUESTS_FILE
from reporting.judged_requests import JudgedRequests, read_parquet

_AGAIN = "run it again with this version: what did not change is reused, its report is made anew"
# The cache would give what is broken once more.
_ANEW = "run it again with another `report.seed`, which makes its report anew and reuses the rest"


class ComparisonError(ValueError):
    """Two runs that cannot be compared; the message names the folder, and what to do."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
      label: what it is called beside the other.
      folder: of the run.
      summary: the content of its summary.json.
      content: what its report says.
      requests: the test requests that it was judged on.
    """

    label: str
    folder: pathlib.Path
    summary: dict
    content: ReportContent
    requests: JudgedRequests


def read_runs(first: str, second: str) -> tuple[Run, Run]:
    """Reads two folders of runs; what is called by the same name is told apart by its path.

    Raises:
      ComparisonError: if they are one folder, or one of them is none, or is no run that ended with a report.
    """
    folders = [pathlib.Path(first), pathlib.Path(second)]
    for folder in folders:
        if not os.path.isdir(folder):  # False, not an error, for what can be no path
            raise ComparisonError(f"{folder}: there is no such folder; a run's is runs/<name>")
    if folders[0].resolve() == folders[1].resolve():
        raise ComparisonError(
            f"{folders[1]}: is the same run twice. A run is overwritten by the next of its name; give the other one "
            "another with `--set name=<name>`"
        )
    names = [folder.resolve().name for folder in folders]
    labels = names if names[0] != names[1] else [str(folder) for folder in folders]
    one, other = (_read(folder, label) for folder, label in zip(folders, labels, strict=True))
    return one, other


def _read(folder: pathlib.Path, label: str) -> Run:
    summary = _summary(folder)
    artifact = folder / summary["report_artifact"]
    for path in (artifact / CONTENT_FILE, artifact / REQUESTS_FILE):
        if not path.is_file():
            raise ComparisonError(f"{path}: is missing, of the run's figures; {_ANEW}")
    try:
        content = ReportContent.model_validate_json((artifact / CONTENT_FILE).read_bytes())
        requests = read_parquet(str(artifact / REQUESTS_FILE))
    except pydantic.ValidationError as error:
        raise ComparisonError(
            f"{artifact / CONTENT_FILE}: is not of this version ({error.error_count()} fields differ); {_AGAIN}"
        ) from error
    except (ValueError, OSError) as error:
        raise ComparisonError(f"{artifact}: cannot be read: {error}; {_ANEW}") from error
    return Run(label, folder, summary, content, requests)


def _summary(folder: pathlib.Path) -> dict:
    path = folder / SUMMARY_FILE
    try:
        summary = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ComparisonError(f"{folder}: has no {SUMMARY_FILE}: no run has come to its end in it") from error
    except (ValueError, OSError) as error:
        raise ComparisonError(f"{path}: cannot be read: {error}; run it again") from error
    if not isinstance(summary, dict) or "config" not in summary:
        raise ComparisonError(f"{path}: is no summary of a run; run it again")
    if "metrics" not in summary:
        raise ComparisonError(f"{folder}: the run stopped before it had a model (`stop_after`)")
    if "report" in summary and summary["report"] is None:
        raise ComparisonError(
            f"{folder}: the run made no report to compare by; run it again with `--set report.enabled=true`, which "
            "reuses the rest"
        )
    if "report_artifact" not in summary:
        raise ComparisonError(f"{folder}: its report was written by an older version; {_AGAIN}")
    return summary
