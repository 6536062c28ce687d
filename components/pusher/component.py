"""Pusher, whose pushed versions are whole at any time."""

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec
from tfx.types.standard_component_specs import PusherSpec

from components.parameters import WithParameters, with_parameters
from components.pusher.executor import Executor


class Pusher(component.Pusher, WithParameters):
    """TFX's Pusher with an executor of its own.

    Args:
      code: fingerprint of the source, so that the cache does not answer for old code.
      **arguments: TFX's.
    """

    SPEC_CLASS = with_parameters(PusherSpec, code=str)
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, code: str, **arguments):
        self.parameters = {"code": code}
        super().__init__(**arguments)
