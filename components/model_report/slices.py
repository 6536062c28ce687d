"""The test split divided by what a ranker's figures may depend on."""

from collections.abc import Sequence

import numpy as np

from components.model_report.split import EvaluatedSplit
from reporting.content import Slice, Slices
from reporting.estimates import AUC_BOUNDS, means, paired_differences
from reporting.judged_requests import Division
from reporting.slices import CLICKED_ITEM, SLICINGS


def divisions(split: EvaluatedSplit) -> list[Division]:
    """The split by each slicing for which the log has the number."""
    return [
        Division(slicing.title, slicing.note, slicing.names, slicing.places(values))
        for slicing, values in (
            *((slicing, getattr(split, slicing.column)) for slicing in SLICINGS),
            (CLICKED_ITEM, split.clicked_item),
        )
        if values is not None
    ]


def slices(
    divided: Sequence[Division], by_request: dict[str, np.ndarray], of_baseline: dict[str, np.ndarray] | None
) -> list[Slices]:
    """Figures of each slice; those without a request are left out.

    Args:
      divided: of `divisions`.
      by_request: metrics of each request by the model, `ranking.Ranking.by_request`.
      of_baseline: the same metrics by the last blessed model, or None.
    """
    return [_slices(division, by_request, of_baseline) for division in divided]


def _slices(division: Division, by_request, of_baseline) -> Slices:
    inside, size = division.place >= 0, len(division.names)
    place = division.place[inside]

    session_auc = by_request["session_auc"][inside]
    aucs = means(session_auc, place, size, AUC_BOUNDS)
    ndcgs = means(by_request["ndcg_at_10"][inside], place, size, AUC_BOUNDS)
    changes = [None] * size
    if of_baseline:
        changes = paired_differences(session_auc, of_baseline["session_auc"][inside], place, size)
    requests = np.bincount(place, minlength=size)
    judged = np.bincount(place[~np.isnan(session_auc)], minlength=size)
    return Slices(
        title=division.title,
        note=division.note,
        slices=[
            Slice(
                name=name,
                requests=int(requests[i]),
                judged_requests=int(judged[i]),
                session_auc=aucs[i],
                ndcg_at_10=ndcgs[i],
                change=changes[i],
            )
            for i, name in enumerate(division.names)
            if requests[i]
        ],
    )
