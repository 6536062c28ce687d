"""The tables of an ablation as CSV files, for programs and spreadsheets."""

import csv
import pathlib
from collections.abc import Iterable

from common.escaping import cell
from reporting.metrics import COMPARED, SHOWN


def write(result: dict, folder: pathlib.Path) -> None:
    """Writes `overall.csv` and `slices.csv`.

    Args:
      result: the content of `ablation.json`, see `pipeline.ablation.compare.compare`.
      folder: where to write.
    """
    _write_csv(folder / "overall.csv", _overall_rows(result))
    _write_csv(folder / "slices.csv", _slice_rows(result))


def _overall_rows(result: dict) -> Iterable[dict]:
    for label, variant in result["variants"].items():
        row = {"variant": label}
        for name in SHOWN:
            row |= {key: variant["metrics"][name][part] for key, part in _mean_and_deviation(name)}
        for baseline in result["baselines"]:
            for metric in COMPARED:
                found = variant["differences"].get(baseline, {}).get(metric) or {}
                for part in ("mean", "low", "high", "p_value"):
                    row[f"{metric}_minus_{baseline}_{part}"] = found.get(part)
        row |= {name: variant[name] for name in ("parameters", "training_seconds", "items_per_second")}
        row |= {key: (variant["silhouette"] or {}).get(part) for key, part in _mean_and_deviation("silhouette")}
        yield row | {"share_of_oracle": variant["share_of_oracle"]}


def _slice_rows(result: dict) -> Iterable[dict]:
    for dimension, parts in result["slices"].items():
        for part in parts:
            for label, session_auc in part["session_auc"].items():
                found = part["differences"].get(label) or {}
                yield {
                    "dimension": dimension,
                    "slice": cell(part["name"]),
                    "requests": part["requests"],
                    "variant": label,
                    "session_auc": session_auc,
                    "baseline": result["baselines"][0],
                    **{f"difference_{name}": found.get(name) for name in ("mean", "low", "high", "p_value")},
                }


def _mean_and_deviation(name: str) -> list[tuple[str, str]]:
    return [(f"{name}_{part}", part) for part in ("mean", "standard_deviation")]


def _write_csv(path: pathlib.Path, rows: Iterable[dict]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
