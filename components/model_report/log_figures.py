"""What was read of the log and what became of it."""

import json
import os

from tfx.dsl.io import fileio

from components.anomaly_gate.executor import COMPARISONS_FILE, REPORT_FILE
from components.click_log_example_gen.quarantine import read_rows, read_summary
from models.inputs.hierarchy import CategoryHierarchy
from reporting.content import Data, QuarantineReason

_EXAMPLES = 3
_ROWS_LOOKED_AT = 100_000  # of the quarantine, for examples: it may be as large as the log


def log_figures(quarantine: str, anomaly_report: str, hierarchy: CategoryHierarchy) -> Data:
    """Counts, quarantine, anomalies and distances.

    Args:
      quarantine: folder of the Quarantine artifact.
      anomaly_report: folder of the AnomalyReport artifact.
      hierarchy: of the training split.
    """
    summary = read_summary(quarantine)
    found = _read(anomaly_report, REPORT_FILE)
    measured = _read(anomaly_report, COMPARISONS_FILE)
    return Data(
        rows_read=summary["rows_read"],
        rows_in_requests=summary["rows_in_requests"],
        rows_quarantined=summary["rows_quarantined"],
        requests=summary["requests"],
        items=summary["items"],
        categories={level.feature: len(level.keys) for level in hierarchy.levels},
        quarantine=_reasons(quarantine, summary["reasons"]),
        anomalies=[
            f"{one['split']}: {one['feature']}: {one['short_description']}: {one['description']}" for one in found
        ],
        drift=[
            f"{one['feature']}, compared with {one['with']}: {one['measure']} {one['value']:.4g}, "
            f"{'above' if one['value'] > one['threshold'] else 'within'} the bound of {one['threshold']:.4g}"
            for one in measured
        ],
    )


def _reasons(quarantine: str, reasons: dict[str, dict]) -> list[QuarantineReason]:
    """Each with its first rows; their text stays in the quarantine, for it may hold what a user searched for."""
    wanted = {name: min(_EXAMPLES, reason["rows"]) for name, reason in reasons.items()}
    examples: dict[str, list[str]] = {name: [] for name in reasons}
    for place, row in enumerate(read_rows(quarantine) if reasons else ()):
        if place >= _ROWS_LOOKED_AT or all(len(examples[name]) >= wanted[name] for name in wanted):
            break
        if len(examples[row["reason"]]) < _EXAMPLES:
            examples[row["reason"]].append(f"{row['file']}:{row['line']}: {row['detail']}")
    for name, reason in reasons.items():
        examples[name] = examples[name] or [f"{reason['examples'][0]}: {reason['detail']}"]
    return [
        QuarantineReason(reason=name, rows=reason["rows"], examples=examples[name]) for name, reason in reasons.items()
    ]


def _read(folder: str, name: str) -> list[dict]:
    path = os.path.join(folder, name)
    if not fileio.exists(path):
        return []
    with fileio.open(path) as file:
        return json.load(file)
