"""Reads from ML Metadata what a component of a run did."""

import dataclasses

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable.mlmd import context_lib, execution_lib
from tfx.proto.orchestration import pipeline_pb2


@dataclasses.dataclass(frozen=True)
class NodeRun:
    """One execution of one component.

    Attributes:
      name: the component's id.
      state: "complete", "cached" or another of ML Metadata's states in lower case.
      seconds: wall time, driver and publisher included.
      outputs: URI by output key.
      properties: custom properties by output key.
    """

    name: str
    state: str
    seconds: float
    outputs: dict[str, str]
    properties: dict[str, dict[str, int | float | str]]

    @property
    def cached(self) -> bool:
        """Whether an earlier run's outputs were used."""
        return self.state == "cached"

    @property
    def failed(self) -> bool:
        """Whether it ended without an exception and yet without success."""
        return self.state not in ("complete", "cached")


def read_node_run(connection, name: str, execution_id: int | None, seconds: float) -> NodeRun:
    """What the execution ``execution_id`` of component ``name`` did."""
    if execution_id is None:
        return NodeRun(name, "skipped", seconds, {}, {})
    with metadata.Metadata(connection) as handle:
        store = handle.store
        [execution] = store.get_executions_by_id([execution_id])
        keys = {
            event.artifact_id: event.path.steps[0].key
            for event in store.get_events_by_execution_ids([execution_id])
            if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT)
        }
        artifacts = store.get_artifacts_by_id(list(keys)) if keys else []
    state = metadata_store_pb2.Execution.State.Name(execution.last_known_state).lower()
    return NodeRun(
        name,
        state,
        seconds,
        {keys[artifact.id]: artifact.uri for artifact in artifacts},
        {keys[artifact.id]: _properties(artifact) for artifact in artifacts},
    )


def _properties(artifact: metadata_store_pb2.Artifact) -> dict[str, int | float | str]:
    return {
        name: getattr(value, kind)
        for name, value in artifact.custom_properties.items()
        if (kind := value.WhichOneof("value")) in ("int_value", "double_value", "string_value")
    }


def find_execution(handle: metadata.Metadata, node: pipeline_pb2.PipelineNode) -> metadata_store_pb2.Execution | None:
    """The newest execution of a node in the run whose id the compiled node holds; None before the first."""
    contexts = context_lib.prepare_contexts(handle, node.contexts)
    executions = execution_lib.get_executions_associated_with_all_contexts(handle, contexts)
    return max(executions, key=lambda execution: execution.id, default=None)


def read_finished_run(connection, node: pipeline_pb2.PipelineNode) -> NodeRun | None:
    """What a node did in its run, seconds counted from its first attempt; None if it has not succeeded."""
    with metadata.Metadata(connection) as handle:
        execution = find_execution(handle, node)
    if execution is None or not execution_lib.is_execution_successful(execution):
        return None
    milliseconds = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return read_node_run(connection, node.node_info.id, execution.id, milliseconds / 1000)
