"""TFX's own components that are used as they are, but for how long they took."""

from tfx.components.statistics_gen import component as statistics_gen
from tfx.components.statistics_gen import executor as statistics_gen_executor
from tfx.components.tuner import component as tuner
from tfx.components.tuner import executor as tuner_executor
from tfx.dsl.components.base import executor_spec

from components.timing import timed


@timed
class StatisticsGenExecutor(statistics_gen_executor.Executor):
    """TFX's."""


class StatisticsGen(statistics_gen.StatisticsGen):
    """TFX's."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StatisticsGenExecutor)


@timed
class TunerExecutor(tuner_executor.Executor):
    """TFX's."""


class Tuner(tuner.Tuner):
    """TFX's."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(TunerExecutor)
