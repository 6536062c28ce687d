"""run and tune: the pipeline, or the search for hyperparameters alone."""

import pathlib
import shlex

from pipeline.verbs.common import CONFIG, DATA, RUNS, SET, Refused


def run(*overrides: str) -> None:
    """Runs the pipeline, with some keys of the configuration set after those of the command line."""
    # TensorFlow and TFX are imported by the verbs that need them only, and after their noise is sent to a file.
    from pipeline.config import ConfigError, load_config, unused_keys
    from pipeline.terminal.screen import screen

    try:
        config, schema = load_config(CONFIG.value, [*SET.value, *overrides], DATA.value)
    except ConfigError as error:
        raise Refused(str(error)) from error
    # Before the run: given arguments for Beam, TFX parses the command line again, which appends to repeated flags.
    command = _command_to_train()
    folder = pathlib.Path(RUNS.value) / config.name
    with screen(folder) as (out, display):
        from pipeline.runners import local
        from pipeline.simulation.log import with_log
        from pipeline.summary import summary_file, table

        for text in unused_keys(config.model):
            out.print(f"Warning: {text}", markup=False, highlight=False, soft_wrap=True)
        runner = local.LocalRunner(display.component_started, display.component_finished, display.expect)
        summary = local.run(with_log(config, RUNS.value), schema, RUNS.value, runner)
        display.stop()
        if summary["cached"] and all(summary["cached"].values()):
            out.print("Nothing changed since the last run: everything was reused.")
        out.print(table(summary))
        out.print(str(summary_file(folder, config)), markup=False, highlight=False)
        if config.stop_after == "tune":
            out.print(f"{folder}/hyperparameters.yaml", markup=False, highlight=False)
            out.print("The best is trained, evaluated and pushed by", markup=False, highlight=False)
            out.print(f"    {command}", markup=False, highlight=False, soft_wrap=True)


def tune() -> None:
    """Runs it up to the search, and no further."""
    run("tune.enabled=true", "stop_after=tune")


def _command_to_train() -> str:
    """The run that takes the Tuner's outputs from the cache: the same settings, and the search."""
    sets = [f"--set={override}" for override in (*SET.value, "tune.enabled=true")]
    runs = [] if RUNS.value == RUNS.default else [f"--runs={RUNS.value}"]
    variables = [f"CONFIG={CONFIG.value}"] + ([f"DATA={DATA.value}"] if DATA.value else [])
    return f'make run {shlex.join(variables)} ARGS="{shlex.join([*runs, *sets])}"'
