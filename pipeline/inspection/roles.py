"""What a row is, whose, of which item, and what became of it."""

import re

import pandas as pd

from pipeline.inspection import words
from pipeline.inspection.columns import Column
from pipeline.inspection.draft import Draft
from pipeline.inspection.sample import Sample, Unreadable


def _lists_of_items(draft: Draft) -> str | None:
    """The separator if a row is a request: items and label are lists of the same lengths; "" of native lists."""
    items = [c for c in draft.columns.values() if c.is_named(words.ITEM) and not c.is_named(words.HISTORY)]
    labels = [
        c
        for c in draft.columns.values()
        if c.is_named(f"{words.LABEL}|{words.EVENT}") and not c.is_named(words.HISTORY)
    ]
    for item in items:
        for label in labels:
            for separator in (item.list_separator(), "" if item.is_native_list else None):
                if separator is None or item is label:
                    continue
                lengths = [_lengths(column.values, separator) for column in (item, label)]
                if (lengths[0] == lengths[1]).mean() > 0.95 and lengths[0].mean() > 1.5:
                    return separator
    return None


def find_layout(draft: Draft) -> None:
    """How the files are read: their format, and whether a row is an impression or a request."""
    draft.separator = _lists_of_items(draft)
    data = draft.proposal.data
    data["files"] = draft.log.pattern
    if not draft.log.named:
        data["format"] = draft.log.format
    if draft.log.header:
        data["header"] = list(draft.log.header)
        draft.unsure(f"{draft.log.pattern} has no header row: {how_named(draft.log)}")
    if draft.separator is not None:
        data["layout"] = "requests"
        if draft.separator:
            data["list_separator"] = draft.separator


def how_named(sample: Sample) -> str:
    """Where the names of a file without a header row are from."""
    names = ", ".join(sample.header[:20]) + (", ..." if len(sample.header) > 20 else "")
    return f"the names {names} are {'given' if sample.header_given else 'made up; --header=a,b,c gives others'}"


def _lengths(values: pd.Series, separator: str) -> pd.Series:
    if not separator:
        return values.map(lambda value: len(value) if isinstance(value, list) else 0)
    return values.fillna("").astype(str).str.split(separator, regex=False).str.len()


def find_item(draft: Draft) -> None:
    """The column of the item's name."""

    def fits(column):
        lists = draft.separator is not None
        return column.distinct > 1 if not lists else column.is_native_list or column.list_separator() is not None

    column = draft.best(
        words.ITEM, lambda c: fits(c) and not c.is_named(words.HISTORY) and not c.is_named(words.CATEGORY)
    )
    if column is None:
        raise Unreadable(
            f"{draft.log.files[0]}: no column looks like the item's name ({listed(draft)}); "
            + (
                "it has no header row: name its columns with --header=user_id,item_id,..."
                if draft.log.header
                else "call it item_id, or write the schema by hand (docs/your-own-log.md)"
            )
        )
    tags = ["role:item_id", "role:categorical", "min_count:5", "hash_buckets:64"]
    draft.item_column = column
    draft.take(column.name, "item_id", *tags, required=True, why="its name")


def find_label(draft: Draft) -> None:
    """The columns of what became of an item, the one to train by first."""
    labels = [column for column in draft.left.values() if _grades(draft, column) is not None]
    if not labels and draft.separator is None:
        _only_positives(draft)
        return
    if not labels:
        raise Unreadable(
            f"{draft.log.files[0]}: no column looks like what became of an item (0 and 1, or names as view, click, "
            "purchase)"
        )
    labels.sort(
        key=lambda c: (not c.is_named(words.CLICK), not c.is_named(words.LABEL), list(draft.columns).index(c.name))
    )
    for column in labels:
        grades = _grades(draft, column)
        highest = max(grades.values())
        if list(grades) != [str(grade) for grade in range(highest + 1)]:
            draft.proposal.data.setdefault("grades", {})[draft.name(column.name)] = grades
        draft.take(
            column.name,
            draft.name(column.name),
            "role:label",
            required=True,
            domain=f"int_domain {{ min: 0 max: {highest} }}",
            why=f"its name, and the values {', '.join(grades)}",
        )
    if len(labels) > 1:
        draft.proposal.other["model"] = {"tasks": [_name_of(draft, labels[0])]}
        others = ", ".join(column.name for column in labels[1:])
        draft.unsure(f"`{labels[0].name}` is trained and judged by; `model.tasks` can add {others}")


def _only_positives(draft: Draft) -> None:
    """A log that says nothing of what became of an item holds what was bought, read or rated."""
    texts = [*draft.columns, *(file.name for file in draft.log.files)]
    bought = any(Column(text, draft.groups).is_named(words.BOUGHT) for text in texts)
    name = draft.new_name("purchase" if bought else "interaction")
    draft.positives_only = True
    draft.proposal.data.setdefault("constants", {})[name] = 1
    domain = "int_domain { min: 0 max: 1 }"
    draft.add(name, "role:label", required=True, domain=domain, why="each row is taken for a positive")
    binary = [c.name for c in draft.left.values() if c.numbers is not None and set(c.numbers) == {0.0, 1.0}]
    draft.unsure(
        "no column says what became of an item: each row is taken for a positive, and negatives are sampled"
        + (f". Or is it {' or '.join(binary)}? Call that column click" if binary else "")
    )


def _name_of(draft: Draft, column: Column) -> str:
    return next(feature.name for feature in draft.proposal.features if feature.column == column.name)


def _grades(draft: Draft, column: Column) -> dict[str, int] | None:
    """{value: grade} of a column that may be a label."""
    values = column.present if draft.separator is None else column.tokens(draft.separator or None)
    texts = sorted(values.astype(str).unique())[:50]
    plain = [text.removesuffix(".0") for text in texts]
    if column.is_named(words.POSITION) or column.is_named(words.HISTORY):
        return None
    if set(plain) <= {"0", "1"} and len(plain) == 2 and column.is_named(words.LABEL):
        return {"0": 0, "1": 1} if plain == texts else {text: int(float(text)) for text in texts}
    if {text.lower() for text in texts} == {"true", "false"} and column.is_named(words.LABEL):
        return {text: int(text.lower() == "true") for text in texts}
    if not (column.is_named(words.LABEL) or column.is_named(words.EVENT)):
        return None
    whole = all(text.isdigit() for text in plain)
    if whole and 2 <= len(plain) <= 6 and max(map(int, plain)) <= 5:
        if min(map(int, plain)) == 0:
            return {str(grade): grade for grade in range(max(map(int, plain)) + 1)}
        draft.unsure(f"`{column.name}`: {texts[0]}, the lowest of {', '.join(texts)}, is taken for grade 0")
        return {text: grade for grade, text in enumerate(texts)}
    rank = {name: grade for grade, names in enumerate(words.GRADES) for name in names}
    ranks = {text: rank.get(re.sub("[^a-z]+", "_", text.lower()).strip("_")) for text in texts}
    known = {text: grade for text, grade in ranks.items() if grade is not None}
    if len(known) < 2 or len(known) < 0.5 * len(texts):
        return None
    if unknown := sorted(set(texts) - set(known)):
        draft.unsure(f"`{column.name}`: {', '.join(unknown)} are taken for no interest (grade 0)")
    order = {grade: place for place, grade in enumerate(sorted(set(known.values())))}
    return {text: order[known[text]] if text in known else 0 for text in texts}


def find_user(draft: Draft) -> None:
    """The column of the user, if there is one."""
    column = draft.best(words.USER, lambda c: c.distinct > 1 and not c.is_named(words.REQUEST))
    if column is not None:
        draft.take(column.name, "user_id", "role:user_id", required=column.missing == 0, why="its name")


def listed(draft: Draft) -> str:
    """Its columns for a message, with examples where their names say nothing."""
    columns = list(draft.columns.values())[:20]
    shown = [f"{c.name}: {c.examples()}" if draft.log.header else c.name for c in columns]
    return ", ".join(shown) + (", ..." if len(draft.columns) > 20 else "")
