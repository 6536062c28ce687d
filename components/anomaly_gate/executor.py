"""Lists the anomalies of all splits with the figures behind them, and stops the run or warns."""

import json
import os
import re
from typing import Any

from tensorflow_data_validation.utils import anomalies_util
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME as ANOMALIES_FILE
from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME as SCHEMA_FILE
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from common.progress import progress
from common.warnings import keep_warnings
from components.anomaly_gate.comparisons import SPLIT, compare
from components.anomaly_gate.positives import faults
from components.click_log_example_gen.quarantine import read_summary
from components.timing import timed

REPORT_FILE = "anomalies.json"
COMPARISONS_FILE = "comparisons.json"
_DATASET = "whole split"
# TFDV's words, and what they mean for the schemas used here.
_CLEARER = {
    "INVALID_FEATURE_SHAPE": "some requests have no value, or several; `shape {}` asks for exactly one",
    "SCHEMA_NEW_COLUMN": "the requests have it, the schema does not",
    "SCHEMA_MISSING_COLUMN": "the schema has it, the requests do not",
}


class AnomalyError(RuntimeError):
    """The data has anomalies and the run is to stop."""


@timed
class Executor(base_executor.BaseExecutor):
    """Executor of AnomalyGate."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads the anomalies, writes the report, and raises if there are any.

        Args:
          input_dict: ``statistics``: one ExampleStatistics; ``anomalies``: one ExampleAnomalies; ``schema``: one
            Schema; ``previous_statistics`` and ``serving_statistics``: one ExampleStatistics each, or none;
            ``quarantine``: one Quarantine, or none.
          output_dict: ``report``: one AnomalyReport. Its ``anomalies.json`` is a list, one entry an anomaly:
            ``split``, ``feature``, ``type`` (of TFMD's AnomalyInfo.Type), ``short_description``,
            ``description``, and ``figures``, a dictionary of the feature's statistics in the split. Its
            ``comparisons.json`` has the distances that `comparisons.compare` measured; `common.warnings.WARNINGS_FILE`
            the anomalies that did not stop the run.
          exec_properties: ``on_anomaly``: "stop" or "warn"; ``labels``: JSON, as `positives.faults` takes them.

        Raises:
          AnomalyError: if there is an anomaly and ``on_anomaly`` is "stop"; and, whatever it is, if the log leaves
            nothing to learn or to judge.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        splits = artifact_utils.decode_split_names(anomalies.split_names)
        found = []
        for split in splits:
            path = os.path.join(artifact_utils.get_split_uri([anomalies], split), ANOMALIES_FILE)
            dataset = stats_artifact_utils.load_statistics(statistics, split).proto().datasets[0]
            found += [{"split": split, **entry} for entry in _read(anomalies_util.load_anomalies_binary(path), dataset)]
        comparators, measured = compare(
            io_utils.SchemaReader().read(
                os.path.join(artifact_utils.get_single_uri(input_dict["schema"]), SCHEMA_FILE)
            ),
            statistics,
            input_dict.get("previous_statistics"),
            input_dict.get("serving_statistics"),
        )
        if SPLIT in splits:
            dataset = stats_artifact_utils.load_statistics(statistics, SPLIT).proto().datasets[0]
            found += [{"split": SPLIT, **entry} for entry in _features(comparators, dataset)]

        folder = artifact_utils.get_single_uri(output_dict["report"])
        fileio.makedirs(folder)
        with fileio.open(os.path.join(folder, COMPARISONS_FILE), "w") as file:
            file.write(json.dumps(measured, indent=2) + "\n")
        with fileio.open(os.path.join(folder, REPORT_FILE), "w") as file:
            file.write(json.dumps(found, indent=2) + "\n")
        if hopeless := self._hopeless(input_dict.get("quarantine"), json.loads(exec_properties.get("labels") or "[]")):
            raise AnomalyError("\n".join([*hopeless, *([_message(found, stopped=True)] if found else [])]))
        if not found:
            progress.info(f"no anomaly in {', '.join(splits)}")
        elif exec_properties["on_anomaly"] == "stop":
            raise AnomalyError(_message(found, stopped=True))
        else:
            with keep_warnings(folder):
                progress.warning(_message(found, stopped=False))

    def _hopeless(self, quarantine: list[types.Artifact] | None, labels: list[str]) -> list[str]:
        if not (quarantine and labels):
            return []
        found = faults(read_summary(artifact_utils.get_single_uri(quarantine)), labels)
        return ["the log leaves nothing to learn or to judge:", *(f"  {fault}" for fault in found)] if found else []


def _message(found: list[dict[str, Any]], stopped: bool) -> str:
    """A line an anomaly, and how to go on."""
    lines = [f"{len(found)} {'anomaly' if len(found) == 1 else 'anomalies'} in the data:"]
    for entry in found:
        line = f"  {entry['split']}: {entry['feature']}: {entry['short_description']}: {entry['description']}"
        figures = ", ".join(f"{name} {_number(value)}" for name, value in entry["figures"].items())
        lines.append(f"{line} ({figures})" if figures else line)
    lines.append(
        "To go on: mend the log; or, if the data is right, the feature's entry in the schema file; or set "
        "`validation.on_anomaly: warn`"
        if stopped
        else "Going on, as `validation.on_anomaly: warn` says"
    )
    return "\n".join(lines)


def _read(anomalies: anomalies_pb2.Anomalies, dataset: statistics_pb2.DatasetFeatureStatistics) -> list[dict[str, Any]]:
    """The anomalies of one split: of the whole split first, then of its features in order of their names."""
    found = []
    of_dataset = {"requests": dataset.num_examples}
    if anomalies.data_missing or not dataset.num_examples:
        found.append(
            _entry(
                _DATASET, "DATA_MISSING", "No data", "no request is in it; others in `data.split` move some", of_dataset
            )
        )
    if anomalies.HasField("dataset_anomaly_info"):
        found += _reasons(_DATASET, anomalies.dataset_anomaly_info, of_dataset)
    return found + _features(anomalies, dataset)


def _features(
    anomalies: anomalies_pb2.Anomalies, dataset: statistics_pb2.DatasetFeatureStatistics
) -> list[dict[str, Any]]:
    """The anomalies of features, in order of their names."""
    of_dataset, found = {"requests": dataset.num_examples}, []
    statistics = {_name(feature): feature for feature in dataset.features}
    for key, info in sorted(anomalies.anomaly_info.items()):
        name = _name(info) or key
        figures = _figures(statistics[name], dataset.num_examples) if name in statistics else dict(of_dataset)
        found += _reasons(name, info, figures)
    return found


def _reasons(feature: str, info: anomalies_pb2.AnomalyInfo, figures: dict[str, float]) -> list[dict[str, Any]]:
    name_of = anomalies_pb2.AnomalyInfo.Type.Name
    return [
        _entry(feature, name_of(reason.type), reason.short_description, reason.description, figures)
        for reason in info.reason
    ] or [_entry(feature, name_of(0), info.short_description, info.description, figures)]


def _entry(feature: str, kind: str, short: str, description: str, figures: dict[str, float]) -> dict[str, Any]:
    description = _CLEARER.get(kind, re.sub(r" ?\(up ?to six significant digits\)", "", description).rstrip(" ."))
    return {
        "feature": feature,
        "type": kind,
        "short_description": short.rstrip("."),
        "description": description,
        "figures": figures,
    }


def _figures(feature: statistics_pb2.FeatureNameStatistics, requests: int) -> dict[str, float]:
    """What the statistics say of a feature in a split: how much there is of it, and its range."""
    statistics = getattr(feature, feature.WhichOneof("stats"))
    common = statistics.common_stats
    figures = {"requests": requests, "values": common.tot_num_values}
    if common.num_non_missing < requests:
        figures["requests without it"] = requests - common.num_non_missing
    if common.max_num_values > 1:
        figures |= {"fewest in a request": common.min_num_values, "most": common.max_num_values}
    if feature.HasField("num_stats"):
        histograms = feature.num_stats.histograms
        figures |= {"min": feature.num_stats.min, "max": feature.num_stats.max}
        if histograms and histograms[0].num_nan:
            figures["NaN"] = histograms[0].num_nan
    elif feature.HasField("string_stats"):
        figures["distinct"] = feature.string_stats.unique
    return figures


def _name(message: anomalies_pb2.AnomalyInfo | statistics_pb2.FeatureNameStatistics) -> str:
    return ".".join(message.path.step)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
