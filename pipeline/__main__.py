"""python -m pipeline <verb>: see `python -m pipeline --help`."""

import argparse
import signal
import sys

from absl import app

from pipeline.verbs import (
    ablation,
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
from pipeline.verbs.parser import Parser, Refused

# A module adds the flags of its verbs by its function `add_flags`.
VERBS = {
    "init": (init.init, "look at a log, and write the schema and the configuration that read it"),
    "run": (run.run, "ingest a log, train a ranker, evaluate it, and push it if it is blessed"),
    "tune": (run.tune, "search for the hyperparameters with the best session AUC on the validation split"),
    "ablation": (ablation.ablation, "train variants with several seeds on the same requests, and compare them"),
    "compare": (compare.compare, "compare two finished runs: which is better, where, and what differs"),
    "tensorboard": (tensorboard.tensorboard, "show the trainings of a run in TensorBoard"),
    "score": (score.score, "score a folder of raw requests with a pushed model, without a server"),
    "serve": (serve.serve, "serve the newest pushed model over gRPC and REST"),
    "rollback": (rollback.rollback, "serve an earlier pushed version again, and go on from it"),
    "compile": (compile.compile_pipeline, "write the file with which an orchestrator runs the pipeline"),
    "component": (component.component, "run one component of a pipeline, as the tasks of an orchestrator do"),
    "simulate": (simulate.write_log, "write the demo log"),
}


def make_parser() -> Parser:
    """The parser of the command line, with a subparser for each verb."""
    parser = Parser(prog="python -m pipeline", epilog="python -m pipeline <verb> --help says more of one verb.")
    verbs = parser.add_subparsers(metavar="<verb>", required=True)
    for name, (do, what) in VERBS.items():
        verb = verbs.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        sys.modules[do.__module__].add_flags(verb)
        verb.set_defaults(do=do)
    return parser


def parse(arguments: list[str]) -> argparse.Namespace:
    """The flags of a command line, and the verb's function as ``do``."""
    return make_parser().parse_args(arguments[1:])


def call(flags: argparse.Namespace) -> None:
    """Calls the verb. Errors end the process with one message."""
    try:
        flags.do(flags)
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def main() -> None:
    """The command line's entry point."""
    app.run(call, flags_parser=parse)


if __name__ == "__main__":
    main()
