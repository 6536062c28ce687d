"""ModelReport: one page on a model, where it is good and why."""

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import AnomalyReport, CategoryHierarchy, Quarantine, RequestScores
from components.artifacts import ModelReport as Report
from components.model_report.executor import Executor
from schemas.log_schema import LogSchema


class ModelReportSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of ModelReport."""

    PARAMETERS: ClassVar = {
        "name": component_spec.ExecutionParameter(type=str),
        "schema": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
        "training_splits": component_spec.ExecutionParameter(type=str),
        "simulated": component_spec.ExecutionParameter(type=int),
        "codes": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "quarantine": component_spec.ChannelParameter(type=Quarantine),
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomaly_report": component_spec.ChannelParameter(type=AnomalyReport),
        "hierarchy": component_spec.ChannelParameter(type=CategoryHierarchy),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "scores": component_spec.ChannelParameter(type=RequestScores),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS: ClassVar = {"report": component_spec.ChannelParameter(type=Report)}


class ModelReport(base_component.BaseComponent):
    """Says of a model, blessed or not, how good it is, where, and why; docs/report.md.

    Args:
      examples, quarantine: of ClickLogExampleGen.
      statistics: of StatisticsGen, for the lineage.
      anomaly_report: of AnomalyGate.
      hierarchy: of CategoryHierarchyGen.
      transform_graph: of Transform.
      model, model_run: of Trainer.
      baseline_model: the last blessed model, which SplitScorer is given, too; may be empty.
      scores: of SplitScorer.
      evaluation, blessing: of Evaluator.
      name: of the run.
      schema: of the log.
      config: the run's configuration as YAML.
      training_splits: what the model was trained on, popularity is counted on.
      simulated: whether the log is made up by this project.
      codes: fingerprints of the source of the components, by id.
      code: of this one, so that a change to it is not answered from the cache.
    """

    SPEC_CLASS = ModelReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        quarantine: types.BaseChannel,
        statistics: types.BaseChannel,
        anomaly_report: types.BaseChannel,
        hierarchy: types.BaseChannel,
        transform_graph: types.BaseChannel,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        scores: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        name: str,
        schema: LogSchema,
        config: str,
        baseline_model: types.BaseChannel | None = None,
        training_splits: Sequence[str] = ("train",),
        simulated: bool = False,
        codes: Mapping[str, str] | None = None,
        code: str = "",
    ):
        super().__init__(
            spec=ModelReportSpec(
                examples=examples,
                quarantine=quarantine,
                statistics=statistics,
                anomaly_report=anomaly_report,
                hierarchy=hierarchy,
                transform_graph=transform_graph,
                model=model,
                model_run=model_run,
                baseline_model=baseline_model,
                scores=scores,
                evaluation=evaluation,
                blessing=blessing,
                name=name,
                schema=schema.text,
                config=config,
                training_splits=json.dumps(list(training_splits)),
                simulated=int(simulated),
                codes=json.dumps(dict(codes or {})),
                code=code,
                report=types.Channel(type=Report),
            )
        )
