"""AnomalyGate: stops a run whose data has anomalies."""

import json
from collections.abc import Sequence
from typing import ClassVar, Literal

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.anomaly_gate.executor import Executor
from components.artifacts import AnomalyReport, Quarantine


class AnomalyGateSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of AnomalyGate."""

    PARAMETERS: ClassVar = {
        "on_anomaly": component_spec.ExecutionParameter(type=str),
        "labels": component_spec.ExecutionParameter(type=str),
        "code": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "previous_statistics": component_spec.ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
        "serving_statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        "quarantine": component_spec.ChannelParameter(type=Quarantine, optional=True),
    }
    OUTPUTS: ClassVar = {"report": component_spec.ChannelParameter(type=AnomalyReport)}


class AnomalyGate(base_component.BaseComponent):
    """Fails if ExampleValidator found anomalies, which itself only notes them and lets the pipeline go on.

    What must not see bad data comes after it: ``transform.add_upstream_node(gate)``. It also compares the train split
    with another log's by the schema's comparators, which ExampleValidator does not.

    Args:
      statistics: of StatisticsGen; gives the figures of a feature that has an anomaly.
      anomalies: of ExampleValidator.
      schema: the schema, with its comparators.
      previous_statistics: of the span before, for the features with a drift_comparator; empty for the first span.
      serving_statistics: of requests as they were served, for those with a skew_comparator.
      quarantine: of ClickLogExampleGen, whose summary counts the positives of each split.
      labels: those that are trained. A split without a positive of them, of the first also one without a request to
        rank, always stops the run.
      on_anomaly: "stop" raises `AnomalyError`, "warn" logs the same message and goes on.
      code: fingerprint of the source, so that a change to it is not answered from the cache.

    Raises:
      ValueError: if ``on_anomaly`` is neither.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        schema: types.BaseChannel,
        previous_statistics: types.BaseChannel | None = None,
        serving_statistics: types.BaseChannel | None = None,
        quarantine: types.BaseChannel | None = None,
        labels: Sequence[str] = (),
        on_anomaly: Literal["stop", "warn"] = "stop",
        code: str = "",
    ):
        if on_anomaly not in ("stop", "warn"):
            raise ValueError(f"`on_anomaly` must be stop or warn. Received: on_anomaly={on_anomaly!r}")
        super().__init__(
            spec=AnomalyGateSpec(
                statistics=statistics,
                anomalies=anomalies,
                schema=schema,
                previous_statistics=previous_statistics,
                serving_statistics=serving_statistics,
                quarantine=quarantine,
                labels=json.dumps(list(labels)),
                on_anomaly=on_anomaly,
                code=code,
                report=types.Channel(type=AnomalyReport),
            )
        )
