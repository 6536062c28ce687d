"""CategoryHierarchyGen: from the requests' category paths to a tree of categories."""

import json
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import CategoryHierarchy
from components.category_hierarchy_gen.config import HierarchyConfig
from components.category_hierarchy_gen.executor import Executor
from schemas.log_schema import LogSchema


class CategoryHierarchyGenSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of CategoryHierarchyGen."""

    PARAMETERS: ClassVar = {
        "schema": component_spec.ExecutionParameter(type=str),
        "splits": component_spec.ExecutionParameter(type=str),
        "min_count": component_spec.ExecutionParameter(type=int),
        "conflicts": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS: ClassVar = {"hierarchy": component_spec.ChannelParameter(type=CategoryHierarchy)}


class CategoryHierarchyGen(base_beam_component.BaseBeamComponent):
    """Counts the requests of each category path and builds the tree: a vocabulary a level, and each child's parent.

    The output ``hierarchy`` (files: models/inputs/hierarchy.py) gives Transform the ids of the categories, and the
    model the sizes of its gates. Names that are empty, hold a line break, stand under two parents, have lost
    their parent or are their own ancestors are in its ``report.json``.

    Args:
      examples: requests, with one category name a level.
      schema: of the log, whose features of role:category are the levels.
      hierarchy: minimum count and the rule for a child under two parents.
      splits: the splits that are counted; only what is trained on, unless there is a reason.
      code: fingerprint of the source, so that a change to it is not answered from the cache.
    """

    SPEC_CLASS = CategoryHierarchyGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: LogSchema,
        hierarchy: HierarchyConfig,
        splits: tuple[str, ...] = ("train",),
        code: str = "",
    ):
        super().__init__(
            spec=CategoryHierarchyGenSpec(
                examples=examples,
                schema=schema.text,
                splits=json.dumps(list(splits)),
                min_count=hierarchy.min_count,
                conflicts=hierarchy.conflicts,
                code=code,
                hierarchy=types.Channel(type=CategoryHierarchy),
            )
        )
