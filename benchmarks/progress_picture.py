"""docs/progress.svg: what a terminal shows of a real run when its training is half done; the run is ended then.

    make run
    python -m benchmarks.progress_picture --set simulate.seed=2

The second reads another log in the folder of the first, so that all is at work and there are seconds of the last time.
"""

import io
import logging
import os
import pathlib
import re

from absl import app, flags
from rich.console import Console

from common.progress import progress
from pipeline.config import load_config
from pipeline.terminal.console import quiet
from pipeline.terminal.live_display import LiveDisplay

_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the demo's configuration; repeatable.")
_RUNS = flags.DEFINE_string("runs", "runs", "The folder that holds a folder for each run.")
_OUT = flags.DEFINE_string("out", "docs/progress.svg", "The picture.")
_COLUMNS, _LINES = 100, 30


class _Picture(LiveDisplay):
    """Is drawn as soon as the training is half done, which ends the process."""

    def __init__(self):
        nobody = io.StringIO()
        super().__init__(Console(file=nobody, force_terminal=True, width=_COLUMNS, height=_LINES))

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        half = (getattr(record, "share", None) or 0.0) >= 0.5
        if half and self.at_work and self.at_work.name == "RankerTrainer" and "loss" in record.getMessage():
            paper = Console(file=io.StringIO(), record=True, force_terminal=True, width=_COLUMNS)
            paper.print(self)
            # Without fonts from the net.
            picture = re.sub(r"@font-face {.*?}\s*", "", paper.export_svg(title="make run"), flags=re.DOTALL)
            pathlib.Path(_OUT.value).write_text(picture, encoding="utf-8")
            os._exit(0)


def _main(_) -> None:
    config, schema = load_config("pipeline/configs/demo.yaml", _SET.value, None)
    folder = pathlib.Path(_RUNS.value) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    with quiet(str(folder / "run.log")):
        from pipeline.runners import local
        from pipeline.simulation.log import with_log

        display = _Picture()
        progress.setLevel(display.records_from)
        progress.addHandler(display)
        callbacks = (display.component_started, display.component_finished, display.expect)
        local.run(with_log(config, _RUNS.value), schema, _RUNS.value, local.LocalRunner(*callbacks))
    raise RuntimeError("the training ended without being seen half done: it was reused, or stopped early")


if __name__ == "__main__":
    app.run(_main)
