"""Trainer, whose number of epochs can be chosen when a run starts."""

from tfx.components.trainer import component
from tfx.dsl.components.base import executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.standard_component_specs import TrainerSpec

from components.parameters import WithParameters, with_parameters
from components.trainer.executor import EPOCHS, Executor


class Trainer(component.Trainer, WithParameters):
    """TFX's Trainer with one more parameter. ``custom_config`` holds the fingerprint of the source.

    Args:
      epochs: replaces `train.epochs` of ``custom_config`` when the run starts.
      **arguments: TFX's.
    """

    SPEC_CLASS = with_parameters(TrainerSpec, **{EPOCHS: int})
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, epochs: RuntimeParameter | None = None, **arguments):
        self.parameters = {} if epochs is None else {EPOCHS: epochs}
        super().__init__(**arguments)
