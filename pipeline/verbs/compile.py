"""compile: write what an orchestrator needs to run the pipeline."""

import argparse
import os
import pathlib

from absl import logging as absl_logging

from pipeline.verbs.parser import Parser, Refused, add_run_flags, comma_list, load


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.description += (
        " For Airflow, --out is <folder of DAGs>/<name>.aislerank.json (docs/airflow.md). For Kubeflow it is a .json "
        "or .yaml file (docs/kubeflow.md)."
    )
    add_run_flags(parser)
    parser.add_argument("--target", choices=["airflow", "kubeflow"], help="The orchestrator.")
    parser.add_argument("--out", help="The file to write.")
    parser.add_argument(
        "--pipeline_root", help="Kubeflow: the bucket's folder for artifacts, checkpoints and the pushed models."
    )
    parser.add_argument("--image", help="Kubeflow: the image of deploy/Dockerfile, with its tag.")
    parser.add_boolean(
        "resolvers",
        True,
        "Kubeflow: compare a new model with the last blessed one. Vertex AI can; Kubeflow Pipelines' own backend "
        "refuses such a job.",
    )
    parser.add_argument(
        "--image_schema", help="Kubeflow: the schema's path in the image, if it is not in the project's schemas/."
    )
    parser.add_argument(
        "--resources",
        type=comma_list,
        default=[],
        help="Kubeflow: processors and gigabytes of components, for example RankerTrainer=8:32,Transform=4:16; without "
        "the flag, the cluster's defaults.",
    )


def compile_pipeline(flags: argparse.Namespace) -> None:
    """Writes the file of the chosen orchestrator."""
    if not flags.out or not flags.target:
        raise Refused("compile needs --target=airflow or --target=kubeflow, and --out=<file>")
    {"airflow": _compile_for_airflow, "kubeflow": _compile_for_kubeflow}[flags.target](flags)


def _compile_for_kubeflow(flags: argparse.Namespace) -> None:
    from pipeline.config import ConfigError
    from pipeline.terminal.console import quiet

    path = pathlib.Path(flags.out)
    # Only the cluster can see whether the log is there.
    config, schema = load(flags, needs_log=False)
    try:
        with quiet(os.devnull) as (out, _):
            from pipeline.runners import kubeflow

            resources = kubeflow.parse_resources(flags.resources)
            target = kubeflow.Target(flags.pipeline_root, flags.image, flags.resolvers, flags.image_schema, resources)
            job = kubeflow.compile_job(config, schema, target)
            kubeflow.write_job(job, path)
            out.print(kubeflow.table(job, path))
    except (ConfigError, RuntimeError, OSError) as error:
        raise Refused(str(error)) from error


def _compile_for_airflow(flags: argparse.Namespace) -> None:
    from pipeline.config import ConfigError

    config, schema = load(flags)
    try:
        absl_logging.set_verbosity(absl_logging.WARNING)
        from pipeline.runners.airflow_spec import write_spec
        from pipeline.simulation.log import with_log

        arguments = _flags_of_the_run(flags, config.data.path)
        config = with_log(config, flags.runs, write=False)
        spec = write_spec(config, schema, os.path.abspath(flags.runs), arguments, flags.out)
    except (ConfigError, RuntimeError) as error:
        raise Refused(str(error)) from error
    print(f"{flags.out}: {len(spec['tasks'])} tasks")


def _flags_of_the_run(flags: argparse.Namespace, data: str | None) -> list[str]:
    """The flags that name the run, for a process in the project's folder. Files elsewhere get absolute paths.

    Args:
      flags: the flags of this process.
      data: the log's folder, as `load_config` found it from this process' folder.
    """
    project = pathlib.Path(__file__).resolve().parents[2]

    def place(path: str) -> str:
        absolute = pathlib.Path(os.path.abspath(path))
        return str(absolute.relative_to(project) if absolute.is_relative_to(project) else absolute)

    if data and "://" not in data:
        data = place(data)
    return [
        f"--config={place(flags.config)}",
        f"--runs={place(flags.runs)}",
        *([f"--data={data}"] if data else []),
        *(f"--set={override}" for override in flags.set),
    ]
