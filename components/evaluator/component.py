"""Evaluator, which blesses by the project's own bounds."""

import json

from tfx.components.evaluator import component
from tfx.dsl.components.base import executor_spec

from components.evaluator.config import EvaluationConfig
from components.evaluator.executor import BOUNDS, Executor


class Evaluator(component.Evaluator):
    """TFX's Evaluator with bounds that TFMA's thresholds cannot express.

    TFMA's thresholds are fixed before sizes of slices are known, so that a small category would decide as a large one
    does; they give no reasons in words; and a model's signatures are none of its metrics. This one is a single
    component nonetheless: resolvers take whatever blessing is written for the last word.

    Args:
      bounds: of the configuration.
      categories: the slicing features whose large values are held to bounds of their own.
      code: fingerprint of the source, so that a change to it is not answered from the cache.
      **arguments: TFX's; ``eval_config`` without thresholds.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, bounds: EvaluationConfig, categories: list[str], code: str = "", **arguments):
        super().__init__(**arguments)
        # TFX's Evaluator makes its own spec; its parameters are checked when a spec is made, and kept here.
        given = {"config": bounds.model_dump(), "categories": categories}
        self.spec.exec_properties |= {BOUNDS: json.dumps(given, sort_keys=True), "code": code}
