"""When, in which split, and which rows are one request."""

import numpy as np
import pandas as pd

from pipeline.inspection import words
from pipeline.inspection.draft import Draft
from pipeline.inspection.roles import listed
from pipeline.inspection.sample import Unreadable


def find_timestamp(draft: Draft) -> None:
    """The column of the time; of several, the one with the shortest name."""
    times = [c for c in draft.left.values() if c.time_format and (c.is_named(words.TIME) or c.numbers is None)]
    ordered = [c for c in draft.left.values() if c.is_named(words.TIME) and c.is_whole and c not in times]
    column = next(iter([*sorted(times, key=lambda c: len(c.name)), *ordered]), None)
    domain, data = "int_domain { min: 0 }", draft.proposal.data
    options = {"required": True, "domain": domain}
    draft.time_column = column
    if column is None:
        data.setdefault("constants", {})["timestamp"] = 0
        draft.add("timestamp", "role:timestamp", why="no column of times", **options)
        data["split"] = {"by": "request", "fractions": {"train": 0.8, "valid": 0.1, "test": 0.1}}
        draft.unsure("there is no time: requests are divided by chance, not into earlier and later ones")
        return
    if column.time_format and column.time_format != "seconds":
        data["timestamp_format"] = column.time_format
    if not column.time_format:
        draft.unsure(f"`{column.name}` holds no times that are known; its order alone is used")
    draft.take(column.name, "timestamp", "role:timestamp", why=f"times as {column.time_format or 'numbers'}", **options)


def find_split(draft: Draft) -> None:
    """A column that names the splits, or a division by time."""
    for column in list(draft.left.values()):
        values = {str(value) for value in column.present.unique()} if column.distinct in (2, 3) else set()
        if values and all(value.lower() in words.SPLITS for value in values):
            draft.left.pop(column.name)
            found = {value: words.SPLITS[value.lower()] for value in sorted(values)}
            draft.proposal.data["split"] = {"by": "column", "column": column.name, "values": found}
            if len(found) < 3:
                draft.unsure(f"`{column.name}` names {', '.join(found)} in the rows looked at; three are needed")
                names = {"train": "train", "valid": "valid", "test": "test"}
                draft.proposal.data["split"]["values"] = {v: k for k, v in names.items() if k not in found.values()}
                draft.proposal.data["split"]["values"] |= found
            return
    draft.proposal.data.setdefault("split", {"by": "time", "fractions": {"train": 0.8, "valid": 0.1, "test": 0.1}})


def find_request(draft: Draft) -> None:
    """The columns that name a request; where there are positives alone, each is a request of its own."""
    rows = draft.log.rows
    if draft.separator is not None:

        def names_requests(column):
            of_query = column.is_named("query|search|qry") and not column.is_named("id")  # distinct in a few rows
            return column.distinct == len(rows) and not (column.missing or of_query or column.is_named(words.HISTORY))

        column = draft.best(words.REQUEST, names_requests)
        if column is not None:
            draft.take(column.name, "request_id", "role:request_id", required=True, why="its name, other in each row")
        else:
            draft.proposal.data.setdefault("columns", {})["request_id"] = "@row"
            draft.add("request_id", "role:request_id", required=True, column="@row", why="each row is a request")
        draft.groups = pd.Series(np.arange(len(rows)), index=rows.index)
        return

    def groups(column):
        return 1.3 <= len(column.present) / max(1, column.distinct) <= 1000 and column.missing < 0.05

    found = [
        c for c in draft.left.values() if c.is_named(words.REQUEST) and not c.is_named(words.CATEGORY) and groups(c)
    ]
    names = words.REQUEST.split("|")
    plain = min(found, key=lambda c: min(i for i, name in enumerate(names) if c.is_named(name)), default=None)
    if plain is not None:
        column = plain
        parts = [column.name]
        draft.left.pop(column.name)
        why = "its name; it groups the rows"
    else:
        parts = [feature.column for feature in draft.proposal.features if feature.name in ("user_id", "timestamp")]
        parts = [part for part in parts if part]
        if not parts:
            raise Unreadable(
                f"{draft.log.files[0]}: no column groups the rows into requests ({listed(draft)}); call it request_id"
            )
        why = "no column names requests: one user's rows of one time"
        if not draft.positives_only:
            draft.unsure("no column names requests: one user's rows of the same time are taken for one")
    draft.groups = _joined(rows, parts)
    again = pd.DataFrame({"request": draft.groups, "item": rows[draft.item_column.name]}).duplicated().mean()
    if again > 0.01 and not draft.positives_only:
        draft.proposal.data["duplicate_items"] = "merge"
        draft.unsure(f"{again:.0%} of the rows are of an item that is in the request already: they become one item")
    if draft.positives_only:
        parts, why = [*parts, draft.item_column.name], "each positive is a request; an item counts once"
        draft.proposal.data["duplicate_items"] = "merge"
    draft.request_parts = parts
    columns = draft.proposal.data.setdefault("columns", {})
    if parts != ["request_id"]:
        columns["request_id"] = parts[0] if len(parts) == 1 else parts
    draft.add("request_id", "role:request_id", required=True, column=" + ".join(parts), why=why)


def cut_between_times(draft: Draft) -> None:
    """Days are not divided: where there are few, fractions that reach the middle of one leave a split empty."""
    split = draft.proposal.data["split"]
    if draft.time_column is None or split["by"] != "time":
        return
    times, form = draft.time_column.values, draft.time_column.time_format or ""
    times = (
        pd.to_datetime(times, format=form, errors="coerce") if "%" in form else pd.to_numeric(times, errors="coerce")
    )
    rows = pd.DataFrame({"time": times, "group": draft.groups, "item": draft.log.rows.index})
    if draft.separator is None and not draft.positives_only:  # a request of one item is none
        rows["item"] = draft.log.rows[draft.item_column.name]
        rows = rows[rows.groupby("group")["item"].transform("nunique") > 1]
    shares = rows.groupby("group")["time"].min().value_counts(normalize=True).sort_index().to_numpy()
    if not 3 <= len(shares) <= 100:
        return
    before = np.concatenate([[0.0], np.cumsum(shares)])  # of requests, before each time
    test = max(2, int(np.searchsorted(before, 0.9, side="right")) - 1)
    test = min(test, len(shares) - 1)
    valid = max(1, min(test - 1, int(np.searchsorted(before, before[test] - 0.1, side="right")) - 1))
    ends = [round(float(before[place - 1] + before[place]) / 2, 3) for place in (valid, test)]
    split["fractions"] = {"train": ends[0], "valid": round(ends[1] - ends[0], 3), "test": round(1 - ends[1], 3)}
    draft.unsure(
        f"`{draft.time_column.name}` has {len(shares)} values, which are not divided: validation begins at the "
        f"{valid + 1}., test at the {test + 1}. of them"
    )


def _joined(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    return rows[columns].astype(str).agg("|".join, axis=1) if len(columns) > 1 else rows[columns[0]]
