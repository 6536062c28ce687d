"""What a model must show, where a log is too small to show it or its splits are of different kinds."""

import pandas as pd

from pipeline.inspection.draft import Draft

_MANY = 50  # requests of which a split of a tenth gets some, but for bad luck
_FEWEST = 100  # requests that tell a better model from a worse one


def propose_bounds(draft: Draft) -> None:
    """Takes the bounds on session AUC and calibration away where they would say nothing of the model."""
    if draft.positives_only:
        return
    label = next(feature for feature in draft.proposal.features if feature.role == "label")
    if draft.separator is None:
        texts, items = draft.log.rows[label.column], draft.log.rows[draft.item_column.name]
        parts = draft.proposal.data.get("columns", {}).get("request_id", "request_id")
        requests = draft.log.rows[[parts] if isinstance(parts, str) else parts].astype(str).agg("|".join, axis=1)
    else:
        texts = draft.columns[label.column].tokens(draft.separator or None)
        requests, items = texts.index, range(len(texts))
    grades = draft.proposal.data.get("grades", {}).get(label.name) or {str(grade): grade for grade in range(10)}
    positive = texts.astype(str).map(lambda text: grades.get(text, 0) > 0)
    bounds: dict = {}
    if draft.log.whole:
        found = pd.DataFrame({"request": list(requests), "item": list(items), "positive": list(positive)})
        of_item = found.groupby(["request", "item"])["positive"].any()  # an item may be in several rows of a request
        both = int(((of := of_item.groupby(level="request")).any() & ~of.all()).sum())
        if both < 10 * _FEWEST:
            bounds = {"min_session_auc": 0, "max_calibration_error": None}
            draft.unsure(
                f"{both} requests have an item of interest and another one, and a tenth of them are to judge a model "
                "by: too few, so no session AUC and no calibration is asked of it (`evaluation`)"
            )
        if draft.proposal.data["split"]["by"] != "column" and (number := of_item.index.unique("request").size) < _MANY:
            draft.unsure(
                f"{number} requests in all: a split may get none of them, and the run then stops; other "
                "`data.split.fractions` give it some"
            )
    split = draft.proposal.data["split"]
    if split["by"] == "column" and draft.separator is None:
        rates = positive.groupby(draft.log.rows[split["column"]].map(split["values"])).mean()
        if {"train", "test"} <= set(rates.index) and not 0.8 <= rates["test"] / max(rates["train"], 1e-9) <= 1.25:
            bounds["max_calibration_error"] = None
            draft.unsure(
                f"`{label.column}`: {rates['train']:.0%} of the training rows are of interest, {rates['test']:.0%} of "
                "the test rows: what is learned from the first is not the rate of the second, and no calibration is "
                "asked (`evaluation`)"
            )
    if bounds:
        draft.proposal.other["evaluation"] = bounds
