"""Reads from ML Metadata what a component of a run did."""

import dataclasses

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata


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
