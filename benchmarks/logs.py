"""Simulated logs for the benchmarks, and their requests as ClickLogExampleGen writes them."""

import pathlib

from tfx.types import standard_artifacts

from components.artifacts import Quarantine
from components.click_log_example_gen.component import ClickLogExampleGen
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.executor import Executor
from pipeline.simulation.simulate import simulate
from schemas.parsing import read_schema

SCHEMA = pathlib.Path("schemas/demo.pbtxt")
FILES = "impressions-*.csv"


def simulated_log(rows: int, folder: str) -> pathlib.Path:
    """The folder of the demo log of about that many rows, written once below ``folder``."""
    log = pathlib.Path(folder).resolve() / f"demo-{rows}"
    if not log.exists():
        simulate(log.with_suffix(".unfinished"), rows)
        log.with_suffix(".unfinished").rename(log)
    return log


def ingest(log: str, out: pathlib.Path) -> None:
    """Runs ClickLogExampleGen's executor; writes the folders ``examples`` and ``quarantine`` below ``out``."""
    outputs = {"examples": standard_artifacts.Examples(), "quarantine": Quarantine()}
    for name, artifact in outputs.items():
        artifact.uri = str(out / name)
        (out / name).mkdir(parents=True)
    component = ClickLogExampleGen(DataConfig(path=log, files=FILES), read_schema(SCHEMA))
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(out / "tmp"), unique_id="1")
    Executor(context).Do({}, {name: [artifact] for name, artifact in outputs.items()}, dict(component.exec_properties))
