"""What the DAG file must know of a pipeline, as JSON, so that it imports nothing of the project: `pipeline compile`."""

import json
import os
import pathlib
import sys

from pipeline.config import ConfigError, RunConfig
from pipeline.runners.component import SUMMARY, compile_run
from pipeline.runners.local import prepare
from schemas.log_schema import LogSchema

SUFFIX = ".aislerank.json"
PROJECT = pathlib.Path(__file__).resolve().parents[2]


def write_spec(config: RunConfig, schema: LogSchema, runs_folder: str, flags: list[str], out: str) -> dict:
    """Writes the description of a pipeline's DAG.

    Keys: ``name``; ``project`` (its folder, where the command runs); ``python``; ``arguments`` of the command that are
    the same for all tasks; ``dated``: whether the log's files are chosen by the day; ``airflow``, that section of the
    configuration; ``tasks``: {id: ids of the tasks before it}, in an order in which they can run.

    Args:
      config, schema: as `load_config` gives them, with `data.path` set.
      runs_folder: holds a folder for each configuration's runs.
      flags: what names the configuration on the command line, `--config` and the like.
      out: the file, <name>.aislerank.json in a folder in which the DAG file looks.

    Returns:
      what it wrote.

    Raises:
      ConfigError: if `out` has another ending, or the configuration names a task that the pipeline does not have.
    """
    path = pathlib.Path(out)
    if not path.name.endswith(SUFFIX):
        raise ConfigError(f"--out must end with {SUFFIX}, by which the DAG file finds it. Received: {out!r}")
    tasks = tasks_of(config, schema, runs_folder)
    for key, names in (("wait_for_day_before", config.airflow.wait_for_day_before), ("pools", config.airflow.pools)):
        if unknown := sorted(set(names) - tasks.keys()):
            raise ConfigError(f"`airflow.{key}` must name tasks: {', '.join(tasks)}. Received: {unknown[0]!r}")
    spec = {
        "name": config.name,
        "project": str(PROJECT),
        "python": sys.executable,
        "arguments": ["-m", "pipeline", "component", *flags],
        "dated": config.data.has_spans,
        "airflow": config.airflow.model_dump(mode="json"),
        "tasks": tasks,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(spec, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
    return spec


def tasks_of(config: RunConfig, schema: LogSchema, runs_folder: str) -> dict[str, list[str]]:
    """{component: the components before it} of a configuration's pipeline, and the summary after all of them."""
    folder, config = prepare(config, runs_folder)
    nodes = [node.pipeline_node for node in compile_run(folder, config, schema, "compiled").nodes]
    before = {node.node_info.id: sorted(node.upstream_nodes) for node in nodes}
    followed = {name for names in before.values() for name in names}
    return before | {SUMMARY: sorted(before.keys() - followed)}
