"""The last component of the graph, which says what there is to say of a model."""

from collections.abc import Mapping

import yaml
from tfx.types import BaseChannel

from components.model_report.component import ModelReport
from components.model_report.lineage import MADE_BY
from pipeline.config import RunConfig
from pipeline.orchestration import Orchestration
from schemas.log_schema import LogSchema


def model_report(
    config: RunConfig,
    schema: LogSchema,
    training_splits: list[str],
    orchestration: Orchestration,
    codes: Mapping[str, str],
    inputs: Mapping[str, BaseChannel | None],
) -> ModelReport:
    """The component, with what of the configuration is known before a run starts.

    Args:
      config: of the run.
      schema: of the log.
      training_splits: what the model is trained on.
      orchestration: what the orchestrator does its own way.
      codes: fingerprints of the components' source, by id: those of the cache.
      inputs: by the names that `ModelReport` has for them.
    """
    return ModelReport(
        **inputs,
        name=config.name,
        schema=schema,
        config=_configuration(config, orchestration),
        training_splits=training_splits,
        # A configuration that names a log has no simulated one, see `load_config`.
        simulated=config.simulate is not None,
        codes={component: codes[component] for component in MADE_BY.values()},
        code=codes["ModelReport"],
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
