"""Computes all that a report says and writes it as JSON and as a page."""

import dataclasses
import datetime
import json
import os
from typing import Any

import numpy as np
import yaml
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from common.progress import progress
from common.warnings import attempt, keep_warnings
from components.evaluator.executor import REASONS_FILE
from components.model_report import gates, page
from components.model_report.categories import category_figures
from components.model_report.config import ReportConfig
from components.model_report.curves import training_curves
from components.model_report.experts import expert_figures
from components.model_report.importance import importance
from components.model_report.lineage import artifact_lines, seconds_by_component
from components.model_report.log_figures import log_figures
from components.model_report.nodes import UNKNOWN, Node, list_nodes
from components.model_report.popularity import count_items
from components.model_report.requests import judged_requests
from components.model_report.sample import draw, read_sample
from components.model_report.slices import divisions, slices
from components.model_report.split import EvaluatedSplit, evaluate_split
from components.model_report.trained_ranker import read_training, rebuild, trained_config
from components.scoring import saved_model
from components.split_scorer.request_scores import has_baseline, read_parts
from components.timing import timed
from models.ranker.config import ModelConfig
from models.ranker.labels import trained_labels
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.data import TrainingData
from reporting.content import Category, Experts, Headline, Importance, ReportContent
from reporting.files import CONTENT_FILE, REPORT_FILE, REQUESTS_FILE
from reporting.headline import headline_metrics
from reporting.judged_requests import parquet
from reporting.marks import marks, probabilities
from schemas.log_schema import Feature
from schemas.parsing import parse_schema

_SPLIT = "test"
_NO_REPORT = "<!doctype html><title>No report</title><p>It could not be made; the run's summary and its log say why.\n"
_NO_PAGE = f"<!doctype html><title>No page</title><p>The page could not be drawn. Its figures are in {CONTENT_FILE}.\n"


@timed
class Executor(base_executor.BaseExecutor):
    """Executor of ModelReport."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the report.

        What cannot be had, such as the experts of a model that has none, is left out. What should have been had and was
        not is left out with a warning, which ends the run's table: no run fails for its report. If all of it is, there
        is just a page that says so.

        Args:
          input_dict: see `component.ModelReport`; ``baseline_model`` may be missing or empty.
          output_dict: ``report``: one ModelReport. Its ``content.json`` is a `content.ReportContent`, ``report.html``
            the page that `page.render` makes of it, and ``requests.parquet`` what `requests` keeps of the test split.
          exec_properties: ``name``; ``schema``, the text; ``config``, YAML; ``training_splits`` and ``codes``, JSON;
            ``simulated``, 0 or 1.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict["report"])
        fileio.makedirs(folder)
        with keep_warnings(folder):
            made = attempt("the report", _files_of_report, input_dict, exec_properties)
            for name, written in (made or {REPORT_FILE: _NO_REPORT.encode()}).items():
                with fileio.open(os.path.join(folder, name), "wb") as file:
                    file.write(written)


@dataclasses.dataclass(frozen=True)
class _Subject:
    """The model that is reported on, and the data it is seen by."""

    data: TrainingData
    model: str
    model_config: ModelConfig
    report: ReportConfig
    files: list[str]


def _files_of_report(inputs: dict[str, list[types.Artifact]], given: dict[str, Any]) -> dict[str, bytes]:
    content, requests = _content(inputs, given)
    html = attempt("the report's page", page.render, content) or _NO_PAGE
    files = {CONTENT_FILE: content.model_dump_json(indent=1).encode(), REPORT_FILE: html.encode()}
    return files | ({REQUESTS_FILE: requests} if requests else {})


def _content(inputs: dict[str, list[types.Artifact]], given: dict[str, Any]) -> tuple[ReportContent, bytes | None]:
    """What the report says, and what is kept of the test requests, as a Parquet file."""
    config = yaml.safe_load(given["config"])
    schema = parse_schema(given["schema"])
    model = artifact_utils.get_single_instance(inputs["model"])
    model_run = artifact_utils.get_single_uri(inputs["model_run"])
    training = read_training(model_run)
    configured = ModelConfig.model_validate(config["model"]), TrainConfig.model_validate(config["train"])
    model_config = trained_config(*configured, training)
    data = TrainingData(schema, artifact_utils.get_single_uri(inputs["transform_graph"]))
    subject = _Subject(
        data=data,
        model=saved_model(model),
        model_config=model_config,
        report=ReportConfig.model_validate(config.get("report") or {}),
        files=_files(inputs["examples"], [_SPLIT]),
    )
    labels = trained_labels(schema, model_config)
    scores = artifact_utils.get_single_uri(inputs["scores"])
    baseline = inputs["baseline_model"][0] if has_baseline(scores) else None
    progress.info("counting the training split's items")
    training_files = _files(inputs["examples"], json.loads(given["training_splits"]))
    counts = count_items(training_files, schema.item_id.name, labels[0].name)
    progress.info("metrics and their intervals")
    split = evaluate_split(lambda: read_parts(scores), counts, labels[0].gains)
    of_model, before = split.rankings["model"].by_request, split.rankings.get("baseline")
    divided = divisions(split)
    nodes, of_requests = list_nodes(data.hierarchy, split.categories)
    categories = category_figures(split, nodes, of_requests)
    looked_inside = attempt(
        "the report's experts and importance of features", _look_inside, subject, split, labels[0], nodes
    )
    experts, vectors, found = looked_inside or (None, None, None)
    if vectors is not None:
        gated = attempt("the report's gates", _with_gates, categories, vectors, nodes, subject.report.seed)
        categories = gated or categories
    lines = artifact_lines(inputs, json.loads(given["codes"]))
    names = [label.name for label in labels]
    content = ReportContent(
        name=given["name"],
        marks=marks(bool(given["simulated"]), subject.report.note, config["data"], model_config, names),
        headline=Headline(
            blessed=_blessed(inputs["blessing"]),
            reasons=_reasons(inputs["blessing"]),
            compared_with=_words(baseline, inputs.get("baseline_model") or []),
            requests=len(split.lengths),
            judged_requests=int(split.evaluated.sum()),
            metrics=headline_metrics(split.lengths, split.positives, split.rankings),
        ),
        level_names=[level.name for level in schema.categories],
        categories=categories,
        experts=experts,
        importance=found,
        calibration=split.calibration if probabilities(model_config, names) else [],
        slices=slices(divided, of_model, before and before.by_request),
        positions=split.positions,
        curves=attempt("the report's curves of the training", training_curves, model_run) or [],
        training={key: value for key, value in training.items() if isinstance(value, int | float | str)},
        data=log_figures(
            *(artifact_utils.get_single_uri(inputs[key]) for key in ("quarantine", "anomaly_report")),
            data.hierarchy,
        ),
        configuration=given["config"],
        seconds=seconds_by_component(lines),
        artifacts=lines,
    )
    kept = attempt("the report's figures by request", lambda: parquet(judged_requests(split, of_requests, divided)))
    return content, kept


def _look_inside(
    subject: _Subject, split: EvaluatedSplit, label: Feature, nodes: list[Node]
) -> tuple[Experts | None, np.ndarray | None, Importance | None]:
    """What only the ranker itself can tell: its experts, the gates of the nodes, and the importance of features."""
    report, data = subject.report, subject.data
    requests = draw(split.requests, split.lengths, split.evaluated, report.requests, report.seed)
    sample = read_sample(subject.files, requests, data.schema, label, data.transform_output)
    features = sample.features
    one = {name: values[:1] for name, values in features.items()}
    ranker = rebuild(subject.model, data, subject.model_config, one)
    progress.info("experts and gates")
    vectors = gates.node_vectors(ranker, nodes)
    experts = _experts(ranker, features, sample.lengths, vectors, nodes)
    found = importance(
        ranker,
        data.schema,
        features,
        sample.lengths,
        sample.grades,
        # The unknown category last, as in the list of nodes.
        np.where(sample.top > 0, sample.top - 1, len(data.hierarchy.levels[0].keys)),
        [node.name for node in nodes if node.level == 1 and node.path[0]] + [UNKNOWN],
        int(split.evaluated.sum()),
        report.seed,
    )
    return experts, vectors, found


def _experts(
    ranker: Ranker, features: dict, lengths: np.ndarray, vectors: np.ndarray | None, nodes: list[Node]
) -> Experts | None:
    figures = expert_figures(ranker, features, lengths)
    if figures is None:
        return None
    return Experts(
        **vars(figures),
        silhouette=None if vectors is None else gates.silhouette(vectors, nodes),
        shelves=[] if vectors is None else gates.shelves(vectors, nodes),
    )


def _with_gates(categories: list[Category], vectors: np.ndarray, nodes: list[Node], seed: int) -> list[Category]:
    progress.info("the map of the gates")
    places = gates.gate_map(vectors, nodes, seed)
    return [
        category.model_copy(
            update={
                "gate": [round(float(weight), 5) for weight in vector] if np.isfinite(vector[0]) else None,
                "x": float(x) if np.isfinite(x) else None,
                "y": float(y) if np.isfinite(y) else None,
            }
        )
        for category, vector, (x, y) in zip(categories, vectors, places, strict=True)
    ]


def _files(examples: list[types.Artifact], splits: list[str]) -> list[str]:
    """Glob patterns of the splits that are there."""
    there = artifact_utils.decode_split_names(examples[0].split_names)
    return [f"{artifact_utils.get_split_uri(examples, split)}/*" for split in splits if split in there]


def _words(baseline: types.Artifact | None, known: list[types.Artifact]) -> str | None:
    """Which model it is: when it was made, if that is known, and where it lies in its run's folder. Of known ones that
    cannot be compared, why; None if none is known."""
    if baseline is None:
        return "it reads other features than this model, and cannot be compared" if known else None
    place = "/".join(baseline.uri.rstrip("/").split("/")[-3:])
    milliseconds = baseline.mlmd_artifact.create_time_since_epoch
    if not milliseconds:
        return f"the model in {place}"
    made = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return f"the model of {made:%Y-%m-%d %H:%M} UTC in {place}"


def _blessed(blessing: list[types.Artifact]) -> bool:
    return blessing[0].get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE


def _reasons(blessing: list[types.Artifact]) -> list[str]:
    with fileio.open(os.path.join(blessing[0].uri, REASONS_FILE)) as file:
        return json.load(file)
