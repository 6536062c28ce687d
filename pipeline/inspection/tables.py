"""Tables beside the log, joined by a column that knows its items or users."""

import pandas as pd

from pipeline.inspection import words
from pipeline.inspection.columns import Column
from pipeline.inspection.draft import Draft
from pipeline.inspection.features import add_feature
from pipeline.inspection.roles import how_named


def join_tables(draft: Draft) -> None:
    """Adds the columns of tables whose key is the item or the user."""
    joins: list[dict] = []
    users = next((f.column for f in draft.proposal.features if f.name == "user_id"), None)
    for table in draft.tables:
        keys = [("item_id", draft.item_column.name, words.ITEM), *([("user_id", users, words.USER)] if users else [])]
        found = max(
            (
                (_overlap(draft.ids(mine), values), Column(key, values).is_named(named), match, mine, key)
                for match, mine, named in keys
                for key, values in table.rows.items()
            ),
            key=lambda of: (of[0] >= words.SMALLEST_OVERLAP, of[1], of[0]),  # numbers are often both
            default=(0.0, False, "", "", ""),
        )
        overlap, _, match, mine, key = found
        name = ", ".join(file.name for file in table.files)
        if overlap < words.SMALLEST_OVERLAP:
            draft.unsure(f"{name}: no column holds the log's items or users; it is not read")
            continue
        join = {"files": table.pattern, **({} if table.named else {"format": table.format})}
        if table.header:
            join["header"] = list(table.header)
            draft.unsure(f"{name} has no header row: {how_named(table)}")
        joins.append(join | {"key": key, "match": match, "columns": {}})
        if overlap < 0.95:
            draft.unsure(f"{name}: `{key}` knows {overlap:.0%} of the log's {mine} in the rows looked at")
        rows = table.rows.drop_duplicates(key).set_index(key)
        for column in rows:
            _table(draft, column, rows, mine, match, joins[-1])
    if joins:
        draft.proposal.data["tables"] = joins


def _table(draft: Draft, column: str, rows: pd.DataFrame, mine: str, match: str, join: dict) -> None:
    name = draft.new_name(column, "item_" if match == "item_id" else "user_", unlike=draft.left)
    found = Column(column, rows[column])
    if not found.distinct or found.distinct == 1:
        return
    scope = "item" if match == "item_id" else "request"
    feature = add_feature(draft, found, name, scope)
    if feature is None:
        return
    join["columns"][name] = column
    feature.column = f"{column} of {join['files']}"
    if match == "item_id":
        of_table = rows[column]
        draft.table_columns[name] = of_table if draft.separator is not None else draft.log.rows[mine].map(of_table)


def _overlap(mine: pd.Series, theirs: pd.Series) -> float:
    """The share of distinct values that are in a table's column, 0 if that is no key."""
    present = theirs.dropna()
    if (
        not len(present)
        or present.map(lambda value: isinstance(value, list)).any()
        or present.nunique() < 0.99 * len(present)
    ):
        return 0.0
    return float(mine.astype(str).isin(set(present.astype(str))).mean()) if len(mine) else 0.0
