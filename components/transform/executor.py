"""Hands the hierarchy's folder to preprocessing_fn, and on to whoever reads the transform graph."""

import os
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.transform import executor
from tfx.dsl.io import fileio
from tfx.proto.transform_pb2 import SplitsConfig
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.utils import io_utils, json_utils, proto_utils

from components.timing import timed
from models.inputs.hierarchy import hierarchy_folder


@timed
class Executor(executor.Executor):
    """TFX's executor of Transform, which finds the hierarchy's folder in ``custom_config``."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs Transform, then copies the hierarchy into the transform graph's folder: Trainer takes no more inputs.

        Args:
          input_dict: as TFX's, and ``hierarchy``: one CategoryHierarchy.
          output_dict: as TFX's.
          exec_properties: as TFX's; of ``splits_config`` only what is analysed, since all splits are transformed.
        """
        custom_config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        custom_config["hierarchy"] = artifact_utils.get_single_uri(input_dict["hierarchy"])
        splits = proto_utils.json_to_proto(exec_properties[standard_component_specs.SPLITS_CONFIG_KEY], SplitsConfig())
        for examples in input_dict[standard_component_specs.EXAMPLES_KEY][:1]:
            splits.transform.extend(artifact_utils.decode_split_names(examples.split_names))
        bound = exec_properties | {
            standard_component_specs.CUSTOM_CONFIG_KEY: json_utils.dumps(custom_config),
            standard_component_specs.SPLITS_CONFIG_KEY: proto_utils.proto_to_json(splits),
        }
        inputs = {name: artifacts for name, artifacts in input_dict.items() if name != "hierarchy"}
        graph = artifact_utils.get_single_uri(output_dict[standard_component_specs.TRANSFORM_GRAPH_KEY])
        schema = _copy_of_schema(artifact_utils.get_single_uri(inputs[standard_component_specs.SCHEMA_KEY]), graph)
        super().Do(inputs | {standard_component_specs.SCHEMA_KEY: [schema]}, output_dict, bound)
        fileio.rmtree(schema.uri)
        io_utils.copy_dir(custom_config["hierarchy"], hierarchy_folder(graph))


def always_there(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """The schema of what ingestion writes: one value a request is always there, NaN or "" where the log has none.

    In the log's own schema `presence` says which rows are malformed, and TFX reads no scalar that may be missing.
    """
    found = schema_pb2.Schema()
    found.CopyFrom(schema)
    for feature in found.feature:
        if feature.HasField("shape"):
            feature.presence.min_fraction = 1.0
    return found


def _copy_of_schema(folder: str, graph: str) -> types.Artifact:
    schema = always_there(io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(folder)))
    copy = standard_artifacts.Schema()
    copy.uri = os.path.join(graph, "schema_of_requests")
    io_utils.write_string_file(os.path.join(copy.uri, "schema.pbtxt"), text_format.MessageToString(schema))
    return copy
