"""Runs one node of a compiled pipeline on this machine: what the runners share."""

import os
import time

from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher
from tfx.proto.orchestration import pipeline_pb2
from tfx.utils import name_utils

from pipeline.lineage import NodeRun, read_node_run

_RETRIES_OF_A_LOCKED_DATABASE = 30


class ComponentFailed(RuntimeError):
    """A component of the pipeline failed; the message names it, the cause is chained."""


def database(folder: str | os.PathLike) -> metadata.ConnectionConfigType:
    """ML Metadata in a run's folder; whoever finds it locked by another process tries again for about a minute."""
    connection = metadata.sqlite_metadata_connection_config(os.path.join(folder, "metadata.sqlite"))
    connection.retry_options.max_num_retries = _RETRIES_OF_A_LOCKED_DATABASE
    return connection


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


def is_resolver(node: pipeline_pb2.PipelineNode) -> bool:
    """Whether a node looks something up in ML Metadata and does no work that could be reused."""
    return node.node_info.type.name == name_utils.get_full_name(Resolver)


def root_cause(error: BaseException) -> BaseException:
    """Beam and TFX wrap what a component raised; the innermost message is the one to read."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
