"""score: score a folder of raw requests with a pushed model, without a server."""

import argparse
import pathlib

from pipeline.verbs.parser import Parser, Refused, add_run_flags, load


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.description += " Reads neither labels nor positions. Writes Parquet."
    add_run_flags(parser)
    parser.add_argument("--input", help="The folder of the raw requests, in the form that `data` describes.")
    parser.add_argument("--output", help="The folder to write the scores to.")
    parser.add_argument("--version", type=int, help="The pushed version to score with; without the flag, the newest.")
    parser.add_boolean("overwrite", False, "Replace other scores in the output folder.")


def score(flags: argparse.Namespace) -> None:
    """Scores a folder of requests."""
    from pipeline.scoring.job import finished, plan
    from pipeline.scoring.requests import ScoringError
    from pipeline.terminal.screen import screen

    config, schema = load(flags, needs_log=False)
    try:
        job = plan(config, schema, flags.runs, flags.input, flags.output, flags.version)
        summary = finished(job, flags.overwrite)
    except ScoringError as error:
        raise Refused(str(error)) from error
    with screen(pathlib.Path(flags.runs) / config.name) as (out, display):
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
