"""Compiles the pipeline to a job for Vertex AI Pipelines or Kubeflow Pipelines 2, and touches no network.

TFX's runner does the compiling. What it leaves out is added: the defaults of the runtime parameters, and that what
reads from outside the pipeline is not answered from the cache.
"""

import dataclasses
import json
import pathlib
import re

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from rich.table import Table
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from components.click_log_example_gen.spans import NEWEST
from pipeline.config import ConfigError, RunConfig
from pipeline.orchestration import Orchestration
from pipeline.pipeline import Places, create_pipeline
from schemas.log_schema import LogSchema

IMAGE_SCHEMAS = "/aislerank/schemas"  # deploy/Dockerfile
# Their inputs are files that the cache does not look at.
_READ_FROM_OUTSIDE = {"ClickLogExampleGen", "ServingLogExampleGen", "ImportSchemaGen"}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_PROJECT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Target:
    """What a job runs on.

    Attributes:
      pipeline_root: the bucket's folder that gets artifacts, checkpoints and the pushed models.
      image: of deploy/Dockerfile, as the cluster pulls it.
      resolvers: whether the backend finds artifacts of earlier runs. Vertex AI does; Kubeflow Pipelines' own backend
        refuses a job that asks for it, so there a new model is judged alone.
      schema_file: the schema as the image sees it, a path or a URI; needed if it is not in the project's schemas/.
      resources: (processors, gigabytes) by component.
    """

    pipeline_root: str
    image: str
    resolvers: bool = True
    schema_file: str | None = None
    resources: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


def compile_job(config: RunConfig, schema: LogSchema, target: Target) -> dict:
    """Compiles the pipeline of a configuration.

    Args:
      config: as `load_config` gives it.
      schema: of the log.
      target: what the job runs on.

    Returns:
      a PipelineJob as JSON, which follows the messages of kfp-pipeline-spec.

    Raises:
      ConfigError: if the configuration cannot run there.
    """
    _check(config, target)
    parameters = [
        RuntimeParameter("log", str, config.data.path),
        RuntimeParameter("span", int, NEWEST if config.data.span is None else config.data.span),
        RuntimeParameter("epochs", int, config.train.epochs),
    ]
    orchestration = Orchestration(
        resolvers="tfx" if target.resolvers else "none",
        schema_file=target.schema_file or _schema_in_image(config.log_schema),
        **{parameter.name: parameter for parameter in parameters},
    )
    pipeline = create_pipeline(config, schema, Places.below(target.pipeline_root.rstrip("/")), orchestration)
    _set_resources(pipeline.components, target.resources)
    runner_config = KubeflowV2DagRunnerConfig(default_image=target.image, use_pipeline_spec_2_1=True)
    job = KubeflowV2DagRunner(runner_config).run(pipeline, write_out=False)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    for name in _READ_FROM_OUTSIDE & tasks.keys():
        tasks[name]["cachingOptions"] = {"enableCache": False}
    definitions = job["pipelineSpec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    for parameter in parameters:
        if parameter.name in definitions:  # `epochs` is not where the run stops before the training
            definitions[parameter.name] |= {"defaultValue": parameter.default, "isOptional": True}
    validate(job)
    return job


def validate(job: dict) -> pipeline_spec_pb2.PipelineSpec:
    """Reads a job into the messages of the published specification.

    Raises:
      google.protobuf.json_format.ParseError: if it holds what they do not.
    """
    json_format.ParseDict(job, pipeline_spec_pb2.PipelineJob())
    spec = json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    # Both are free-form in the messages above it.
    json_format.ParseDict(job["pipelineSpec"]["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    return spec


def write_job(job: dict, path: pathlib.Path) -> None:
    """Writes a job: all of it as JSON (Vertex AI), or its PipelineSpec alone as YAML (Kubeflow Pipelines' client)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".yaml", ".yml"):
        path.write_text(yaml.safe_dump(job["pipelineSpec"]), encoding="utf-8")
    else:
        path.write_text(json.dumps(job, sort_keys=True, indent=1), encoding="utf-8")


def table(job: dict, path: pathlib.Path) -> Table:
    """What a job consists of, for the screen."""
    spec = job["pipelineSpec"]
    shown = Table(show_header=False, box=None)
    shown.add_row("file", f"{path}, {path.stat().st_size:,} bytes")
    shown.add_row("components", str(len(spec["components"])))
    shown.add_row("tasks", ", ".join(sorted(spec["root"]["dag"]["tasks"])))
    for name, definition in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        shown.add_row("parameter", f"{name} ({definition['parameterType']}) = {definition['defaultValue']!r}")
    shown.add_row("pipeline root", job["runtimeConfig"]["gcsOutputDirectory"])
    return shown


def parse_resources(texts: list[str]) -> dict[str, tuple[float, float]]:
    """Reads "RankerTrainer=8:32", a component's processors and gigabytes.

    Raises:
      ConfigError: naming what is wrong.
    """
    resources = {}
    for text in texts:
        found = re.fullmatch(r"(\w+)=(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", text)
        if not found:
            raise ConfigError(
                f"--resources: needs component=processors:gigabytes, as in RankerTrainer=8:32. Received: {text}"
            )
        resources[found[1]] = float(found[2]), float(found[3])
    return resources


def _set_resources(components: list[BaseNode], resources: dict[str, tuple[float, float]]) -> None:
    by_name = {node.id: node for node in components if isinstance(node, BaseComponent)}
    if unknown := resources.keys() - by_name:
        raise ConfigError(f"--resources: unknown: {', '.join(sorted(unknown))}. Components: {', '.join(by_name)}")
    message = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec
    for name, (processors, gigabytes) in resources.items():
        by_name[name].with_platform_config(message(cpu_limit=processors, memory_limit=gigabytes))


def _check(config: RunConfig, target: Target) -> None:
    if not _NAME.fullmatch(config.name):
        raise ConfigError(
            f"`name`: under Kubeflow, lower-case letters, digits and `-` only (--set name=...). Received: {config.name}"
        )
    if config.data.path is None:
        raise ConfigError(
            "`data.path` is missing: a log is simulated on one's own machine only. Name the folder that the cluster "
            "reads with --data (DATA= in make), as in gs://bucket/log"
        )
    if config.train.warm_start and not target.resolvers:
        raise ConfigError(
            "`train.warm_start` needs a resolver, which --noresolvers leaves out. Take one of the two out"
        )
    for flag, value in (("pipeline_root", target.pipeline_root), ("image", target.image)):
        if not value:
            raise ConfigError(f"--{flag} is missing")


def _schema_in_image(path: str) -> str:
    """Where the image has a schema of the project."""
    schema = pathlib.Path(path).resolve()
    if schema.parent != _PROJECT / "schemas":
        raise ConfigError(
            f"`schema`: {schema} is not in the project's schemas/, which the image holds. Put it there before the "
            "image is built, or name the file as the image sees it with --image_schema=gs://bucket/shop.pbtxt"
        )
    return f"{IMAGE_SCHEMAS}/{schema.name}"
