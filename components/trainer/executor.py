"""Hands the number of passes on to run_fn."""

from typing import Any

from tfx import types
from tfx.components.trainer import executor
from tfx.types import standard_component_specs
from tfx.utils import json_utils

from components.timing import timed

EPOCHS = "epochs"


@timed
class Executor(executor.GenericExecutor):
    """TFX's executor of Trainer."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains.

        Args:
          input_dict: as TFX's.
          output_dict: as TFX's.
          exec_properties: as TFX's, and ``epochs``, if given, in place of `train.epochs` in ``custom_config``.
        """
        if EPOCHS in exec_properties:
            custom_config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
            custom_config["train"]["epochs"] = exec_properties[EPOCHS]
            changed = {standard_component_specs.CUSTOM_CONFIG_KEY: json_utils.dumps(custom_config)}
            exec_properties = exec_properties | changed
        super().Do(input_dict, output_dict, exec_properties)
