"""More parameters for TFX's own components, as the fingerprint of their source."""

from typing import Any

from tfx.dsl.components.base import base_component
from tfx.types.component_spec import ComponentSpec, ExecutionParameter


def with_parameters(spec: type[ComponentSpec], **types: type) -> type[ComponentSpec]:
    """TFX's specification ``spec`` with more parameters, all optional: their types by name."""
    more = {name: ExecutionParameter(type=kind, optional=True) for name, kind in types.items()}
    return type(spec.__name__, (spec,), {"PARAMETERS": {**spec.PARAMETERS, **more}})


class WithParameters(base_component.BaseComponent):
    """Completes the specification that the constructor of TFX's component makes, before TFX checks it.

    It is the last base class, so that the constructor of TFX's component calls the constructor here::

        class Pusher(component.Pusher, WithParameters):
            SPEC_CLASS = with_parameters(PusherSpec, code=str)

            def __init__(self, code: str, **arguments):
                self.parameters = {"code": code}
                super().__init__(**arguments)

    Attributes:
      parameters: values by name of the parameters that TFX's specification does not have.
    """

    parameters: dict[str, Any]

    def __init__(self, spec: ComponentSpec, **arguments):
        given = {**spec.inputs, **spec.outputs, **spec.exec_properties, **self.parameters}
        super().__init__(spec=self.SPEC_CLASS(**given), **arguments)
