"""Measures the model, compares it with the last blessed one, and writes the one blessing there is."""

import json
import math
import os
from typing import Any

from tfx import types
from tfx.components.evaluator import constants, executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from common.files import WITHDRAWN
from common.progress import progress
from common.warnings import keep_warnings
from components.evaluator.config import EvaluationConfig
from components.evaluator.judgement import reasons_against
from components.evaluator.metrics import read_metrics
from components.evaluator.signatures import broken_calls, read_signatures, reads_the_same_log
from components.timing import timed

BOUNDS = "bounds"
REASONS_FILE = "reasons.json"
SESSION_AUC = "session_auc"
# Of a model: the version as which it was pushed, and from which `pipeline rollback` went back.


@timed
class Executor(executor.Executor):
    """TFX's executor of Evaluator, whose configuration holds no threshold and which therefore blesses nothing."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the model and blesses it, or says why not.

        Args:
          input_dict: as TFX's: ``examples``, ``model``, and ``baseline_model``, if there is one to compare with.
          output_dict: ``evaluation``, as TFX's; ``blessing``: with TFX's properties and files, the session AUC as
            property ``session_auc``, and ``reasons.json``: a list of lines, empty if the model is blessed.
          exec_properties: as TFX's, and ``bounds``: JSON with ``config``, an `EvaluationConfig`, and ``categories``,
            the slicing features whose large values are held to bounds of their own.
        """
        given = json.loads(exec_properties[BOUNDS])
        bounds = EvaluationConfig.model_validate(given["config"])
        model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
        baselines = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or []
        reasons, comparable = [], True
        if version := model.get_int_custom_property(WITHDRAWN):
            reasons.append(
                f"this very model was pushed as version {version} and taken back; `python -m pipeline rollback "
                f"--to={version}` serves it again"
            )
        for baseline in baselines:
            new, old = (read_signatures(_saved_model(artifact)) for artifact in (model, baseline))
            if not bounds.allow_signature_change:
                reasons += [
                    f"{broken}: calls that the last blessed model answers would fail "
                    "(`evaluation.allow_signature_change`)"
                    for broken in broken_calls(new, old)
                ]
            comparable = reads_the_same_log(new, old)
        if not comparable:
            baselines = []
        super().Do(input_dict | {standard_component_specs.BASELINE_MODEL_KEY: baselines}, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_uri(output_dict[standard_component_specs.EVALUATION_KEY])
        metrics = read_metrics(evaluation)
        reasons += reasons_against(metrics, read_metrics(evaluation, baseline=True), bounds, given["categories"])

        [blessing] = output_dict[standard_component_specs.BLESSING_KEY]
        _write(blessing, model, baselines, reasons)
        if not comparable:
            with keep_warnings(blessing.uri):
                progress.warning(
                    "the last blessed model asks for features that this log does not have: the new one is judged alone"
                )
        session_auc = metrics[""][""]["session_auc"]
        if math.isfinite(session_auc):  # which it is not without a click; JSON has no NaN
            blessing.set_float_custom_property(SESSION_AUC, session_auc)
        for reason in reasons:
            progress.warning("not blessed: %s", reason)


def _saved_model(model: types.Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _write(
    blessing: types.Artifact, model: types.Artifact, baselines: list[types.Artifact], reasons: list[str]
) -> None:
    """As TFX's executor does, which Pusher and resolvers rely on, and the reasons."""
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for baseline in baselines:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    value, name = (
        (constants.NOT_BLESSED_VALUE, constants.NOT_BLESSED_FILE_NAME)
        if reasons
        else (constants.BLESSED_VALUE, constants.BLESSED_FILE_NAME)
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    fileio.makedirs(blessing.uri)
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    io_utils.write_string_file(os.path.join(blessing.uri, REASONS_FILE), json.dumps(reasons, indent=2) + "\n")
