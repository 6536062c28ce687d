"""ClickLogExampleGen: from a raw click log to requests."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import example_gen_pb2
from tfx.types import component_spec, standard_artifacts

from components.artifacts import Quarantine
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.executor import Executor
from components.click_log_example_gen.plan import check
from components.click_log_example_gen.spans import NEWEST, WindowDriver
from schemas.log_schema import LogSchema


class ClickLogExampleGenSpec(component_spec.ComponentSpec):
    """Outputs and parameters of ClickLogExampleGen; the first two are what TFX's drivers work on."""

    PARAMETERS: ClassVar = {
        "input_base": component_spec.ExecutionParameter(type=str),
        "input_config": component_spec.ExecutionParameter(type=example_gen_pb2.Input),
        "wanted_span": component_spec.ExecutionParameter(type=int),
        "data": component_spec.ExecutionParameter(type=str),
        "schema": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "quarantine": component_spec.ChannelParameter(type=Quarantine),
    }


class ClickLogExampleGen(base_beam_component.BaseBeamComponent):
    """Validates the rows of a click log, joins tables, groups rows into requests and divides them into splits.

    The output ``examples`` holds one tf.Example a request, in the splits of `data.split`; ``quarantine`` the rows
    that are in no request, with file, line and reason, and a summary. Each row that is read is in one of the two.

    Its driver resolves {SPAN}, {VERSION} and {YYYY}, {MM}, {DD} in `data.files` to the newest ones (or `data.span`),
    and to those of `data.window` before it, and fingerprints these files and the tables' files, so that a log that did
    not change is not ingested again. Kubeflow runs no driver: there the executor fills them in, and nothing tells
    whether the log has changed.

    Args:
      data: what is read and how; `data.path` must be given.
      schema: of the log; without a label, for a log that is only scored.
      code: fingerprint of the source, so that a change to it is not answered from the cache.
      log: stands in for `data.path` when the run starts.
      span: stands in for `data.span` when the run starts; `spans.NEWEST` for the newest.

    Raises:
      ValueError: if `data` does not fit the schema.
    """

    SPEC_CLASS = ClickLogExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = WindowDriver

    def __init__(
        self,
        data: DataConfig,
        schema: LogSchema,
        code: str = "",
        log: RuntimeParameter | None = None,
        span: RuntimeParameter | None = None,
    ):
        if data.path is None:
            raise ValueError("`data.path` must name the folder of the log (`--data`)")
        check(data, schema)
        wanted_span = NEWEST if data.span is None else data.span
        split = example_gen_pb2.Input.Split(name="log", pattern=data.files)
        spec = ClickLogExampleGenSpec(
            input_base=data.path if log is None else log,
            input_config=example_gen_pb2.Input(splits=[split]),
            wanted_span=wanted_span if span is None else span,
            data=data.model_dump_json(exclude={"path", "span"}),
            schema=schema.text,
            code=code,
            examples=types.Channel(type=standard_artifacts.Examples),
            quarantine=types.Channel(type=Quarantine),
        )
        super().__init__(spec=spec)
