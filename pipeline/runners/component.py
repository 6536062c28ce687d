"""Runs one component in a process of its own, for orchestrators that make a task of each: `pipeline component`.

The components of a run find each other's outputs in ML Metadata by the id of the run.
"""

import pathlib

from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from common.threads import use_cores
from pipeline.config import RunConfig
from pipeline.lineage import find_execution, read_finished_run
from pipeline.run_folder.locks import alone, run_lock
from pipeline.runners.local import pipeline_in, prepare
from pipeline.runners.nodes import ComponentFailed, connection_of, discard_outputs, is_resolver, launch
from pipeline.summary import summarise, summary_file
from schemas.log_schema import LogSchema

SUMMARY = "summary"  # the task after the last component, which is none itself


def compile_run(folder: pathlib.Path, config: RunConfig, schema: LogSchema, run_id: str) -> pipeline_pb2.Pipeline:
    """The pipeline of what `prepare` gave, compiled for one run."""
    compiled = compiler.Compiler().compile(pipeline_in(folder, config, schema))
    runtime_parameter_utils.substitute_runtime_parameter(compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
    return compiled


def run_component(config: RunConfig, schema: LogSchema, runs_folder: str, name: str, run_id: str) -> dict:
    """Runs one component of a run, or writes the summary after the last.

    May be called again for the same component and run. What succeeded is not done again; what an attempt that was
    killed left behind is removed before the next begins, except for the training's checkpoints, from which it goes on.
    Other components of the run may be at work in other processes. If this one is, its end is waited for: a worker of
    the orchestrator can die and its task be tried again while the process that it started lives on.

    Args:
      config, schema: as `load_config` gives them, with `data.path` set.
      runs_folder: holds a folder for each configuration's runs.
      name: a component's id, or `SUMMARY`.
      run_id: the same for all components of a run, and for no other run.

    Returns:
      ``component``, ``state``, ``seconds``, and ``outputs``: URI by key.

    Raises:
      ValueError: if the configuration's pipeline has no such component.
      Busy: if `python -m pipeline run` is at work in the same folder.
      ComponentFailed: naming the component and the cause.
    """
    use_cores()
    folder = pathlib.Path(runs_folder).resolve() / config.name
    with (
        alone(run_lock(folder), folder, shared=True),
        alone(folder / "locks" / name, name, wait=True),
    ):
        folder, config = prepare(config, runs_folder)
        compiled = compile_run(folder, config, schema, run_id)
        if name == SUMMARY:
            return _summarise(config, schema, compiled, folder)
        nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled.nodes}
        if name not in nodes:
            raise ValueError(
                f"--id must be one of {', '.join(nodes)}, {SUMMARY}, as the configuration is now. Received: {name!r}. "
                "If the configuration changed since the tasks were compiled, compile them again"
            )
        _discard_unfinished(compiled, nodes[name])
        done = launch(compiled, nodes[name])
    return {"component": name, "state": done.state, "seconds": round(done.seconds, 2), "outputs": done.outputs}


def _summarise(config: RunConfig, schema: LogSchema, compiled: pipeline_pb2.Pipeline, folder: pathlib.Path) -> dict:
    runs = []
    for node in (node.pipeline_node for node in compiled.nodes):
        if is_resolver(node):
            continue
        done = read_finished_run(connection_of(compiled), node)
        if done is None:
            raise ComponentFailed(f"{SUMMARY} failed: {node.node_info.id} has not succeeded in this run")
        runs.append(done)
    summarise(config, schema, runs, folder, simulated=config.simulate is not None)
    return {"component": SUMMARY, "state": "complete", "outputs": {"summary": str(summary_file(folder, config))}}


def _discard_unfinished(compiled: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode) -> None:
    """Removes what an earlier attempt in this run wrote: TFX gives the next the same folders and leaves them as they
    are, so shards of both would be read together."""
    with metadata.Metadata(connection_of(compiled)) as handle:
        execution = find_execution(handle, node)
    if execution is not None and not is_resolver(node) and not execution_lib.is_execution_successful(execution):
        discard_outputs(compiled, node, execution.id)
