"""Runs one node of a compiled pipeline on this machine: what the runners share."""

import os
import time

from ml_metadata import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, outputs_utils
from tfx.proto.orchestration import pipeline_pb2
from tfx.utils import name_utils

from common.progress import progress
from pipeline.lineage import NodeRun, read_node_run

_LOOKED_BACK = 20  # executions of a node, for one that was not answered from the cache


class ComponentFailed(RuntimeError):
    """A component of the pipeline failed; the message names it, the cause is chained."""


def connection_of(pipeline: pipeline_pb2.Pipeline):
    """How the pipeline's ML Metadata is reached."""
    config = runner_utils.extract_local_deployment_config(pipeline).metadata_connection_config
    return getattr(config, config.WhichOneof("connection_config"))


def launch(pipeline: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode) -> NodeRun:
    """Runs a node: its driver, its executor unless the cache answers, its publisher.

    Args:
      pipeline: compiled, its run id filled in.
      node: one of its nodes, all of whose upstream nodes have run under the same run id.

    Raises:
      ComponentFailed: naming the component and the innermost cause.
    """
    name = node.node_info.id
    deployment = runner_utils.extract_local_deployment_config(pipeline)
    connection = connection_of(pipeline)
    began = time.monotonic()
    try:
        execution = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
        ).launch()
    except Exception as error:
        raise ComponentFailed(f"{name} failed: {root_cause(error)}") from error
    run = read_node_run(connection, name, execution.execution_id, time.monotonic() - began)
    if run.failed:
        raise ComponentFailed(f"{name} failed: its inputs could not be resolved")
    return run


def last_seconds(pipeline: pipeline_pb2.Pipeline) -> dict[str, float]:
    """How long each node took when it was last at work and came to its end; without those that never did."""
    newest_first = ListOptions(limit=_LOOKED_BACK, order_by=OrderByField.CREATE_TIME, is_asc=False)
    found = {}
    with metadata.Metadata(connection_of(pipeline)) as handle:
        for node in (node.pipeline_node for node in pipeline.nodes):
            name = node.node_info.id
            context = handle.store.get_context_by_type_and_name("node", f"{pipeline.pipeline_info.id}.{name}")
            done = handle.store.get_executions_by_context(context.id, newest_first) if context else []
            for execution in done:
                if execution.last_known_state == metadata_store_pb2.Execution.COMPLETE:
                    spent = execution.last_update_time_since_epoch - execution.create_time_since_epoch
                    found[name] = spent / 1000
                    break
    return found


def discard_killed(pipeline: pipeline_pb2.Pipeline) -> None:
    """Removes what runs that were killed wrote and nobody will read; to be called while no other process is at work.

    Their executions, which ML Metadata still has as running, are set to cancelled.
    """
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in pipeline.nodes}
    with metadata.Metadata(connection_of(pipeline)) as handle:
        store = handle.store
        for name, node in nodes.items():
            context = store.get_context_by_type_and_name("node", f"{pipeline.pipeline_info.id}.{name}")
            found = store.get_executions_by_context(context.id) if context else []
            killed = [one for one in found if one.last_known_state == metadata_store_pb2.Execution.RUNNING]
            for execution in killed:
                discard_outputs(pipeline, node, execution.id)
                execution.last_known_state = metadata_store_pb2.Execution.CANCELED
            if killed:
                store.put_executions(killed)


def discard_outputs(pipeline: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode, execution: int) -> None:
    """Removes what an execution that did not finish has written."""
    places = outputs_utils.OutputsResolver(node, pipeline.pipeline_info, pipeline.runtime_spec)
    outputs = places.generate_output_artifacts(execution).values()
    folders = [artifact.uri for artifacts in outputs for artifact in artifacts]
    for uri in (*folders, os.path.dirname(places.get_executor_output_uri(execution))):
        if fileio.exists(uri):
            progress.warning("an earlier attempt did not finish: removing %s", uri)
            fileio.rmtree(uri)


def is_resolver(node: pipeline_pb2.PipelineNode) -> bool:
    """Whether a node looks something up in ML Metadata and does no work that could be reused."""
    return node.node_info.type.name == name_utils.get_full_name(Resolver)


def root_cause(error: BaseException) -> BaseException:
    """Beam and TFX wrap what a component raised; the innermost message is the one to read."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
