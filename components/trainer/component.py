"""Trainer, whose number of passes can be chosen when a run starts."""

from tfx.components.trainer import component
from tfx.dsl.components.base import executor_spec
from tfx.orchestration.data_types import RuntimeParameter

from components.trainer.executor import EPOCHS, Executor


class Trainer(component.Trainer):
    """TFX's Trainer with one parameter more.

    Args:
      epochs: stands in for `train.epochs` of ``custom_config`` when the run starts.
      **arguments: TFX's.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, epochs: RuntimeParameter | None = None, **arguments):
        super().__init__(**arguments)
        if epochs is not None:
            # TFX's Trainer makes its own spec; its parameters are checked when a spec is made, and kept here.
            self.spec.exec_properties[EPOCHS] = epochs
