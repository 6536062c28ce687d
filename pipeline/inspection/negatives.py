"""Negatives for a log of positives only."""

import pandas as pd

from pipeline.inspection.draft import Draft

_PER_POSITIVE = 4


def propose_negatives(draft: Draft) -> None:
    """Samples them from the deepest level of categories whose shelves hold enough items, for most of the rows."""
    if not draft.positives_only:
        return
    items = draft.log.rows[draft.item_column.name]
    negatives: dict = {"per_positive": _PER_POSITIVE}
    names = [feature.name for feature in draft.proposal.features if feature.role == "category"]
    enough = [_share_with_others(items, draft.levels[:depth]) for depth in range(1, len(draft.levels) + 1)]
    level = max((depth for depth, share in enumerate(enough, 1) if share >= 0.8), default=len(enough))
    if level < len(enough):
        negatives["level"] = level
        draft.unsure(
            f"negatives are sampled from the same `{names[level - 1]}`, and the levels below it are left out: only "
            f"{enough[level]:.0%} of the rows have {_PER_POSITIVE} other items there"
        )
    own = [
        feature.column
        for feature in draft.proposal.features
        if feature.scope == "item" and feature.column in draft.columns and feature.role != "item_id"
    ]
    if own:
        listed = ", ".join(f"`{name}`" for name in own)
        draft.unsure(
            f"{listed}: an item has the values of its first row, bought or sampled; take out of the schema what nobody "
            "knows before an item is bought"
        )
    users = next((feature.column for feature in draft.proposal.features if feature.name == "user_id"), None)
    if users is None:
        negatives["exclude"] = "request"
        draft.unsure("no column names users: a negative may be what its user bought another time")
    else:
        again = pd.DataFrame({"user": draft.log.rows[users], "item": items}).duplicated().mean()
        if again > 0.01:
            draft.unsure(
                f"{again:.0%} of the rows are of an item that their user had before. They go to the quarantine, for "
                "negatives are never a user's own items and the history would tell; `data.negatives.exclude: request` "
                "keeps them, and draws the user's own items, too"
            )
    draft.proposal.data["negatives"] = negatives


def _share_with_others(items: pd.Series, levels: list[pd.Series]) -> float:
    """The share of rows whose shelf has enough items besides their own."""
    shelves = pd.concat([level.fillna("") for level in levels], axis=1).astype(str).agg("|".join, axis=1)
    return float((items.groupby(shelves).transform("nunique") > _PER_POSITIVE).mean())
