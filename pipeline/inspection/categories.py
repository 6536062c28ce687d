"""The category path: columns of which each decides the one above."""

import pandas as pd

from pipeline.inspection import words
from pipeline.inspection.columns import Column, constant_within, maps_to
from pipeline.inspection.draft import Draft, Feature


def find_categories(draft: Draft) -> None:
    """The levels of the query: its own columns, a path in one column, or what its candidates are."""
    own = _chain([c for c in draft.left.values() if _is_level(c) and _is_the_query_s(c, draft.groups)])
    if len(own) < 2 and draft.separator is None and _path_in_one_column(draft):
        return
    if own:
        draft.levels = [column.values for column in own]
        _levels(draft, own)
        return
    if _candidates(draft):
        return
    draft.unsure(
        "no category was found: all requests are given one, `category_1`, and a mixture has nothing to tell apart"
    )
    for level in (1, 2):
        feature = _level(draft, level, "", "no column of categories")
        draft.proposal.data.setdefault("constants", {})[feature.name] = "all"
    draft.proposal.other.setdefault("model", {})["variant"] = "dnn"


def _is_level(column: Column) -> bool:
    named = column.is_named(words.CATEGORY) and not column.is_named(f"{words.MEASURE}|{words.HISTORY}|name")
    return named and not column.is_native_list and 2 <= column.distinct <= max(50, len(column.values) // 2)


def _level(draft: Draft, level: int, column: str, why: str, name: str = "") -> Feature:
    name = name or draft.new_name(f"category_{level}", "query_")
    tags = ["role:category", f"level:{level}"]
    if column:
        return draft.take(column, name, *tags, required=True, why=why)
    return draft.add(name, *tags, required=True, why=why)


def _path_in_one_column(draft: Draft) -> bool:
    for column in [c for c in draft.left.values() if c.is_named(words.CATEGORY) and c.numbers is None]:
        texts = column.present.astype(str)
        for separator in words.PATH_SEPARATORS:
            parts = texts.str.split(separator, regex=False)
            depth = parts.str.len()
            if not len(depth) or (depth > 1).mean() < 0.5 or parts.str[0].nunique() > column.distinct / 2:
                continue
            levels = int(depth.quantile(0.95))
            draft.proposal.data["category_path"] = {"column": column.name, "separator": separator}
            if separator == ".":
                del draft.proposal.data["category_path"]["separator"]
            draft.left.pop(column.name)
            for level in range(1, levels + 1):
                _level(draft, level, "", f"part {level} of {column.name}, {separator!r} between them")
            _divide(draft, column)
            return True
    return False


def _divide(draft: Draft, column: Column) -> None:
    """Where a session has rows of several categories, a request is what it saw of one."""
    if draft.positives_only or constant_within(draft.groups, column.values) > 0.95:
        return
    by = column
    for other in draft.left.values():  # an id of the category stands in rows without its name, too
        if other.is_named("category|cat|cate") and other.missing < column.missing and is_finer(other, column):
            by = other
    draft.left.pop(by.name, None)
    draft.proposal.data["columns"]["request_id"] = [*draft.request_parts, by.name]
    feature = next(f for f in draft.proposal.features if f.name == "request_id")
    feature.column, feature.why = " + ".join([*draft.request_parts, by.name]), "one category of a session"
    draft.unsure(
        f"`{' + '.join(draft.request_parts)}` holds rows of several categories: a request is what it has of one"
    )
    # Events, not lists that were shown: an item comes up in several of them.
    draft.proposal.data["duplicate_items"] = "merge"


def is_finer(finer: Column, coarser: Column) -> bool:
    """Whether a column's value nearly always decides that of another."""
    return maps_to(finer.values, coarser.values) >= words.STRICT


def _is_the_query_s(column: Column, request: pd.Series) -> bool:
    return constant_within(request, column.values) >= words.STRICT and column.missing <= 0.5


def _chain(columns: list[Column]) -> list[Column]:
    """Columns of which each decides the one before it, the coarsest first."""
    chain = []
    for column in sorted(columns, key=lambda c: c.distinct):
        if not chain or (column.distinct > chain[-1].distinct and is_finer(column, chain[-1])):
            chain.append(column)
    return chain


def _levels(draft: Draft, chain: list[Column]) -> None:
    """Levels that the query itself has: the same in all rows of a request."""
    _top_of(draft, chain)
    for level, column in enumerate(chain, 1 + (len(chain) == 1)):
        _level(draft, level, column.name, f"the same in a request, {column.distinct} values", draft.name(column.name))


def _top_of(draft: Draft, chain: list[Column]) -> None:
    """A hierarchy has two levels at least: over a single one stands one that holds all."""
    if len(chain) == 1:
        name = draft.new_name("category_all")
        draft.proposal.data.setdefault("constants", {})[name] = "all"
        _level(draft, 1, "", f"over all {chain[0].name}", name)
        draft.unsure(f"`{chain[0].name}` is the only level of categories: one that holds all stands over it")


def _top_of_candidates(draft: Draft, only: Column) -> Column:
    """Over the only level that the items have: one that holds all."""
    draft.unsure(f"`{only.name}` is the only level of categories: one that holds all stands over it")
    name = draft.new_name("category_all")
    draft.proposal.data.setdefault("constants", {})[name] = "all"
    draft.add(name, "role:hidden", scope="item", why=f"over all {only.name}")
    return Column(name, pd.Series("all", index=only.values.index))


def _candidates(draft: Draft) -> bool:
    """Levels that the items have: the query's path is the most frequent of its candidates'."""
    own = {draft.name(column.name): column for column in draft.left.values() if _is_level(column)}
    found = [Column(name, column.values) for name, column in own.items()]
    found += [Column(name, values) for name, values in draft.table_columns.items() if _is_level(Column(name, values))]
    chain = _chain([c for c in found if c.missing < 0.5])
    if not chain:
        return False
    if len(chain) == 1:
        chain.insert(0, _top_of_candidates(draft, chain[0]))
    if draft.separator is None:
        draft.levels = [column.values for column in chain]
    draft.proposal.data["category_path"] = {"candidates": [column.name for column in chain]}
    for level, column in enumerate(chain, 1):
        if column.name in own:
            tags = ["role:categorical", "min_count:5"]
            draft.take(own[column.name].name, column.name, *tags, scope="item", why="a category of the item")
        of = "of the positive item" if draft.positives_only else "the most frequent of the candidates"
        _level(draft, level, "", f"{column.name} {of}")
    return True
