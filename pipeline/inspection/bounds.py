"""What a model must show, where a log is too small to show it."""

import pandas as pd

from pipeline.inspection.draft import Draft

_FEWEST = 100  # requests that tell a better model from a worse one


def propose_bounds(draft: Draft) -> None:
    """Takes the bounds on session AUC and calibration away if chance would decide on them."""
    if draft.positives_only or not draft.log.whole:
        return
    label = next(feature for feature in draft.proposal.features if "role:label" in feature.tags)
    rows = draft.log.rows
    texts, items = rows[label.column], rows[draft.item_column.name]
    grades = draft.proposal.data.get("grades", {}).get(label.name)
    if draft.separator is None:
        parts = draft.proposal.data.get("columns", {}).get("request_id", "request_id")
        groups = rows[[parts] if isinstance(parts, str) else parts].astype(str).agg("|".join, axis=1)
    else:
        texts = draft.columns[label.column].tokens(draft.separator or None)
        groups, items = texts.index, range(len(texts))
    positive = texts.astype(str).map(lambda text: (grades[text] if grades else int(text)) > 0)
    found = pd.DataFrame({"group": list(groups), "item": list(items), "positive": list(positive)})
    of_item = found.groupby(["group", "item"])["positive"].any()  # an item may be in several rows of a request
    both = int(((of := of_item.groupby(level="group")).any() & ~of.all()).sum())
    if both < 10 * _FEWEST:
        draft.proposal.other["evaluation"] = {"min_session_auc": 0, "max_calibration_error": None}
        draft.unsure(
            f"{both} requests have an item of interest and another one, and a tenth of them are to judge a model by: "
            "too few, so no session AUC and no calibration is asked of it (`evaluation`)"
        )
