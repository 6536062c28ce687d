"""Pusher, whose pushed versions are whole at any time."""

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec

from components.pusher.executor import Executor


class Pusher(component.Pusher):
    """TFX's Pusher with an executor of its own; it takes the same arguments."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
