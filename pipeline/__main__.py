"""python -m pipeline <verb>: see `python -m pipeline --help`."""

import contextlib
import json
import logging
import os
import pathlib
import shlex
import sys

from absl import app, flags
from absl import logging as absl_logging

_VERBS = {
    "run": "ingest a log, train a ranker, evaluate it and push it if it is blessed",
    "tune": "search for the hyperparameters with the best session AUC on the validation split",
    "ablation": "train variants over several seeds on the same transformed requests and compare them",
    "score": "score a folder of raw requests with a pushed model, without a server",
    "serve": "serve the newest pushed model over gRPC and REST",
    "compile": "write what an orchestrator needs to run the pipeline",
    "component": "run one component of a pipeline, as the tasks of an orchestrator do",
    "simulate": "write the demo log",
}
_USAGE = """python -m pipeline <verb> [flags]

  run        {run}
             --config=<yaml> [--data=<folder>] [--set model.experts=16]... [--runs=runs]
  tune       {tune}
             flags as of run; the section `tune` of the configuration says what is searched
  ablation   {ablation}
             --variants="dnn,moe,strong=hsc_moe;hsc_weight=1;train.epochs=5" --seeds=1,2,3
             [--baselines=dnn,moe] [--among=item_sub_category=sub_category] [--held_out_leaves=0.1],
             and the flags of run.
             What is trained already is reused. Writes runs/<name>/ablation/report.md, CSV, JSON and plots.
  score      {score}
             --input=<folder> --output=<folder> [--version=<pushed version>] [--overwrite], and
             --config, --data, --set, --runs as of run. No label and no position is read. Writes Parquet.
  serve      {serve}
             --config=<yaml> [--runs=runs] [--backend=auto|tensorflow_model_server|docker|development]
             [--host=127.0.0.1] [--port=8500] [--rest_port=8501]
  compile    {compile}
             --target=airflow --out=<folder of DAGs>/<name>.aislerank.json, and
             --config, --data, --set, --runs as of run. See docs/airflow.md
             --target=kubeflow --pipeline_root=gs://bucket/demo --image=<image> --out=<file.json|yaml>
             [--noresolvers] [--image_schema=<path or URI>] [--resources=Trainer=8:32,Transform=4:16],
             and --config, --data, --set as of run. See docs/kubeflow.md
  component  {component}
             --id=Trainer --run_id=<the same for all components of a run> [--span=19723], and
             --config, --data, --set, --runs as of run. Prints state, seconds and outputs as JSON.
  simulate   {simulate}
             --out=<folder> [--rows=1000000] [--seed=1] [--format=csv|parquet]
             [--nocategory_taste] [--noinheritance] [--nouser_taste]
             [--days=10 [--drift=0.2] [--new_categories=0.2]]: a file a day, of a shop that changes
""".format(**_VERBS)

_CONFIG = flags.DEFINE_string("config", "pipeline/configs/demo.yaml", "The run's YAML file.")
_DATA = flags.DEFINE_string("data", None, "The folder of the log; stands in for `data.path`.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in model.experts=16; repeatable.")
_RUNS = flags.DEFINE_string("runs", "runs", "The folder that holds a folder for each run.")
_VARIANTS = flags.DEFINE_string(
    "variants",
    "dnn,moe,adv_moe,hsc_moe,adv_hsc_moe",
    "ablation: names of `model.variant`, or label=variant;key=value;.. with keys of the section model, or train.<key>.",
)
_SEEDS = flags.DEFINE_string("seeds", "1,2,3", "ablation: the seeds that each variant is trained with.")
_BASELINES = flags.DEFINE_list(
    "baselines", [], "ablation: labels of the variants that all are compared with; dnn and moe unless named."
)
_AMONG = flags.DEFINE_string(
    "among", None, "ablation: <item feature>=<request feature>: judge among the candidates in which they are equal."
)
_HELD_OUT_LEAVES = flags.DEFINE_float(
    "held_out_leaves",
    0.0,
    "ablation: hide this share of the leaf categories from the training, and judge on their requests, leaf unknown.",
    lower_bound=0.0,
    upper_bound=0.9,
)
_INPUT = flags.DEFINE_string("input", None, "score: the folder of the raw requests, in the form that `data` describes.")
_OUTPUT = flags.DEFINE_string("output", None, "score: the folder to write the scores to.")
_VERSION = flags.DEFINE_integer("version", None, "score: the pushed version to score with; the newest unless given.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "score: replace other scores that stand in the output folder.")
_BACKEND = flags.DEFINE_enum(
    "backend",
    "auto",
    ["auto", "tensorflow_model_server", "docker", "development"],
    "serve: by what; auto takes TF Serving if it is on PATH, its image where docker runs, or the development server.",
)
_HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "serve: where the ports open; tensorflow_model_server opens them on all addresses of the machine.",
)
_PORT = flags.DEFINE_integer("port", 8500, "serve: gRPC's port.", lower_bound=0)
_REST_PORT = flags.DEFINE_integer("rest_port", 8501, "serve: REST's port.", lower_bound=0)
_OUT = flags.DEFINE_string("out", None, "simulate: the folder to write; compile: the file.")
_TARGET = flags.DEFINE_enum("target", None, ["airflow", "kubeflow"], "compile: for which orchestrator.")
_PIPELINE_ROOT = flags.DEFINE_string(
    "pipeline_root", None, "compile, kubeflow: the bucket's folder for artifacts, checkpoints and the pushed models."
)
_IMAGE = flags.DEFINE_string("image", None, "compile, kubeflow: the image of deploy/Dockerfile, with its tag.")
_RESOLVERS = flags.DEFINE_bool(
    "resolvers",
    True,
    "compile, kubeflow: compare a new model with the last blessed one. Vertex AI can; Kubeflow Pipelines' own backend "
    "refuses such a job.",
)
_IMAGE_SCHEMA = flags.DEFINE_string(
    "image_schema", None, "compile, kubeflow: the schema as the image sees it, if it is not in the project's schemas/."
)
_RESOURCES = flags.DEFINE_list(
    "resources", [], "compile, kubeflow: processors and gigabytes of a component, as in Trainer=8:32; the cluster's."
)
_ID = flags.DEFINE_string("id", None, "component: which, as Trainer; summary, after the last, writes summary.json.")
_RUN_ID = flags.DEFINE_string("run_id", None, "component: the run; its components find each other's outputs by it.")
_SPAN = flags.DEFINE_integer("span", None, "component: stands in for `data.span`.", lower_bound=0)
_ROWS = flags.DEFINE_integer("rows", 1_000_000, "simulate: about how many impressions.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 1, "simulate: the seed.", lower_bound=0)
_FORMAT = flags.DEFINE_enum("format", "csv", ["csv", "parquet"], "simulate: the files' format.")
_CATEGORY_TASTE = flags.DEFINE_bool("category_taste", True, "simulate: what sells differs by category.")
_INHERITANCE = flags.DEFINE_bool("inheritance", True, "simulate: a sub-category shares its top's taste.")
_USER_TASTE = flags.DEFINE_bool("user_taste", True, "simulate: users differ.")

_DAYS = flags.DEFINE_integer("days", None, "simulate: how many days, a file each.", lower_bound=1)
_DRIFT = flags.DEFINE_float("drift", 0.0, "simulate: how far taste turns in a day, from 0 to 1.")
_NEW_CATEGORIES = flags.DEFINE_float("new_categories", 0.0, "simulate: share of the sub-categories that open later.")


class _Refused(Exception):
    """Something the user can mend; its message is all that is shown."""


def _run(*overrides: str) -> None:
    # TensorFlow and TFX are imported by the verbs that need them only, and after their noise is sent to a file.
    from pipeline.config import ConfigError, load_config

    try:
        config, schema = load_config(_CONFIG.value, [*_SET.value, *overrides], _DATA.value)
    except ConfigError as error:
        raise _Refused(str(error)) from error
    # Before the run: given arguments for Beam, TFX parses the command line again, which appends to repeated flags.
    command = _command_to_train()
    with _screen(config.name) as (out, display, folder):
        from pipeline.runners import local
        from pipeline.summary import table

        runner = local.LocalRunner(display.component_started, display.component_finished)
        summary = local.run(config, schema, _RUNS.value, runner)
        if summary["cached"] and all(summary["cached"].values()):
            out.print("Nothing changed since the last run: everything was reused.")
        out.print(table(summary))
        out.print(f"{folder}/summary.json", markup=False, highlight=False)
        if config.stop_after == "tune":
            out.print(f"{folder}/hyperparameters.yaml", markup=False, highlight=False)
            out.print("The best is trained, evaluated and pushed by", markup=False, highlight=False)
            out.print(f"    {command}", markup=False, highlight=False, soft_wrap=True)


def _tune() -> None:
    _run("tune.enabled=true", "stop_after=tune")


def _command_to_train() -> str:
    """The run that takes the Tuner's outputs from the cache: the same settings, and the search."""
    sets = [f"--set={override}" for override in (*_SET.value, "tune.enabled=true")]
    runs = [] if _RUNS.value == _RUNS.default else [f"--runs={_RUNS.value}"]
    variables = [f"CONFIG={_CONFIG.value}"] + ([f"DATA={_DATA.value}"] if _DATA.value else [])
    return f'make run {shlex.join(variables)} ARGS="{shlex.join([*runs, *sets])}"'


def _ablation() -> None:
    from pipeline.ablation.plan import read_plan
    from pipeline.config import ConfigError

    try:
        plan = read_plan(
            _VARIANTS.value,
            _SEEDS.value,
            _CONFIG.value,
            _SET.value,
            _DATA.value,
            _BASELINES.value,
            _AMONG.value,
            _HELD_OUT_LEAVES.value,
        )
    except ConfigError as error:
        raise _Refused(str(error)) from error
    with _screen(plan.config.name) as (out, display, _):
        from pipeline.ablation import report, runner
        from pipeline.runners import local

        components = local.LocalRunner(display.component_started, display.component_finished)
        folder, result = runner.run(
            plan, _RUNS.value, components, on_start=display.component_started, on_finish=display.finished
        )
        out.print(report.screen(result), highlight=False)
        out.print(f"{folder}/{report.REPORT_FILE}", markup=False, highlight=False)


def _score() -> None:
    from pipeline.config import ConfigError, load_config
    from pipeline.scoring.job import finished, plan
    from pipeline.scoring.requests import ScoringError

    try:
        config, schema = load_config(_CONFIG.value, _SET.value, _DATA.value, needs_log=False)
        job = plan(config, schema, _RUNS.value, _INPUT.value, _OUTPUT.value, _VERSION.value)
        summary = finished(job, _OVERWRITE.value)
    except (ConfigError, ScoringError) as error:
        raise _Refused(str(error)) from error
    with _screen(config.name) as (out, display, _):
        from pipeline.scoring.report import table

        if summary:
            out.print("The same requests are scored with this model already: nothing to do.")
        else:
            from pipeline.runners import local
            from pipeline.scoring import runner

            summary = runner.run(job, local.LocalRunner(display.component_started, display.component_finished))
        out.print(table(summary))
        out.print(str(job.output), markup=False, highlight=False, soft_wrap=True)
        if summary["quarantine_folder"]:
            out.print(summary["quarantine_folder"], markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _screen(name: str):
    """What a verb that runs components shows: gives (console, display, the run's folder), and ends the process with a
    message where one of them fails or the user interrupts."""
    from pipeline.display import PROGRESS_LOGGER, Display, quiet

    folder = pathlib.Path(_RUNS.value) / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with quiet(str(log)) as (out, err):
        display = Display(out)
        progress = logging.getLogger(PROGRESS_LOGGER)
        progress.setLevel(logging.INFO)
        progress.addHandler(display)
        try:
            yield out, display, folder
        except (RuntimeError, OSError) as error:  # ComponentFailed is one of them
            logging.getLogger(__name__).exception("the run failed")
            err.print(f"{error}\nThe whole story is in {log}", markup=False, highlight=False, soft_wrap=True)
            sys.exit(1)
        except KeyboardInterrupt:
            err.print(
                "\nInterrupted. The same command goes on from here: what is finished is reused, "
                "and training resumes from its last checkpoint.",
                highlight=False,
            )
            os._exit(130)  # Beam's and TensorFlow's threads would keep the process for minutes.


def _serve() -> None:
    from pipeline import serve
    from pipeline.config import MODEL, ConfigError, load_config
    from serving.versions import versions_in

    try:
        config, _ = load_config(_CONFIG.value, _SET.value, _DATA.value, needs_log=False)
    except ConfigError as error:
        raise _Refused(str(error)) from error
    folder = pathlib.Path(_RUNS.value) / config.name / "serving" / MODEL
    if not versions_in(folder):
        raise _Refused(f"{folder}: holds no pushed version. `make run CONFIG={_CONFIG.value}` trains and pushes one")
    backend = serve.available_backend() if _BACKEND.value == "auto" else _BACKEND.value
    command = serve.command(backend, folder, _HOST.value, _PORT.value, _REST_PORT.value)
    print(shlex.join(command), flush=True)
    if backend == "tensorflow_model_server":
        print(
            "Its ports are open on all addresses of this machine, to callers whom nobody asks who they are.", flush=True
        )
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise _Refused(f"{command[0]}: cannot be started: {error.strerror}") from error


def _compile() -> None:
    if not _OUT.value or not _TARGET.value:
        raise _Refused("compile needs --target=airflow or --target=kubeflow, and --out=<file>")
    {"airflow": _compile_for_airflow, "kubeflow": _compile_for_kubeflow}[_TARGET.value]()


def _compile_for_kubeflow() -> None:
    from pipeline.config import ConfigError, load_config
    from pipeline.display import quiet

    path = pathlib.Path(_OUT.value)
    try:
        # The log is where the cluster reads it: whether it is there cannot be seen from here.
        config, schema = load_config(_CONFIG.value, _SET.value, _DATA.value, needs_log=False)
        with quiet(os.devnull) as (out, _):
            from pipeline.runners import kubeflow

            resources = kubeflow.parse_resources(_RESOURCES.value)
            target = kubeflow.Target(
                _PIPELINE_ROOT.value, _IMAGE.value, _RESOLVERS.value, _IMAGE_SCHEMA.value, resources
            )
            job = kubeflow.compile_job(config, schema, target)
            kubeflow.write_job(job, path)
            out.print(kubeflow.table(job, path))
    except (ConfigError, OSError) as error:
        raise _Refused(str(error)) from error


def _compile_for_airflow() -> None:
    from pipeline.config import ConfigError, load_config

    try:
        config, schema = load_config(_CONFIG.value, _SET.value, _DATA.value)
        absl_logging.set_verbosity(absl_logging.WARNING)
        from pipeline.runners.airflow_spec import write_spec

        spec = write_spec(config, schema, os.path.abspath(_RUNS.value), _flags_of_the_run(config.data.path), _OUT.value)
    except ConfigError as error:
        raise _Refused(str(error)) from error
    print(f"{_OUT.value}: {len(spec['tasks'])} tasks")


def _flags_of_the_run(data: str | None) -> list[str]:
    """The flags that say what is run, for a process in the project's folder: other files by absolute path.

    Args:
      data: the log's folder, as `load_config` found it from this process' folder.
    """
    project = pathlib.Path(__file__).resolve().parent.parent

    def place(path: str) -> str:
        absolute = pathlib.Path(os.path.abspath(path))
        return str(absolute.relative_to(project) if absolute.is_relative_to(project) else absolute)

    if data and "://" not in data:
        data = place(data)
    return [
        f"--config={place(_CONFIG.value)}",
        f"--runs={place(_RUNS.value)}",
        *([f"--data={data}"] if data else []),
        *(f"--set={override}" for override in _SET.value),
    ]


def _component() -> None:
    from pipeline.config import ConfigError, load_config

    if not _ID.value or not _RUN_ID.value:
        raise _Refused("component needs --id=<component> and --run_id=<run>")
    span = [] if _SPAN.value is None else [f"data.span={_SPAN.value}"]
    try:
        config, schema = load_config(_CONFIG.value, [*_SET.value, *span], _DATA.value)
    except ConfigError as error:
        raise _Refused(str(error)) from error
    # Both go where the orchestrator shows them: the project's progress, and of the libraries what is no small talk.
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("aislerank").setLevel(logging.INFO)
    from pipeline.runners.component import run_component

    try:
        result = run_component(config, schema, _RUNS.value, _ID.value, _RUN_ID.value)
    except ValueError as error:  # of the flags: what a component raises is ComponentFailed
        raise _Refused(str(error)) from error
    except (RuntimeError, OSError) as error:
        logging.getLogger(__name__).exception("the component failed")
        print(error, file=sys.stderr)
        sys.exit(1)
    sys.stderr.flush()
    print(json.dumps(result), flush=True)


def _simulate() -> None:
    from pipeline.simulate import simulate

    if not _OUT.value:
        raise _Refused("simulate needs --out=<folder>")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        result = simulate(
            _OUT.value,
            _ROWS.value,
            _SEED.value,
            _FORMAT.value,
            category_taste=_CATEGORY_TASTE.value,
            inheritance=_INHERITANCE.value,
            user_taste=_USER_TASTE.value,
            days=_DAYS.value,
            drift=_DRIFT.value,
            new_categories=_NEW_CATEGORIES.value,
        )
    except ValueError as error:
        raise _Refused(str(error)) from error
    for name, value in result.items():
        print(f"{name:<18} {value}")


def _main(arguments: list[str]) -> None:
    verb, *rest = arguments[1:] or [""]
    if verb not in _VERBS or rest:
        wrong = " ".join(arguments[1:])
        print(f"unknown: {wrong}\n\n{_USAGE}" if wrong else _USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        verbs = {
            "run": _run,
            "tune": _tune,
            "ablation": _ablation,
            "score": _score,
            "serve": _serve,
            "compile": _compile,
            "component": _component,
            "simulate": _simulate,
        }
        verbs[verb]()
    except _Refused as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def main() -> None:
    """The command line's entry point."""
    if {"--help", "-h", "--helpshort"} & set(sys.argv[1:]):
        print(_USAGE)
        print(flags.FLAGS.module_help(sys.modules[__name__]).strip().partition("\n")[2])
        from pipeline.config import describe_keys

        print(f"\nKeys of the configuration, for the YAML file and --set, with their defaults:\n{describe_keys()}")
        return
    app.run(_main)


if __name__ == "__main__":
    main()
