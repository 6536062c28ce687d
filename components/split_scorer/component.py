"""SplitScorer: a labelled split is scored once by the model and once by the last blessed one."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import RequestScores
from components.split_scorer.executor import Executor
from schemas.log_schema import LogSchema


class SplitScorerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of SplitScorer."""

    PARAMETERS: ClassVar = {
        "split": component_spec.ExecutionParameter(type=str),
        "label": component_spec.ExecutionParameter(type=str),
        "schema": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {"scores": component_spec.ChannelParameter(type=RequestScores)}


class SplitScorer(base_beam_component.BaseBeamComponent):
    """Scores a split through the signature that is served; Evaluator and ModelReport read the scores.

    Args:
      examples: requests as ClickLogExampleGen writes them.
      transform_graph: of Transform; it gives the ids of the category path.
      model: of Trainer.
      baseline_model: the last blessed model; may be empty.
      split: the split to score.
      label: name of the label that the model is evaluated by.
      schema: of the log.
      code: fingerprint of the source, so that a change to it is not answered from the cache.
    """

    SPEC_CLASS = SplitScorerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        model: types.BaseChannel,
        label: str,
        schema: LogSchema,
        baseline_model: types.BaseChannel | None = None,
        split: str = "test",
        code: str = "",
    ):
        super().__init__(
            spec=SplitScorerSpec(
                examples=examples,
                transform_graph=transform_graph,
                model=model,
                baseline_model=baseline_model,
                split=split,
                label=label,
                schema=schema.text,
                code=code,
                scores=types.Channel(type=RequestScores),
            )
        )
