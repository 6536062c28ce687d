"""Rows that do not become part of a request: why, where they stand, and the files that keep them."""

import base64
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import orjson
import pyarrow as pa
from tfx.dsl.io import fileio

REASONS = {
    "line_too_long": "malformed",
    "empty_line": "malformed",
    "nul_byte": "malformed",
    "bad_utf8": "malformed",
    "unclosed_quote": "malformed",
    "bad_quoting": "malformed",
    "wrong_column_count": "malformed",
    "bad_json": "malformed",
    "missing_value": "malformed",
    "bad_type": "malformed",
    "out_of_range": "malformed",
    "unknown_value": "malformed",
    "unequal_lists": "malformed",
    "duplicate_item": "malformed",
    "inconsistent_request": "malformed",
    "duplicate_key": "rule",  # in a table: the key's first row is the one that counts
    "too_few_items": "rule",
    "too_many_items": "rule",
    "repeated_item": "rule",  # where negatives are sampled: they are never what the user had before
    "items_cut": "note",  # the row stays in its request, some of its items do not
}
"""Each reason's kind: `malformed` counts towards `max_bad_fraction`, `rule` is what the configuration asks to leave
out, `note` is about a row that stays in its request and counts as no quarantined row."""

SUMMARY = "summary.json"
SCHEMA = pa.schema([("file", pa.int32()), ("line", pa.int64()), ("reason", pa.string()), ("detail", pa.string())])
_EXAMPLES = 3


class Findings:
    """What is wrong with the rows of one table; a row's first fault is the one that is kept.

    Attributes:
      bad: bool [rows], the rows at fault.
      found: (the rows' indices, reason, details) of each fault.
    """

    def __init__(self, rows: int):
        self.bad = np.zeros(rows, bool)
        self.found: list[tuple[np.ndarray, str, list[str]]] = []

    def add(self, mask: np.ndarray, reason: str, detail: Callable[[int], str] | str) -> None:
        """Marks the rows of ``mask`` (bool [rows]); ``detail`` may be a function of the row's index."""
        rows = np.flatnonzero(mask & ~self.bad)
        if rows.size:
            self.bad[rows] = True
            self.found.append((rows, reason, [detail if isinstance(detail, str) else detail(row) for row in rows]))

    def add_row(self, row: int, reason: str, detail: str) -> None:
        """Marks one row, unless it is marked already."""
        if not self.bad[row]:
            self.bad[row] = True
            self.found.append((np.array([row]), reason, [detail]))

    def table(self, file: int | np.ndarray, line: np.ndarray) -> pa.Table:
        """The faults as a table of `SCHEMA`; ``file`` and ``line`` [rows] say where each row stands."""
        rows = np.concatenate([rows for rows, _, _ in self.found] or [np.zeros(0, np.int64)])
        files = np.full(rows.size, file) if np.isscalar(file) else file[rows]
        reasons = [reason for rows, reason, _ in self.found for _ in range(len(rows))]
        details = [text for _, _, texts in self.found for text in texts]
        return fault_table(files, line[rows], reasons, details)


def fault_table(files: np.ndarray, lines: np.ndarray, reasons: list[str], details: list[str]) -> pa.Table:
    """A table of `SCHEMA`."""
    columns = [pa.array(files, pa.int32()), pa.array(lines, pa.int64()), pa.array(reasons, pa.string())]
    return pa.Table.from_arrays([*columns, pa.array(details, pa.string())], schema=SCHEMA)


def write_rows(path: str, name: str, rows: Iterable[tuple[bytes, int, str, str]]) -> dict:
    """Writes rows as gzipped JSON Lines: file, line, reason, kind, detail, row (the raw text).

    A row that is not UTF-8 has its broken bytes as ``\\xff`` in `row`, and the exact bytes in `row_base64`.

    Args:
      path: the file to write.
      name: the name of the file the rows stand in.
      rows: (raw row, line, reason, detail), in the order of lines.

    Returns:
      {reason: {"rows", "examples"}}, each example as [file, line, detail].
    """
    reasons: dict[str, dict] = {}
    with fileio.open(path, "wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        for raw, line, reason, detail in rows:
            record = {"file": name, "line": line, "reason": reason, "kind": REASONS[reason], "detail": detail}
            try:
                record["row"] = raw.decode()
            except UnicodeDecodeError:
                record["row"] = raw.decode(errors="backslashreplace")
                record["row_base64"] = base64.b64encode(raw).decode()
            packed.write(orjson.dumps(record) + b"\n")
            seen = reasons.setdefault(reason, {"rows": 0, "examples": []})
            seen["rows"] += 1
            if len(seen["examples"]) < _EXAMPLES:
                seen["examples"].append([name, line, detail])
    return reasons


def merge_reports(reports: Iterable[dict]) -> dict:
    """Adds up what the workers report, whatever their order: numbers are added, of examples the first three kept."""
    total: dict = {}
    for report in reports:
        for key, value in report.items():
            if isinstance(value, dict):
                total[key] = merge_reports([total.get(key, {}), value])
            elif isinstance(value, list):
                total[key] = sorted([*total.get(key, []), *value])[:_EXAMPLES]
            else:
                total[key] = total.get(key, 0) + value
    return total


def describe_reasons(reasons: dict[str, dict]) -> dict[str, dict]:
    """The reasons as they stand in the summary, the most frequent first."""
    return {
        name: {
            "kind": REASONS[name],
            "rows": found["rows"],
            "examples": [f"{file}:{line}" for file, line, _ in found["examples"]],
            "detail": found["examples"][0][2],
        }
        for name, found in sorted(reasons.items(), key=lambda pair: (-pair[1]["rows"], pair[0]))
    }


def failure(summary: dict, max_bad_fraction: float, left: str = "request") -> str | None:
    """Why the run must stop, or None: too many malformed rows, or nothing (no ``left``) left."""
    read, kept = summary["rows_read"], summary["rows_in_requests"]
    malformed = sum(reason["rows"] for reason in summary["reasons"].values() if reason["kind"] == "malformed")
    if malformed > max_bad_fraction * read:
        return (
            f"{malformed} of {read} rows ({malformed / read:.1%}) are malformed, `data.max_bad_fraction` allows "
            f"{max_bad_fraction:.1%}.{_top_reasons(summary)}"
        )
    if not kept:
        return f"no {left} is left of {read} rows.{_top_reasons(summary)}"
    return None


def _top_reasons(summary: dict) -> str:
    counted = [(name, reason) for name, reason in summary["reasons"].items() if reason["kind"] != "note"]
    return "".join(
        f"\n  {name} ({reason['kind']}): {reason['rows']} rows, e.g. {reason['examples'][0]}: {reason['detail']}"
        for name, reason in counted[:5]
    )


def read_summary(uri: str) -> dict:
    """The summary of a `Quarantine` artifact.

    Returns:
      {"rows_read", "rows_in_requests", "rows_quarantined", "items_cut": int,
      "negatives": None, or where they are sampled {"mark": a sentence for whoever quotes a figure,
      "items_sampled": {split: int} (part of `items`, and of no row), "requests_short": int (that got fewer than
      `per_positive` asks for)},
      "reasons": {reason: {"kind", "rows", "examples": [file:line], "detail"}},
      "tables": [{"files", "rows_read", "rows_kept", "rows_quarantined", "reasons"}],
      "requests": {split: int}, "items": {split: int}, "labels": {label: {split: {"positive_items",
      "requests_with_positive", "requests_with_both": int}}} (both: an item that is positive and one that is not),
      "seconds": float, "files": [name]}.
    """
    with fileio.open(os.path.join(uri, SUMMARY), "r") as file:
        return json.load(file)


def read_rows(uri: str) -> Iterator[dict]:
    """The quarantined rows of a `Quarantine` artifact, file by file in the order of lines."""
    for path in sorted(fileio.glob(os.path.join(uri, "*.jsonl.gz"))):
        with fileio.open(path, "rb") as file, gzip.open(file) as lines:
            yield from map(orjson.loads, lines)
