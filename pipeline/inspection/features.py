"""What is left: histories, numbers and names."""

import re

import numpy as np

from pipeline.inspection import words
from pipeline.inspection.columns import Column, constant_within
from pipeline.inspection.draft import Draft, Feature


def find_histories(draft: Draft) -> None:
    """Lists of past items; built from the log, where it knows users and times and has none."""
    data = draft.proposal.data
    items = set(draft.ids(draft.item_column.name).astype(str))
    for column in list(draft.left.values()):
        if not column.is_named(words.HISTORY):
            continue
        separator = column.list_separator(is_list=column.numbers is None)
        if not (separator or column.is_native_list):
            continue
        tokens = set(column.tokens(separator).astype(str))
        wanted = data.setdefault("list_separator", separator or " ")
        if separator and separator != wanted:
            draft.unsure(f"`{column.name}`: `{separator}` stands between its values, elsewhere `{wanted}`: not read")
            draft.left.pop(column.name)
            continue
        if data["list_separator"] == " ":
            del data["list_separator"]
        of = _of(draft, column, tokens, items)
        if of is None:
            continue  # looked at again with the other columns
        why = f"a list; its values are those of {of}"
        draft.take(column.name, draft.name(column.name), "role:history", f"of:{of}", why=why)
    has_user = any(feature.name == "user_id" for feature in draft.proposal.features)
    has_history = any(feature.role == "history" for feature in draft.proposal.features)
    if has_user and draft.time_column is not None and not has_history:
        data["history"] = {"build": True}
        why = "built from the log: the user's earlier positive items"
        draft.add(draft.new_name("history_item"), "role:history", "of:item_id", why=why)


def _of(draft: Draft, history: Column, tokens: set[str], items: set[str]) -> str | None:
    """The item feature whose past values a list holds: by name, else the smallest that has most of the values."""
    if history.is_named(words.ITEM):
        return "item_id"
    values = {"item_id": items}
    features = {feature.column: feature for feature in draft.proposal.features}
    for column in draft.columns.values():
        feature = features.get(column.name)
        of_items = column.name in draft.left if feature is None else feature.scope == "item"
        if of_items and (column.numbers is None or column.is_named(words.NAMED_BY_NUMBER)):
            name = feature.name if feature else draft.name(column.name)
            values.setdefault(name, set(column.present.astype(str).unique()) if column.distinct else set())
    plain = _without(words.HISTORY, history.name)
    if named := [name for name in values if _without(words.ITEM, name) == plain]:
        return named[0]
    shares = {name: len(tokens & those) / max(1, len(tokens)) for name, those in values.items()}
    fitting = [name for name, share in shares.items() if share >= 0.9 * max(shares.values()) and share > 0.1]
    return min(fitting, key=lambda name: len(values[name]), default=None)


def find_others(draft: Draft) -> None:
    """Numbers, names and positions."""
    for column in list(draft.left.values()):
        draft.left.pop(column.name)
        if column.distinct <= 1 and not column.is_native_list and column.list_separator() is None:
            draft.unsure(f"`{column.name}` has one value or none: not read")
            continue
        lists = column.is_native_list or column.list_separator() is not None
        if draft.separator is not None:
            if lists:
                draft.unsure(
                    f"`{column.name}`: a list that is neither of the items nor of a history that is known: not read"
                )
                continue
            scope = "request"
        else:
            if lists:
                draft.unsure(f"`{column.name}`: lists: not read")
                continue
            scope = _scope(draft, column)
        if column.is_named(words.POSITION) and draft.positives_only:
            draft.unsure(f"`{column.name}`: a sampled item was shown nowhere and has no place: not read")
            continue
        if scope == "item" and column.is_named(words.POSITION) and column.is_whole and np.nanmin(column.numbers) >= 1:
            options = {"domain": "int_domain { min: 1 }", "required": column.missing == 0, "why": "its name"}
            draft.take(column.name, draft.name(column.name), "role:position", **options)
            continue
        name = draft.name(column.name)
        if add_feature(draft, column, name, scope) is not None and name != column.name:
            draft.proposal.data.setdefault("columns", {})[name] = column.name


def _scope(draft: Draft, column: Column) -> str:
    if draft.positives_only and draft.groups.duplicated(keep=False).mean() < 0.1:  # nothing is there in groups
        of_item = constant_within(draft.log.rows[draft.item_column.name], column.values) > 0.9
        return "item" if of_item else "request"
    return "request" if constant_within(draft.groups, column.values) > 0.99 else "item"


def add_feature(draft: Draft, column: Column, name: str, scope: str) -> Feature | None:
    """A number or a name; None if it says nothing that a ranker can use."""
    numbers = column.numbers
    is_name = column.is_whole and column.is_named(words.NAMED_BY_NUMBER) and not column.is_named(words.MEASURE)
    if numbers is not None and not is_name:
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        if low == -1 and (numbers[numbers != -1] >= 0).all():
            low = 0
            draft.proposal.data.setdefault("missing", {})[name] = sorted({t for t in column.present if float(t) == -1})
            draft.unsure(f"`{column.name}`: -1 is taken for unknown")
        tags, domain = ["role:numeric"], ""
        if low >= 0:
            domain = "float_domain { min: 0 }"
            if high > 20 * max(1e-9, np.nanmedian(numbers)):
                tags.append("scale:log")
        why = f"numbers, {column.examples()}"
        return draft.add(name, *tags, scope=scope, domain=domain, column=column.name, why=why)
    if column.time_format is not None and column.numbers is None:
        draft.unsure(f"`{column.name}`: times, which no ranker reads: left out")
        return None
    tags = ["role:categorical", "min_count:5"]
    if column.distinct > 1000:
        tags.append("hash_buckets:16")
    if scope == "request" and column.distinct > 0.5 * len(column.present):
        draft.unsure(f"`{column.name}`: texts that seldom come twice, as a query's: left out")
        return None
    why = f"{column.distinct:,} names: {column.examples()}"
    return draft.add(name, *tags, scope=scope, column=column.name, why=why)


def _without(pattern: str, name: str) -> str:
    return re.sub(f"(^|_)({pattern})(?=_|$)", "", name).strip("_")
