"""The figures of every node of the category tree, by sums over the requests' ids."""

import numpy as np

from components.model_report.nodes import Node
from components.model_report.split import EvaluatedSplit
from reporting.content import Category
from reporting.estimates import AUC_BOUNDS, means, number, paired_differences, quotients


def category_figures(split: EvaluatedSplit, nodes: list[Node], of_requests: np.ndarray) -> list[Category]:
    """The nodes with their figures, without their gates.

    Args:
      split: the evaluated test split.
      nodes, of_requests: of `list_nodes`.
    """
    model, baseline = split.rankings["model"], split.rankings.get("baseline")
    request, level = np.nonzero(of_requests >= 0)
    groups, size = of_requests[request, level], len(nodes)

    def add(values: np.ndarray) -> np.ndarray:
        return np.bincount(groups, values[request], size)

    session_auc = model.by_request["session_auc"]
    requests, judged = np.bincount(groups, minlength=size), add(~np.isnan(session_auc))
    items, clicked = add(split.lengths), add(split.positives)
    changes = None
    if baseline:
        before = baseline.by_request["session_auc"][request]
        changes = paired_differences(session_auc[request], before, groups, size)
    aucs = means(session_auc[request], groups, size, AUC_BOUNDS)
    ndcgs = means(model.by_request["ndcg_at_10"][request], groups, size, AUC_BOUNDS)
    calibrations = quotients(model.scores[request], split.positives[request], groups, size)
    return [
        Category(
            name=node.name,
            level=node.level,
            parent=node.parent,
            requests=node.requests,
            test_requests=int(requests[place]),
            judged_requests=int(judged[place]),
            items=int(items[place]),
            click_rate=number(clicked[place] / items[place]) if items[place] else None,
            session_auc=aucs[place],
            ndcg_at_10=ndcgs[place],
            calibration=calibrations[place],
            change=changes[place] if changes else None,
            gate=None,
        )
        for place, node in enumerate(nodes)
    ]
