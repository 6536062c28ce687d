"""component: run one component of a pipeline, as the tasks of an orchestrator do."""

import json
import logging
import sys

from absl import flags
from absl import logging as absl_logging

from pipeline.verbs.common import CONFIG, DATA, RUNS, SET, Refused

_ID = flags.DEFINE_string("id", None, "Which, as Trainer; summary, after the last, writes summary.json.")
_RUN_ID = flags.DEFINE_string("run_id", None, "The run; its components find each other's outputs by it.")
_SPAN = flags.DEFINE_integer("span", None, "Stands in for `data.span`.", lower_bound=0)

_INGESTION = "ClickLogExampleGen"  # the only component that reads the log


def component() -> None:
    """Runs one component, and prints what it did as JSON."""
    from pipeline.config import ConfigError, load_config

    if not _ID.value or not _RUN_ID.value:
        raise Refused("component needs --id=<component> and --run_id=<run>")
    span = [] if _SPAN.value is None else [f"data.span={_SPAN.value}"]
    try:
        config, schema = load_config(CONFIG.value, [*SET.value, *span], DATA.value)
    except ConfigError as error:
        raise Refused(str(error)) from error
    # Both go where the orchestrator shows them: the project's progress, and of the libraries what is no small talk.
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("aislerank").setLevel(logging.INFO)
    from pipeline.runners.component import run_component
    from pipeline.simulation.log import with_log

    try:
        config = with_log(config, RUNS.value, write=_ID.value == _INGESTION)
        result = run_component(config, schema, RUNS.value, _ID.value, _RUN_ID.value)
    except ValueError as error:  # of the flags: what a component raises is ComponentFailed
        raise Refused(str(error)) from error
    except (RuntimeError, OSError) as error:
        logging.getLogger(__name__).exception("the component failed")
        print(error, file=sys.stderr)
        sys.exit(1)
    sys.stderr.flush()
    print(json.dumps(result), flush=True)
