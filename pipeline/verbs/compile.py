"""compile: write what an orchestrator needs to run the pipeline."""

import os
import pathlib

from absl import flags
from absl import logging as absl_logging

from pipeline.verbs.common import CONFIG, DATA, OUT, RUNS, SET, Refused

_TARGET = flags.DEFINE_enum("target", None, ["airflow", "kubeflow"], "For which orchestrator.")
_PIPELINE_ROOT = flags.DEFINE_string(
    "pipeline_root", None, "Kubeflow: the bucket's folder for artifacts, checkpoints and the pushed models."
)
_IMAGE = flags.DEFINE_string("image", None, "Kubeflow: the image of deploy/Dockerfile, with its tag.")
_RESOLVERS = flags.DEFINE_bool(
    "resolvers",
    True,
    "Kubeflow: compare a new model with the last blessed one. Vertex AI can; Kubeflow Pipelines' own backend "
    "refuses such a job.",
)
_IMAGE_SCHEMA = flags.DEFINE_string(
    "image_schema", None, "Kubeflow: the schema as the image sees it, if it is not in the project's schemas/."
)
_RESOURCES = flags.DEFINE_list(
    "resources", [], "Kubeflow: processors and gigabytes of a component, as in Trainer=8:32; the cluster's."
)


def compile_pipeline() -> None:
    """Writes the form that the chosen orchestrator takes."""
    if not OUT.value or not _TARGET.value:
        raise Refused("compile needs --target=airflow or --target=kubeflow, and --out=<file>")
    {"airflow": _compile_for_airflow, "kubeflow": _compile_for_kubeflow}[_TARGET.value]()


def _compile_for_kubeflow() -> None:
    from pipeline.config import ConfigError, load_config
    from pipeline.terminal.console import quiet

    path = pathlib.Path(OUT.value)
    try:
        # The log is where the cluster reads it: whether it is there cannot be seen from here.
        config, schema = load_config(CONFIG.value, SET.value, DATA.value, needs_log=False)
        with quiet(os.devnull) as (out, _):
            from pipeline.runners import kubeflow

            resources = kubeflow.parse_resources(_RESOURCES.value)
            target = kubeflow.Target(
                _PIPELINE_ROOT.value, _IMAGE.value, _RESOLVERS.value, _IMAGE_SCHEMA.value, resources
            )
            job = kubeflow.compile_job(config, schema, target)
            kubeflow.write_job(job, path)
            out.print(kubeflow.table(job, path))
    except (ConfigError, RuntimeError, OSError) as error:
        raise Refused(str(error)) from error


def _compile_for_airflow() -> None:
    from pipeline.config import ConfigError, load_config

    try:
        config, schema = load_config(CONFIG.value, SET.value, DATA.value)
        absl_logging.set_verbosity(absl_logging.WARNING)
        from pipeline.runners.airflow_spec import write_spec
        from pipeline.simulation.log import with_log

        arguments = _flags_of_the_run(config.data.path)
        config = with_log(config, RUNS.value, write=False)
        spec = write_spec(config, schema, os.path.abspath(RUNS.value), arguments, OUT.value)
    except (ConfigError, RuntimeError) as error:
        raise Refused(str(error)) from error
    print(f"{OUT.value}: {len(spec['tasks'])} tasks")


def _flags_of_the_run(data: str | None) -> list[str]:
    """The flags that say what is run, for a process in the project's folder: other files by absolute path.

    Args:
      data: the log's folder, as `load_config` found it from this process' folder.
    """
    project = pathlib.Path(__file__).resolve().parents[2]

    def place(path: str) -> str:
        absolute = pathlib.Path(os.path.abspath(path))
        return str(absolute.relative_to(project) if absolute.is_relative_to(project) else absolute)

    if data and "://" not in data:
        data = place(data)
    return [
        f"--config={place(CONFIG.value)}",
        f"--runs={place(RUNS.value)}",
        *([f"--data={data}"] if data else []),
        *(f"--set={override}" for override in SET.value),
    ]
