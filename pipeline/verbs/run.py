"""run and tune: the pipeline, or only the search for hyperparameters."""

import argparse
import pathlib
import shlex

from pipeline.verbs.parser import Parser, add_run_flags, load


def add_flags(parser: Parser) -> None:
    """Adds the flags of run and of tune."""
    add_run_flags(parser)


def run(flags: argparse.Namespace, *overrides: str) -> None:
    """Runs the pipeline; ``overrides`` set keys of the configuration after those of the command line."""
    # A verb imports TensorFlow and TFX only if it needs them, and after their output is redirected to a file.
    config, schema = load(flags, *overrides)
    from pipeline.sections import unused_keys
    from pipeline.terminal.screen import screen

    folder = pathlib.Path(flags.runs) / config.name
    with screen(folder) as (out, display):
        from pipeline.runners import local
        from pipeline.simulation.log import with_log
        from pipeline.summary import summary_file, table

        for text in unused_keys(config.model):
            out.print(f"Warning: {text}", markup=False, highlight=False, soft_wrap=True)
        runner = local.LocalRunner(display.component_started, display.component_finished, display.expect)
        summary = local.run(with_log(config, flags.runs), schema, flags.runs, runner)
        display.stop()
        if summary["cached"] and all(summary["cached"].values()):
            out.print("Nothing changed since the last run: everything was reused.")
        out.print(table(summary))
        out.print(str(summary_file(folder, config)), markup=False, highlight=False)
        if config.stop_after == "tune":
            out.print(f"{folder}/hyperparameters.yaml", markup=False, highlight=False)
            out.print("The best is trained, evaluated and pushed by", markup=False, highlight=False)
            out.print(f"    {_command_to_train(flags)}", markup=False, highlight=False, soft_wrap=True)


def tune(flags: argparse.Namespace) -> None:
    """Runs the pipeline up to the search, whose space is the section `tune` of the configuration."""
    run(flags, "tune.enabled=true", "stop_after=tune")


def _command_to_train(flags: argparse.Namespace) -> str:
    """The run that takes the Tuner's outputs from the cache: the same settings, and the search."""
    sets = [f"--set={override}" for override in (*flags.set, "tune.enabled=true")]
    runs = [] if flags.runs == "runs" else [f"--runs={flags.runs}"]
    variables = [f"CONFIG={flags.config}"] + ([f"DATA={flags.data}"] if flags.data else [])
    return f'make run {shlex.join(variables)} ARGS="{shlex.join([*runs, *sets])}"'
