"""BulkScorer: requests that stand in files are scored by a SavedModel."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import Scores
from components.bulk_scorer.executor import Executor
from schemas.log_schema import LogSchema


class BulkScorerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of BulkScorer."""

    PARAMETERS: ClassVar = {
        "model": component_spec.ExecutionParameter(type=str),
        "model_version": component_spec.ExecutionParameter(type=int),
        "schema": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS: ClassVar = {"scores": component_spec.ChannelParameter(type=Scores)}


class BulkScorer(base_beam_component.BaseBeamComponent):
    """Scores all requests of all splits with a pushed model and writes Parquet, a row an item.

    TFX's own BulkInferrer, and tfx_bsl's RunInference below it, fail on a signature that answers with one string a
    request, as ours does with its `request_ids`; and the latter puts up to 10,000 requests into a batch and cannot be
    told otherwise.

    Args:
      examples: requests as ClickLogExampleGen writes them; labels are not looked at and need not be there.
      model: the folder of a SavedModel with the signature `serving_default` of models/export/signatures.py.
      model_version: its number, which is written beside each score.
      schema: of the examples.
      code: fingerprint of the source, so that a change to it is not answered from the cache.
    """

    SPEC_CLASS = BulkScorerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, examples: types.BaseChannel, model: str, model_version: int, schema: LogSchema, code: str = ""):
        super().__init__(
            spec=BulkScorerSpec(
                examples=examples,
                model=model,
                model_version=model_version,
                schema=schema.text,
                code=code,
                scores=types.Channel(type=Scores),
            )
        )
