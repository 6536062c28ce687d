"""Simulated logs for the benchmarks, and their requests as ClickLogExampleGen writes them."""

import pathlib

from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import Quarantine
from components.click_log_example_gen.component import ClickLogExampleGen
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.executor import Executor
from pipeline.simulate import simulate

SCHEMA = "schemas/demo.pbtxt"
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
    properties = dict(ClickLogExampleGen(DataConfig(path=log, files=FILES), SCHEMA).exec_properties)
    split = example_gen_pb2.Input.Split(name="log", pattern=FILES)
    properties["input_config"] = proto_utils.proto_to_json(example_gen_pb2.Input(splits=[split]))
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(out / "tmp"), unique_id="1")
    Executor(context).Do({}, {name: [artifact] for name, artifact in outputs.items()}, properties)
