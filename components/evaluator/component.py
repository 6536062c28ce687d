"""Evaluator: measures scored requests with TFMA and blesses the model by the project's bounds."""

import json
from typing import ClassVar

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import RequestScores
from components.evaluator.config import EvaluationConfig
from components.evaluator.executor import Executor


class EvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of Evaluator."""

    PARAMETERS: ClassVar = {
        "eval_config": component_spec.ExecutionParameter(type=str),
        "bounds": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "scores": component_spec.ChannelParameter(type=RequestScores),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Writes what TFX's Evaluator writes, from scores instead of a model, with bounds that TFMA cannot express.

    TFMA's thresholds are fixed before sizes of slices are known, so that a small category would decide as a large one
    does; they give no reasons in words; and a model's signatures are none of its metrics. This one is a single
    component nonetheless: resolvers take whatever blessing is written for the last word.

    Args:
      scores: of SplitScorer.
      model: the model that was scored.
      baseline_model: the last blessed model, which SplitScorer is given, too; may be empty.
      eval_config: metrics and slices, without thresholds.
      bounds: of the configuration.
      categories: the slicing features whose large values are held to bounds of their own.
      code: fingerprint of the source, so that a change to it is not answered from the cache.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        scores: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        bounds: EvaluationConfig,
        categories: list[str],
        baseline_model: types.BaseChannel | None = None,
        code: str = "",
    ):
        super().__init__(
            spec=EvaluatorSpec(
                scores=scores,
                model=model,
                baseline_model=baseline_model,
                eval_config=proto_utils.proto_to_json(eval_config),
                bounds=json.dumps({"config": bounds.model_dump(), "categories": categories}, sort_keys=True),
                code=code,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
