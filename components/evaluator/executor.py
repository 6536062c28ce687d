"""Measures the model, compares it with the last blessed one, and writes the one blessing of the run."""

import json
import math
import os
from typing import Any

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from common.files import WITHDRAWN
from common.progress import progress
from components.evaluator.config import EvaluationConfig
from components.evaluator.judgement import reasons_against
from components.evaluator.measure import measure, with_baseline
from components.evaluator.metrics import read_metrics
from components.evaluator.signatures import broken_calls, read_signatures
from components.scoring import saved_model
from components.split_scorer.request_scores import has_baseline
from components.timing import timed

REASONS_FILE = "reasons.json"
SESSION_AUC = "session_auc"


@timed
class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of Evaluator."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the model and blesses it, or says why not.

        Args:
          input_dict: ``scores``; ``model``; ``baseline_model``, if there is a blessed model. It is compared with if
            ``scores`` has scores of its own.
          output_dict: ``evaluation``, as TFX's; ``blessing``: with TFX's properties and files, the session AUC as
            property ``session_auc``, and ``reasons.json``: a list of lines, empty if the model is blessed.
          exec_properties: ``eval_config``: JSON of a tfma.EvalConfig; ``bounds``: JSON with ``config``, an
            `EvaluationConfig`, and ``categories``, the slicing features whose large values are held to bounds of their
            own.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        given = json.loads(exec_properties["bounds"])
        bounds = EvaluationConfig.model_validate(given["config"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        baselines = input_dict.get("baseline_model") or []
        reasons = []
        if version := model.get_int_custom_property(WITHDRAWN):
            reasons.append(
                f"this very model was pushed as version {version} and taken back; `python -m pipeline rollback "
                f"--to={version}` serves it again"
            )
        if not bounds.allow_signature_change:
            reasons += [
                f"{broken}: calls that the last blessed model answers would fail (`evaluation.allow_signature_change`)"
                for baseline in baselines
                for broken in broken_calls(*(read_signatures(saved_model(one)) for one in (model, baseline)))
            ]
        scores = artifact_utils.get_single_uri(input_dict["scores"])
        evaluation = artifact_utils.get_single_uri(output_dict["evaluation"])
        config = proto_utils.json_to_proto(exec_properties["eval_config"], tfma.EvalConfig())
        if has_baseline(scores):
            config = with_baseline(config)
        else:
            baselines = []
        with self._make_beam_pipeline() as pipeline:
            measure(pipeline, scores, config, evaluation)
        metrics = read_metrics(evaluation)
        reasons += reasons_against(metrics, read_metrics(evaluation, baseline=True), bounds, given["categories"])

        [blessing] = output_dict["blessing"]
        _write(blessing, model, baselines, reasons)
        session_auc = metrics[""][""]["session_auc"]
        if math.isfinite(session_auc):  # which it is not without a click; JSON has no NaN
            blessing.set_float_custom_property(SESSION_AUC, session_auc)
        for reason in reasons:
            progress.warning("not blessed: %s", reason)


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
