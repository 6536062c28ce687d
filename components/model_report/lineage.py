"""What a report stands on: its inputs, which component made each, from which source and in what time."""

from collections.abc import Mapping

from tfx import types

from components.timing import seconds_of
from reporting.content import ArtifactLine

# Which component makes an input, in the order of the run.
MADE_BY = {
    "examples": "ClickLogExampleGen",
    "quarantine": "ClickLogExampleGen",
    "statistics": "StatisticsGen",
    "anomaly_report": "AnomalyGate",
    "hierarchy": "CategoryHierarchyGen",
    "transform_graph": "Transform",
    "model": "Trainer",
    "model_run": "Trainer",
    "baseline_model": "Trainer",
    "scores": "SplitScorer",
    "evaluation": "Evaluator",
    "blessing": "Evaluator",
}


def artifact_lines(inputs: Mapping[str, list[types.Artifact]], codes: Mapping[str, str]) -> list[ArtifactLine]:
    """A line for each input, in the order of the run; ``codes`` are fingerprints by component.

    The last blessed model comes from the same component as the new one; which source made it is not known.
    """
    return [
        ArtifactLine(
            component=component,
            key=key,
            type_name=artifact.type_name,
            id=artifact.id,
            uri=artifact.uri,
            seconds=seconds_of(artifact),
            code=None if key == "baseline_model" else codes.get(component),
        )
        for key, component in MADE_BY.items()
        for artifact in inputs.get(key) or []
    ]


def seconds_by_component(lines: list[ArtifactLine]) -> dict[str, float]:
    """Of the components that made this model, as far as they are known."""
    return {line.component: line.seconds for line in lines if line.seconds is not None and line.key != "baseline_model"}
