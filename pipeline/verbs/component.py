"""component: run one component of a pipeline, as the tasks of an orchestrator do."""

import argparse
import json
import logging
import sys

from absl import logging as absl_logging

from pipeline.verbs.parser import Parser, Refused, add_run_flags, load, number

_INGESTION = "ClickLogExampleGen"  # the only component that reads the log


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.description += " Prints state, seconds and outputs as JSON."
    add_run_flags(parser)
    parser.add_argument(
        "--id", help="The component, for example RankerTrainer; summary, after the last component, writes summary.json."
    )
    parser.add_argument("--run_id", help="The id of the run, by which its components find each other's outputs.")
    parser.add_argument("--span", type=number(int, 0), help="Replaces `data.span`.")


def component(flags: argparse.Namespace) -> None:
    """Runs one component, and prints the result as JSON."""
    if not flags.id or not flags.run_id:
        raise Refused("component needs --id=<component> and --run_id=<run>")
    config, schema = load(flags, *([] if flags.span is None else [f"data.span={flags.span}"]))
    # The orchestrator shows both logs: the project's progress, and warnings of the libraries.
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("aislerank").setLevel(logging.INFO)
    from pipeline.runners.component import run_component
    from pipeline.simulation.log import with_log

    try:
        config = with_log(config, flags.runs, write=flags.id == _INGESTION)
        result = run_component(config, schema, flags.runs, flags.id, flags.run_id)
    except ValueError as error:  # from the flags: a component raises ComponentFailed
        raise Refused(str(error)) from error
    except (RuntimeError, OSError) as error:
        logging.getLogger(__name__).exception("the component failed")
        print(error, file=sys.stderr)
        sys.exit(1)
    sys.stderr.flush()
    print(json.dumps(result), flush=True)
