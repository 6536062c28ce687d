"""What differs between two runs beside their figures: settings, data, training, times; as texts, a line each."""

import pathlib
from collections.abc import Mapping

import yaml

from pipeline.comparison.content import Row
from pipeline.comparison.runs import Run
from reporting.words import DASH, figure, number, seconds, words

_CODE = 10  # characters of a fingerprint


def configuration(first: Run, second: Run) -> list[Row]:
    """The keys of the configuration that differ, what a search has found, and the components whose source differs."""
    found = [_settings(run) for run in (first, second)]
    rows = [Row(key, *(of.get(key, DASH) for of in found)) for key in _of_both(*found)]
    return [row for row in rows if row.differs]


def data(first: Run, second: Run) -> list[Row]:
    """Rows, requests, categories."""
    return _rows(_data, first, second)


def training(first: Run, second: Run) -> list[Row]:
    """Steps, speed, size."""
    return _rows(_training, first, second)


def experts(first: Run, second: Run) -> list[Row]:
    """Of the gates and the experts; nothing where neither run has them."""
    return _rows(_experts, first, second)


def times(first: Run, second: Run) -> list[Row]:
    """Seconds by component, and of all; what was reused has those that it took when it was made."""
    return _rows(_times, first, second)


def _rows(facts, first: Run, second: Run) -> list[Row]:
    found = facts(first), facts(second)
    return [Row(name, *(of.get(name, DASH) for of in found)) for name in _of_both(*found)]


def _of_both(first: Mapping, second: Mapping) -> list[str]:
    """Keys in the order of the second, those that the first alone has behind."""
    return list(dict.fromkeys([*second, *first]))


def _settings(run: Run) -> dict[str, str]:
    folders = [str(folder.resolve()) for folder in (run.folder, pathlib.Path(run.summary["report"]).parent)]
    found = dict(_flat(_of_any_run(run.summary["config"], folders)))
    tuned = run.summary.get("training", {}).get("hyperparameters", {})
    found |= {f"{key} (tuned)": _yaml(value) for key, value in tuned.items()}
    codes = {line.component: line.code for line in run.content.artifacts if line.code}
    return found | {f"source of {component}": code[:_CODE] for component, code in codes.items()}


def _of_any_run(value: object, folders: list[str]) -> object:
    """What is in the run's own folder, such as a simulated log, is no difference for that; it may have been moved.

    Args:
      value: of the configuration, or all of it.
      folders: where the run is, and where it was.
    """
    if isinstance(value, Mapping):
        return {key: _of_any_run(inner, folders) for key, inner in value.items()}
    if isinstance(value, list):
        return [_of_any_run(inner, folders) for inner in value]
    if isinstance(value, str):
        for folder in folders:
            if value == folder or value.startswith(f"{folder}/"):
                return f"<run>{value.removeprefix(folder)}"
    return value


def _flat(section: Mapping, prefix: str = ""):
    """(key with its sections, value in YAML)."""
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _yaml(value)


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def _data(run: Run) -> dict[str, str]:
    found = run.content.data
    facts = {
        "rows read": number(found.rows_read),
        "rows in requests": number(found.rows_in_requests),
        "rows in the quarantine": number(found.rows_quarantined),
        "cut by max_items": number(run.summary.get("items_cut")),
    }
    facts |= {f"quarantine: {one.reason}": number(one.rows) for one in found.quarantine}
    facts |= {
        f"{split}: requests / items": f"{number(requests)} / {number(found.items.get(split))}"
        for split, requests in found.requests.items()
    }
    return facts | {f"categories: {level}": number(count) for level, count in found.categories.items()}


def _training(run: Run) -> dict[str, str]:
    shown = ("parameters", "steps", "best_step", "items_per_second", "seconds", "best_session_auc")
    found = {name: run.content.training[name] for name in shown if name in run.content.training}
    facts = {words(name): seconds(value) if name == "seconds" else str(figure(value)) for name, value in found.items()}
    return {"variant": str(run.summary["config"]["model"]["variant"]), **facts}


def _experts(run: Run) -> dict[str, str]:
    found = run.content.experts
    if found is None:
        return {}
    active = "all" if found.top_k is None else str(found.top_k)
    return {
        "active in a request": f"{active} of {len(found.mean_weight)}",
        "silhouette by top category": number(found.silhouette, 2),
        "mean squared distance, active to idle": number(found.active_idle_distance, 4),
    }


def _times(run: Run) -> dict[str, str]:
    found = run.content.seconds
    return {**{name: seconds(value) for name, value in found.items()}, "all": seconds(sum(found.values()))}
