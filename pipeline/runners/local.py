"""Runs the pipeline on this machine."""

import contextlib
import datetime
import hashlib
import os
import pathlib
from collections.abc import Callable

from tfx.dsl.compiler import constants
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from common.threads import use_cores
from pipeline.config import RunConfig
from pipeline.lineage import NodeRun
from pipeline.pipeline import Places, create_pipeline
from pipeline.run_folder.database import METADATA_FILE, database
from pipeline.run_folder.locks import alone, run_lock
from pipeline.runners.nodes import discard_killed, is_resolver, last_seconds, launch
from pipeline.summary import summarise
from schemas.log_schema import LogSchema


class LocalRunner(LocalDagRunner):
    """TFX's LocalDagRunner, which also says where it is and what each component did.

    Args:
      on_start: called with a component's name, its place from 1, and the number of components.
      on_finish: called with what the component did.
      on_plan: called first, with the names of all components, and the seconds that they took when they were last at
        work, by name.
    """

    def __init__(
        self,
        on_start: Callable[[str, int, int], None] = lambda *_: None,
        on_finish: Callable[[NodeRun], None] = lambda _: None,
        on_plan: Callable[[list[str], dict[str, float]], None] = lambda *_: None,
    ):
        super().__init__()
        self._on_start = on_start
        self._on_finish = on_finish
        self._on_plan = on_plan
        self.node_runs: list[NodeRun] = []

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs the components one after the other and stops at the first that fails.

        TFX's own loop goes on when the inputs of a component cannot be resolved, and tells nobody
        which component is at work, so it stands here anew. No other process may be at work in the pipeline's folder.

        Raises:
          ComponentFailed: naming the component.
        """
        if run_options is not None:
            raise ValueError("partial runs are not offered: what did not change is answered from the cache")
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        )
        components = [node.pipeline_node.node_info.id for node in pipeline.nodes if not is_resolver(node.pipeline_node)]
        self._on_plan(components, last_seconds(pipeline))
        discard_killed(pipeline)
        for node in pipeline.nodes:
            name = node.pipeline_node.node_info.id
            if name in components:
                self._on_start(name, components.index(name) + 1, len(components))
            run = launch(pipeline, node.pipeline_node)
            if name in components:
                self.node_runs.append(run)
                self._on_finish(run)


def run(config: RunConfig, schema: LogSchema, runs_folder: str, runner: LocalRunner) -> dict | None:
    """Runs the pipeline of a configuration below ``runs_folder/<name>``.

    Args:
      config: as `load_config` gives it, with `data.path` set.
      schema: of the log.
      runs_folder: holds a folder for each run.
      runner: reports which component runs.

    Returns:
      the summary, also written to summary.json; None if the runner did not run (`tfx pipeline create`).

    Raises:
      Busy: if another process is at work in the run's folder.
      ComponentFailed: naming the component that failed.
    """
    with alone_in(config, runs_folder):
        folder, config = run_components(config, schema, runs_folder, runner)
        if not runner.node_runs:
            return None
        return summarise(config, schema, runner.node_runs, folder, simulated=config.simulate is not None)


def alone_in(config: RunConfig, runs_folder: str) -> contextlib.AbstractContextManager[None]:
    """Keeps other processes out of a run's folder; raises `Busy` if there is one already."""
    folder = pathlib.Path(runs_folder).resolve() / config.name
    return alone(run_lock(folder), folder)


def run_components(
    config: RunConfig, schema: LogSchema, runs_folder: str, runner: LocalRunner
) -> tuple[pathlib.Path, RunConfig]:
    """Runs the pipeline of a configuration and leaves what the components did in ``runner.node_runs``.

    To be called inside `alone_in`.

    Returns:
      the run's folder, and the configuration with the path of the schema that was read.

    Raises:
      ComponentFailed: naming the component that failed.
    """
    use_cores()
    folder, config = prepare(config, runs_folder)
    runner.run(pipeline_in(folder, config, schema))
    return folder, config


def prepare(config: RunConfig, runs_folder: str) -> tuple[pathlib.Path, RunConfig]:
    """Makes a run's folder, with a copy of the schema.

    Args:
      config: as `load_config` gives it.
      runs_folder: holds a folder for each run.

    Returns:
      the run's folder, and the configuration with the path of the copied schema.
    """
    folder = pathlib.Path(runs_folder).resolve() / config.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder, config.model_copy(update={"log_schema": str(_schema_by_content(folder, config.log_schema))})


def pipeline_in(folder: pathlib.Path, config: RunConfig, schema: LogSchema) -> Pipeline:
    """The pipeline of what `prepare` gave, with all it keeps in the run's folder."""
    connection = database(folder / METADATA_FILE)
    return create_pipeline(config, schema, Places.below(str(folder)), metadata_connection_config=connection)


def _schema_by_content(folder: pathlib.Path, schema: str) -> pathlib.Path:
    """A copy of the schema file whose name follows its content: ImportSchemaGen's cache looks at the name alone."""
    content = pathlib.Path(schema).read_bytes()
    copy = folder / "schemas" / f"{hashlib.sha256(content).hexdigest()[:16]}.pbtxt"
    copy.parent.mkdir(exist_ok=True)
    # Whole at once: tasks of the same run may be at it together.
    temporary = copy.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(copy)
    return copy
