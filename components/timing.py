"""How long a component took, kept with what it made: orchestrators keep it in places of their own, or not at all."""

import functools
import time

from tfx import types

_SECONDS = "seconds"


def timed(executor_class: type) -> type:
    """A class decorator for executors: each output gets the seconds of `Do` as a custom property."""
    do = executor_class.Do

    @functools.wraps(do)
    def timed_do(self, input_dict, output_dict, exec_properties):
        began = time.monotonic()
        result = do(self, input_dict, output_dict, exec_properties)
        for artifacts in output_dict.values():
            for artifact in artifacts:
                artifact.set_float_custom_property(_SECONDS, round(time.monotonic() - began, 2))
        return result

    executor_class.Do = timed_do
    return executor_class


def seconds_of(artifact: types.Artifact) -> float | None:
    """How long its component took; None if it was not timed."""
    return artifact.get_float_custom_property(_SECONDS) if artifact.has_custom_property(_SECONDS) else None
