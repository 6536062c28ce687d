"""The last component of the graph, which says what there is to say of a model."""

from collections.abc import Mapping

import yaml
from tfx.types import BaseChannel

from components.model_report.component import ModelReport
from pipeline.config import RunConfig
from pipeline.fingerprint import source_fingerprint
from pipeline.orchestration import Orchestration

_SOURCES = {
    "ClickLogExampleGen": "components.click_log_example_gen.executor",
    "AnomalyGate": "components.anomaly_gate.executor",
    "CategoryHierarchyGen": "components.category_hierarchy_gen.executor",
    "Transform": "models.inputs.preprocessing",
    "Trainer": "models.training.entry",
    "SplitScorer": "components.split_scorer.executor",
    "Evaluator": "components.evaluator.executor",
}


def model_report(
    config: RunConfig,
    schema_text: str,
    training_splits: list[str],
    orchestration: Orchestration,
    inputs: Mapping[str, BaseChannel],
) -> ModelReport:
    """The component, with what of the configuration is known before a run starts.

    Args:
      config: of the run.
      schema_text: of the log.
      training_splits: what the model is trained on.
      orchestration: what the orchestrator does its own way.
      inputs: by the names that `ModelReport` has for them.
    """
    return ModelReport(
        **inputs,
        name=config.name,
        schema=schema_text,
        config=_configuration(config, orchestration),
        training_splits=training_splits,
        # A configuration that names a log has no simulated one, see `load_config`.
        simulated=config.simulate is not None,
        codes={name: source_fingerprint(module) for name, module in _SOURCES.items()},
        code=source_fingerprint("components.model_report.executor"),
    )


def _configuration(config: RunConfig, orchestration: Orchestration) -> str:
    """YAML, without what is given when a run starts."""
    values = config.model_dump(mode="json", by_alias=True)
    for parameter, section, key in (
        (orchestration.log, "data", "path"),
        (orchestration.span, "data", "span"),
        (orchestration.epochs, "train", "epochs"),
    ):
        if parameter is not None:
            del values[section][key]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
