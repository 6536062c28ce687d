"""The statistics of a span beside those of the span before (drift) and of a log of serving (skew)."""

from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import artifact_utils

SPLIT = "train"  # the largest: what differs in the others may be chance


def compare(
    schema: schema_pb2.Schema,
    statistics: types.Artifact,
    previous: list[types.Artifact] | None,
    serving: list[types.Artifact] | None,
) -> tuple[anomalies_pb2.Anomalies, list[dict[str, Any]]]:
    """Compares the train split by the schema's comparators.

    Args:
      schema: whose drift_comparators and skew_comparators say what is compared, and how far it may be apart.
      statistics: ExampleStatistics of this span.
      previous: of the span before, one or none.
      serving: of a log of serving, one or none.

    Returns:
      the anomalies of the comparators alone; and every distance that was measured: ``feature``, ``with`` ("the span
      before", "the log of serving"), ``measure`` (of TFMD's DriftSkewInfo), ``value``, ``threshold``.
    """
    others = {"previous_statistics": previous, "serving_statistics": serving}
    compared = {name: _load(artifacts[0]) for name, artifacts in others.items() if artifacts}
    if not compared:
        return anomalies_pb2.Anomalies(), []
    found = tfdv.validate_statistics(_load(statistics), schema, **compared)
    anomalies, measured = anomalies_pb2.Anomalies(), []
    for name, info in found.anomaly_info.items():
        reasons = [reason for reason in info.reason if _is_of_comparator(reason)]
        if reasons:
            anomalies.anomaly_info[name].path.CopyFrom(info.path)
            anomalies.anomaly_info[name].reason.extend(reasons)
    for info in found.drift_skew_info:
        for other, measurements in (
            ("the span before", info.drift_measurements),
            ("the log of serving", info.skew_measurements),
        ):
            measured += [
                {
                    "feature": ".".join(info.path.step),
                    "with": other,
                    "measure": type(one).Type.Name(one.type).lower(),
                    "value": one.value,
                    "threshold": one.threshold,
                }
                for one in measurements
            ]
    return anomalies, measured


def _load(statistics: types.Artifact):
    """Of the train split, or, in a log of serving, of the only one."""
    splits = artifact_utils.decode_split_names(statistics.split_names)
    return stats_artifact_utils.load_statistics(statistics, SPLIT if SPLIT in splits else splits[0]).proto()


def _is_of_comparator(reason: anomalies_pb2.AnomalyInfo.Reason) -> bool:
    return anomalies_pb2.AnomalyInfo.Type.Name(reason.type).startswith("COMPARATOR_")
