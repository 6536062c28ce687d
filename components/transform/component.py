"""Transform with the category hierarchy as one more input."""

from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.proto.transform_pb2 import SplitsConfig
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.artifacts import CategoryHierarchy
from components.transform.executor import Executor
from schemas.log_schema import LogSchema

PREPROCESSING_FN = "models.inputs.preprocessing.preprocessing_fn"


class TransformSpec(component_spec.ComponentSpec):
    """TFX's spec of Transform, and the hierarchy."""

    PARAMETERS = standard_component_specs.TransformSpec.PARAMETERS
    INPUTS = {
        **standard_component_specs.TransformSpec.INPUTS,
        "hierarchy": component_spec.ChannelParameter(type=CategoryHierarchy),
    }
    OUTPUTS = standard_component_specs.TransformSpec.OUTPUTS


class Transform(base_beam_component.BaseBeamComponent):
    """TFX's Transform, whose preprocessing_fn also reads a CategoryHierarchy artifact.

    TFX's own takes no further artifact; with the path in a parameter instead there would be no edge
    of lineage, and no rerun when the hierarchy changes.

    Args:
      examples: requests; all splits are transformed.
      schema: the artifact of ImportSchemaGen.
      hierarchy: of the query's categories.
      log_schema: the same schema, whose text preprocessing_fn reads.
      analysed_splits: those that vocabularies, means and variances are of.
      code: fingerprint of the source of preprocessing_fn, so that a change to it is not answered from the cache.
    """

    SPEC_CLASS = TransformSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        hierarchy: types.BaseChannel,
        log_schema: LogSchema,
        analysed_splits: Sequence[str] = ("train",),
        code: str = "",
    ):
        transformed_examples = types.Channel(type=standard_artifacts.Examples)
        transformed_examples.matching_channel_name = "examples"
        super().__init__(
            spec=TransformSpec(
                examples=examples,
                schema=schema,
                hierarchy=hierarchy,
                preprocessing_fn=PREPROCESSING_FN,
                custom_config=json_utils.dumps({"schema": log_schema.text, "code": code}),
                splits_config=SplitsConfig(analyze=analysed_splits),  # the executor adds which to transform
                # The raw requests have statistics already; the transformed ones would double Transform's time.
                disable_statistics=1,
                force_tf_compat_v1=0,
                transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
                transformed_examples=transformed_examples,
            )
        )
