"""score: score a folder of raw requests with a pushed model, without a server."""

import pathlib

from absl import flags

from pipeline.verbs.common import CONFIG, DATA, RUNS, SET, Refused

_INPUT = flags.DEFINE_string("input", None, "The folder of the raw requests, in the form that `data` describes.")
_OUTPUT = flags.DEFINE_string("output", None, "The folder to write the scores to.")
_VERSION = flags.DEFINE_integer("version", None, "The pushed version to score with; the newest unless given.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace other scores that stand in the output folder.")


def score() -> None:
    """Scores a folder of requests."""
    from pipeline.config import ConfigError, load_config
    from pipeline.scoring.job import finished, plan
    from pipeline.scoring.requests import ScoringError
    from pipeline.terminal.screen import screen

    try:
        config, schema = load_config(CONFIG.value, SET.value, DATA.value, needs_log=False)
        job = plan(config, schema, RUNS.value, _INPUT.value, _OUTPUT.value, _VERSION.value)
        summary = finished(job, _OVERWRITE.value)
    except (ConfigError, ScoringError) as error:
        raise Refused(str(error)) from error
    with screen(pathlib.Path(RUNS.value) / config.name) as (out, display):
        from pipeline.scoring.report import table

        if summary:
            display.stop()
            out.print("The same requests are scored with this model already: nothing to do.")
        else:
            from pipeline.runners import local
            from pipeline.scoring import runner

            components = local.LocalRunner(display.component_started, display.component_finished, display.expect)
            summary = runner.run(job, components)
            display.stop()
        out.print(table(summary))
        out.print(str(job.output), markup=False, highlight=False, soft_wrap=True)
        if summary["quarantine_folder"]:
            out.print(summary["quarantine_folder"], markup=False, highlight=False, soft_wrap=True)
