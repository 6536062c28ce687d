"""The data of a training: transformed requests, and what Transform and the hierarchy say of them."""

import dataclasses
import functools
from collections.abc import Sequence

import tensorflow_transform as tft

from models.inputs.features import RankerInputs, ranker_inputs
from models.inputs.hierarchy import CategoryHierarchy, hierarchy_folder, read_hierarchy
from schemas.log_schema import LogSchema


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Transformed requests and their meaning. Each file is read at its first use, once.

    Attributes:
      schema: of the log.
      transform_graph: folder of Transform's output, which also holds the category hierarchy.
      train_files, valid_files: glob patterns of the transformed requests.
    """

    schema: LogSchema
    transform_graph: str
    train_files: Sequence[str] = ()
    valid_files: Sequence[str] = ()

    @functools.cached_property
    def transform_output(self) -> tft.TFTransformOutput:
        """The Transform graph and its vocabularies."""
        return tft.TFTransformOutput(self.transform_graph)

    @functools.cached_property
    def hierarchy(self) -> CategoryHierarchy:
        """The category hierarchy that the Transform graph looks categories up in."""
        return read_hierarchy(hierarchy_folder(self.transform_graph))

    @functools.cached_property
    def feature_spec(self) -> dict:
        """The specification that parses a transformed request, see `models.inputs.reading.read_requests`."""
        return self.transform_output.transformed_feature_spec()

    @functools.cached_property
    def inputs(self) -> RankerInputs:
        """The transformed features that a ranker reads."""
        return ranker_inputs(self.schema, self.transform_output, self.hierarchy)
