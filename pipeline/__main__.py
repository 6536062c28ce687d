"""python -m pipeline <verb>: see `python -m pipeline --help`."""

import difflib
import signal
import sys

from absl import app, flags

from pipeline.verbs import (
    ablation,
    common,
    compare,
    compile,
    component,
    init,
    rollback,
    run,
    score,
    serve,
    simulate,
    tensorboard,
)
from pipeline.verbs.help import Verb, help_of, overview

VERBS = {
    "init": Verb(
        init.init,
        "look at a log, and write the schema and the configuration that read it",
        """--log=<file or folder> [--out=<folder>] [--name=<name>] [--sample_rows=200000]
[--header=user_id,item_id,...]...: names, for files without a header row""",
    ),
    "run": Verb(
        run.run,
        "ingest a log, train a ranker, evaluate it and push it if it is blessed",
        "--config=<yaml> [--data=<folder>] [--set model.experts=16]... [--runs=runs]",
    ),
    "tune": Verb(
        run.tune,
        "search for the hyperparameters with the best session AUC on the validation split",
        "flags as of run; the section `tune` of the configuration says what is searched",
    ),
    "ablation": Verb(
        ablation.ablation,
        "train variants over several seeds on the same transformed requests and compare them",
        """--variants="dnn,moe,strong=hsc_moe;hsc_weight=1;train.epochs=5" --seeds=1,2,3
[--baselines=dnn,moe] [--among=item_sub_category=sub_category] [--held_out_leaves=0.1],
and the flags of run.
What is trained already is reused. Writes runs/<name>/ablation/report.html, and the same as Markdown with
SVG, CSV and JSON.""",
    ),
    "compare": Verb(
        compare.compare,
        "say of two finished runs which is better, where, and what differs",
        """<run> <another run> [--out=<file>.html]
Folders of runs, as in runs/monday runs/tuesday; differences are the second's figure minus the first's.
Figures are paired by request where both were judged on the same ones, and it says where they were not.
Shows tables, and writes a page: comparison-with-<run>.html in the second's folder unless --out names a file.""",
        words=("<run>", "<another run>"),
    ),
    "tensorboard": Verb(
        tensorboard.tensorboard,
        "show the trainings of a run in TensorBoard: losses, gates, experts, embeddings",
        "--config=<yaml> [--runs=runs] [--port=6006] [--host=127.0.0.1]",
    ),
    "score": Verb(
        score.score,
        "score a folder of raw requests with a pushed model, without a server",
        """--input=<folder> --output=<folder> [--version=<pushed version>] [--overwrite], and
--config, --data, --set, --runs as of run. No label and no position is read. Writes Parquet.""",
    ),
    "serve": Verb(
        serve.serve,
        "serve the newest pushed model over gRPC and REST",
        """--config=<yaml> [--runs=runs] [--backend=auto|tensorflow_model_server|docker|development]
[--host=127.0.0.1] [--port=8500] [--rest_port=8501]""",
    ),
    "rollback": Verb(
        rollback.rollback,
        "serve an earlier pushed version again, and go on from it",
        "--config=<yaml> [--runs=runs] [--to=<pushed version>], or --list",
    ),
    "compile": Verb(
        compile.compile_pipeline,
        "write what an orchestrator needs to run the pipeline",
        """--target=airflow --out=<folder of DAGs>/<name>.aislerank.json, and
--config, --data, --set, --runs as of run. See docs/airflow.md
--target=kubeflow --pipeline_root=gs://bucket/demo --image=<image> --out=<file.json|yaml>
[--noresolvers] [--image_schema=<path or URI>] [--resources=Trainer=8:32,Transform=4:16],
and --config, --data, --set as of run. See docs/kubeflow.md""",
    ),
    "component": Verb(
        component.component,
        "run one component of a pipeline, as the tasks of an orchestrator do",
        """--id=Trainer --run_id=<the same for all components of a run> [--span=19723], and
--config, --data, --set, --runs as of run. Prints state, seconds and outputs as JSON.""",
    ),
    "simulate": Verb(
        simulate.write_log,
        "write the demo log",
        """--out=<folder> [--rows=1000000] [--seed=1] [--format=csv|parquet]
[--nocategory_taste] [--noinheritance] [--nouser_taste]
[--days=10 [--drift=0.2] [--new_categories=0.2]]: a file a day, of a shop that changes""",
    ),
}

_HELP = "`python -m pipeline {}--help` lists what there is"


def _main(arguments: list[str]) -> None:
    name, *rest = arguments[1:] or [""]
    words = VERBS[name].words if name in VERBS else ()
    if name not in VERBS or (rest and not words):
        wrong = " ".join(arguments[1:])
        print(f"unknown: {wrong}\n\n{overview(VERBS)}" if wrong else overview(VERBS), file=sys.stderr)
        sys.exit(2)
    try:
        _refuse_flags_of_others(name)
        if len(rest) != len(words) or not all(rest):
            given = " ".join(filter(None, rest)) or "none"
            raise common.Refused(f"{name}: takes {' '.join(words)}. Received: {given}\n{_HELP.format(f'{name} ')}")
        VERBS[name].do(*rest)
    except common.Refused as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _refuse_flags_of_others(name: str) -> None:
    known = VERBS[name].flags
    for other, verb in VERBS.items():
        for flag in sorted(verb.flags - known):
            if flags.FLAGS[flag].present:
                raise common.Refused(
                    f"{name}: --{flag} is a flag of {other}, not of {name}\n{_HELP.format(f'{name} ')}"
                )


def _parse(arguments: list[str]) -> list[str]:
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        name = next((one for one in arguments[1:] if one in VERBS), "")
        message = str(error)
        if isinstance(error, flags.UnrecognizedFlagError):
            close = difflib.get_close_matches(error.flagname, VERBS[name].flags if name else (), n=1)
            message = f"there is no flag --{error.flagname}{f'; is --{close[0]} meant?' if close else ''}"
        print(f"{name or 'pipeline'}: {message}\n{_HELP.format(f'{name} '.lstrip())}", file=sys.stderr)
        sys.exit(2)


def main() -> None:
    """The command line's entry point."""
    arguments = sys.argv[1:]
    if {"--help", "-h", "--helpshort", "--helpfull"} & set(arguments):
        named = next((one for one in arguments if one in VERBS), None)
        print(help_of(named, VERBS[named]) if named else overview(VERBS))
        return
    app.run(_main, flags_parser=_parse)


if __name__ == "__main__":
    main()
