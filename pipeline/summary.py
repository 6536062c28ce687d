"""What a run came to: summary.json, and the table at the end."""

import json
import os
import pathlib

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.escaping import one_line, printable
from common.files import SUMMARY_FILE, TRAINING_FILE
from common.warnings import read_warnings
from components.click_log_example_gen.quarantine import read_summary
from components.evaluator.executor import REASONS_FILE
from components.evaluator.metrics import read_metrics
from models.inputs.hierarchy import read_hierarchy
from models.training import warm_start
from models.tuning.search_space import show
from pipeline.config import RunConfig
from pipeline.lineage import NodeRun
from pipeline.model_names import RANKER, node_id
from pipeline.oracle import oracle_session_auc
from pipeline.sections import unused_keys
from pipeline.tuning import read_trials, trials_table
from reporting import estimates
from reporting.files import REPORT_FILE
from reporting.metrics import SHOWN
from reporting.slices import SLICINGS
from reporting.words import number
from schemas.log_schema import LogSchema
from serving.versions import versions_in


def summarise(
    config: RunConfig, schema: LogSchema, node_runs: list[NodeRun], folder: pathlib.Path, simulated: bool
) -> dict:
    """Reads the artifacts of a finished run and writes ``summary.json`` into its folder (`summary_file`).

    Keys: ``name``, ``config``, ``model`` (the name of the trained model), ``rows_read``, ``rows_in_requests``,
    ``rows_quarantined``, ``items_cut`` (by
    `data.max_items`), ``negatives`` (None, or of sampled ones ``mark``: a sentence for whoever quotes a figure,
    ``items_sampled`` by split and ``requests_short``), ``quarantine`` (by reason), ``requests`` and ``items`` by
    split, ``categories`` by level,
    ``metrics`` (overall), ``metrics_by_top_category`` and ``metrics_by`` slice, ``blessed``, ``blessing``
    (``blessed``, ``reasons`` why not, ``compared_with``: folder of the model, or None), ``pushed_model`` (folder,
    or None), ``served_model`` (folder of the version that servers take, or None), ``report`` (the page on the
    model, copied to ``report.html`` in the run's folder, or None), ``report_artifact`` (the folder in the run's that it
    was copied from, which holds its figures), ``training``, ``seconds`` and
    ``cached`` by component, ``warnings`` (texts, each with its component or "configuration"),
    ``train_items_per_second``. A run that stops before training has none of those of a model; ``oracle_session_auc``
    stands there for a simulated log, ``trials`` after a search for hyperparameters.

    Returns:
      the summary.
    """
    runs = {run.name: run for run in node_runs}
    ingestion = read_summary(runs["ClickLogExampleGen"].outputs["quarantine"])
    hierarchy = read_hierarchy(runs["CategoryHierarchyGen"].outputs["hierarchy"])
    summary = {
        "name": config.name,
        "config": config.model_dump(mode="json", by_alias=True),
        "model": RANKER,
        "rows_read": ingestion["rows_read"],
        "rows_in_requests": ingestion["rows_in_requests"],
        "rows_quarantined": ingestion["rows_quarantined"],
        "items_cut": ingestion["items_cut"],
        "negatives": ingestion["negatives"],
        "quarantine": ingestion["reasons"],
        "requests": ingestion["requests"],
        "items": ingestion["items"],
        "categories": {level.feature: len(level.keys) for level in hierarchy.levels},
        "seconds": {run.name: round(run.seconds, 2) for run in node_runs},
        "cached": {run.name: run.cached for run in node_runs},
        "warnings": [f"configuration: {text}" for text in unused_keys(config.model)]
        + [f"{run.name}: {text}" for run in node_runs for uri in run.outputs.values() for text in read_warnings(uri)],
    }
    if node_id("Tuner") in runs:
        summary["trials"] = read_trials(runs[node_id("Tuner")].outputs, folder)
    if node_id("Trainer") in runs:
        summary |= _model(runs, schema)
        served = versions_in(folder / "serving" / RANKER)
        summary["served_model"] = str(folder / "serving" / RANKER / str(served[-1])) if served else None
        reported = runs.get(node_id("ModelReport"))
        summary["report"] = _copy_report(reported, folder) if reported else None
        # Without the run's folder, which may be moved.
        summary["report_artifact"] = os.path.relpath(reported.outputs["report"], folder) if reported else None
        if simulated:
            examples = runs["ClickLogExampleGen"].outputs["examples"]
            summary["oracle_session_auc"] = oracle_session_auc(examples, "test", config, schema)
    _write(summary_file(folder, config), (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())
    return summary


def summary_file(folder: pathlib.Path, config: RunConfig) -> pathlib.Path:
    """Where the summary is; a search alone has a file of its own, and leaves that of the run it searches for."""
    return folder / ("tune.json" if config.stop_after == "tune" else SUMMARY_FILE)


def _copy_report(run: NodeRun, folder: pathlib.Path) -> str:
    """Where one finds it without knowing which execution made it."""
    path = folder / REPORT_FILE
    _write(path, (pathlib.Path(run.outputs["report"]) / REPORT_FILE).read_bytes())
    return str(path)


def _write(path: pathlib.Path, content: bytes) -> None:
    """Whole at once."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _model(runs: dict[str, NodeRun], schema: LogSchema) -> dict:
    training = json.loads((pathlib.Path(runs[node_id("Trainer")].outputs["model_run"]) / TRAINING_FILE).read_text())
    slices = _metrics_by_slice(runs[node_id("Evaluator")].outputs["evaluation"])
    pushed = runs[node_id("Pusher")].properties["pushed_model"]
    top_category = schema.categories[0].name
    blessing = runs[node_id("Evaluator")].properties["blessing"]
    blessed = blessing.get("blessed") == 1
    reasons = (pathlib.Path(runs[node_id("Evaluator")].outputs["blessing"]) / REASONS_FILE).read_text(encoding="utf-8")
    return {
        "metrics": slices.pop("")[""],
        "metrics_by_top_category": slices.pop(top_category, {}),
        "metrics_by": slices,
        "blessed": blessed,
        "blessing": {
            "blessed": blessed,
            "reasons": json.loads(reasons),
            "compared_with": blessing.get("baseline_model"),
        },
        "pushed_model": pushed["pushed_destination"] if pushed.get("pushed") == 1 else None,
        "training": training,
        "train_items_per_second": training["items_per_second"],
    }


def _metrics_by_slice(evaluation: str) -> dict[str, dict[str, dict[str, float]]]:
    """{slicing feature: {its value: {metric: value}}}; the overall slice is ""."""
    return {
        feature: {value: {name: estimates.number(of[name]) for name in SHOWN} for value, of in slices.items()}
        for feature, slices in read_metrics(evaluation).items()
    }


def table(summary: dict) -> RenderableType:
    """The table that a run ends with."""
    head = Table(title=f"Run {summary['name']}", show_header=False, title_justify="left")
    head.add_column()
    head.add_column(justify="right")
    head.add_row("rows read", number(summary["rows_read"]))
    head.add_row("rows in the quarantine", number(summary["rows_quarantined"]))
    if summary["items_cut"]:
        head.add_row("cut by max_items", number(summary["items_cut"]))
    if summary["negatives"]:
        head.add_row("negatives sampled", number(sum(summary["negatives"]["items_sampled"].values())))
        head.add_row("requests with fewer of them", number(summary["negatives"]["requests_short"]))
    for split, requests in summary["requests"].items():
        head.add_row(f"{split}: requests / items", f"{number(requests)} / {number(summary['items'][split])}")
    head.add_row("categories", " > ".join(map(number, summary["categories"].values())))
    parts = [head]
    if "metrics" not in summary and "trials" in summary:
        parts.append(trials_table(summary["trials"]))
    if "metrics" in summary:
        training = summary["training"]
        for key, value in training["hyperparameters"].items():
            head.add_row(f"tuned: {key}", show(value))
        if training["warm_start"]:
            head.add_row("warm start", warm_start.summary(training["warm_start"]).replace("; ", "\n"))
        head.add_row("parameters", number(training["parameters"]))
        head.add_row("steps, best at", f"{number(training['steps'])}, {number(training['best_step'])}")
        head.add_row("items trained a second", number(summary["train_items_per_second"]))
        head.add_row("blessed", "yes" if summary["blessed"] else "no")
        head.add_row("pushed", summary["pushed_model"] or "no")
        if summary["served_model"] != summary["pushed_model"]:
            head.add_row("served", summary["served_model"] or "none")
        if summary["report"]:
            head.add_row("report", summary["report"])
        parts += [*_reasons(summary), _metrics_table(summary)]
    if summary["warnings"]:
        warnings = Table(title="Warnings", title_justify="left", show_header=False, show_lines=True)
        for text in summary["warnings"]:
            warnings.add_row(Text(printable(text)))
        parts.append(warnings)
    return Group(*parts)


def _reasons(summary: dict) -> list[Table]:
    """Why the model is not blessed."""
    reasons = Table(title="Not pushed, because of", title_justify="left", show_header=False)
    for reason in summary["blessing"]["reasons"]:
        reasons.add_row(Text(printable(reason)))
    return [reasons] if reasons.row_count else []


def _metrics_table(summary: dict) -> Table:
    marks = [summary["config"]["report"]["note"], summary["negatives"] and summary["negatives"]["mark"]]
    title = "; ".join(["Test split", *filter(None, marks)])
    metrics = Table(title=Text(one_line(title)), title_justify="left")
    metrics.add_column("slice", no_wrap=True)
    for metric in SHOWN.values():
        metrics.add_column(metric.title, justify="right", no_wrap=True)

    def add(name: str, values: dict, **style):
        metrics.add_row(Text(one_line(name)), *(number(values[key], 4) for key in SHOWN), **style)

    add("all", summary["metrics"], end_section=True, style="bold")
    if "oracle_session_auc" in summary:
        metrics.add_row("best possible (simulated log)", number(summary["oracle_session_auc"], 4), end_section=True)
    titles, order = {one.key: one.title for one in SLICINGS}, {one.key: one.names for one in SLICINGS}
    for feature, slices in {"": summary["metrics_by_top_category"], **summary["metrics_by"]}.items():
        names = [name for name in order.get(feature, sorted(slices)) if name in slices]
        title = titles.get(feature, feature.replace("_", " "))
        for index, name in enumerate(names):
            label = f"{title}: {name}" if feature else name or "(unknown)"
            add(label, slices[name], end_section=index == len(names) - 1)
    return metrics
