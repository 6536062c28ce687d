"""python -m pipeline <verb>: see `python -m pipeline --help`."""

import logging
import os
import pathlib
import sys

from absl import app, flags

_VERBS = {
    "run": "ingest a log, train a ranker, evaluate it and push it if it is blessed",
    "simulate": "write the demo log",
}
_USAGE = """python -m pipeline <verb> [flags]

  run        {run}
             --config=<yaml> [--data=<folder>] [--set model.experts=16]... [--runs=runs]
  simulate   {simulate}
             --out=<folder> [--rows=1000000] [--seed=1] [--format=csv|parquet]
             [--nocategory_taste] [--noinheritance] [--nouser_taste]
""".format(**_VERBS)

_CONFIG = flags.DEFINE_string("config", "pipeline/configs/demo.yaml", "The run's YAML file.")
_DATA = flags.DEFINE_string("data", None, "The folder of the log; stands in for `data.path`.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in model.experts=16; repeatable.")
_RUNS = flags.DEFINE_string("runs", "runs", "The folder that holds a folder for each run.")
_OUT = flags.DEFINE_string("out", None, "simulate: the folder to write.")
_ROWS = flags.DEFINE_integer("rows", 1_000_000, "simulate: about how many impressions.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 1, "simulate: the seed.", lower_bound=0)
_FORMAT = flags.DEFINE_enum("format", "csv", ["csv", "parquet"], "simulate: the files' format.")
_CATEGORY_TASTE = flags.DEFINE_bool("category_taste", True, "simulate: what sells differs by category.")
_INHERITANCE = flags.DEFINE_bool("inheritance", True, "simulate: a sub-category shares its top's taste.")
_USER_TASTE = flags.DEFINE_bool("user_taste", True, "simulate: users differ.")


class _Refused(Exception):
    """Something the user can mend; its message is all that is shown."""


def _run() -> None:
    # TensorFlow and TFX are imported by the verbs that need them only, and after their noise is sent to a file.
    from pipeline.config import ConfigError, load_config

    try:
        config, schema = load_config(_CONFIG.value, _SET.value, _DATA.value)
    except ConfigError as error:
        raise _Refused(str(error)) from error
    from pipeline.display import PROGRESS_LOGGER, Display, quiet

    folder = pathlib.Path(_RUNS.value) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    with quiet(str(log)) as (out, err):
        display = Display(out)
        progress = logging.getLogger(PROGRESS_LOGGER)
        progress.setLevel(logging.INFO)
        progress.addHandler(display)
        from pipeline.runners import local
        from pipeline.summary import table

        runner = local.LocalRunner(display.component_started, display.component_finished)
        try:
            summary = local.run(config, schema, _RUNS.value, runner)
        except (local.ComponentFailed, OSError) as error:
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
        if summary["cached"] and all(summary["cached"].values()):
            out.print("Nothing changed since the last run: everything was reused.")
        out.print(table(summary))
        out.print(f"{folder}/summary.json", markup=False, highlight=False)


def _simulate() -> None:
    from pipeline.simulate import simulate

    if not _OUT.value:
        raise _Refused("simulate needs --out=<folder>")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = simulate(
        _OUT.value,
        _ROWS.value,
        _SEED.value,
        _FORMAT.value,
        category_taste=_CATEGORY_TASTE.value,
        inheritance=_INHERITANCE.value,
        user_taste=_USER_TASTE.value,
    )
    for name, value in result.items():
        print(f"{name:<18} {value}")


def _main(arguments: list[str]) -> None:
    verb, *rest = arguments[1:] or [""]
    if verb not in _VERBS or rest:
        wrong = " ".join(arguments[1:])
        print(f"unknown: {wrong}\n\n{_USAGE}" if wrong else _USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        {"run": _run, "simulate": _simulate}[verb]()
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
