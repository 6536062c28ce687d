"""The figures of two runs and their differences: paired by request where both have judged the same ones."""

import numpy as np

from pipeline.comparison.content import CategoryFigures, Figure, SliceFigures
from pipeline.comparison.pairing import Paired
from pipeline.comparison.runs import Run
from reporting.content import Category
from reporting.estimates import AUC_BOUNDS, Estimate, means, paired_differences, unpaired
from reporting.headline import headline_metrics
from reporting.metrics import METRICS
from reporting.statistics import LEAST


def paired_metrics(paired: Paired) -> dict[str, Figure]:
    """All metrics, over the requests that both have judged."""
    second = paired.second
    rankings = {"model": second.ranking, "baseline": paired.first.ranking}
    found = headline_metrics(second.items, second.positives, rankings)
    return {metric.name: Figure(metric.baseline, metric.model, metric.minus_baseline) for metric in found}


def paired_categories(second: Run, paired: Paired) -> list[CategoryFigures]:
    """Of the second run's tree: a request is in the categories in which that run has it."""
    nodes = second.content.categories
    request, level = np.nonzero(paired.second.nodes >= 0)
    groups = paired.second.nodes[request, level]
    found = {name: _paired(paired, name, request, groups, len(nodes)) for name in ("session_auc", "ndcg_at_10")}
    judged = ~np.isnan(paired.second.ranking.by_request["session_auc"][request])
    counts = np.bincount(groups[judged], minlength=len(nodes))
    return [
        _category(node, path, int(counts[place]), *(of[place] for of in found.values()))
        for place, (node, path) in enumerate(zip(nodes, paths(nodes), strict=True))
    ]


def paired_slices(paired: Paired) -> list[SliceFigures]:
    """By the second run's divisions."""
    found = []
    for division in paired.second.divided:
        inside = np.flatnonzero(division.place >= 0)
        place, size = division.place[inside], len(division.names)
        figures = _paired(paired, "session_auc", inside, place, size)
        judged = ~np.isnan(paired.second.ranking.by_request["session_auc"][inside])
        counts = np.bincount(place[judged], minlength=size)
        found += [
            SliceFigures(division.title, name, int(counts[i]), figures[i])
            for i, name in enumerate(division.names)
            if counts[i]
        ]
    return found


def _paired(paired: Paired, metric: str, request: np.ndarray, groups: np.ndarray, size: int) -> list[Figure]:
    """Of each group of requests."""
    first, second = (of.ranking.by_request[metric][request] for of in (paired.first, paired.second))
    own, other = (means(values, groups, size, AUC_BOUNDS) for values in (first, second))
    return [Figure(*of) for of in zip(own, other, paired_differences(second, first, groups, size), strict=True)]


def apart_metrics(first: Run, second: Run) -> dict[str, Figure]:
    """All metrics, each run's on its own test requests."""
    own, other = ({metric.name: metric.model for metric in run.content.headline.metrics} for run in (first, second))
    return {name: _apart(own.get(name), found) for name, found in other.items() if name in METRICS}


def apart_categories(first: Run, second: Run) -> list[CategoryFigures]:
    """Of the second run's tree, those of the same path beside each other."""
    nodes = first.content.categories
    known = dict(zip(paths(nodes), nodes, strict=True))
    found = []
    for node, path in zip(second.content.categories, paths(second.content.categories), strict=True):
        other = known.get(path)
        figures = (
            _apart(other and getattr(other, name), getattr(node, name), judged=_least(other, node))
            for name in ("session_auc", "ndcg_at_10")
        )
        found.append(_category(node, path, node.judged_requests, *figures))
    return found


def apart_slices(first: Run, second: Run) -> list[SliceFigures]:
    """Slices of the same name beside each other."""
    known = {(of.title, part.name): part for of in first.content.slices for part in of.slices}
    found = []
    for of in second.content.slices:
        for part in of.slices:
            other = known.get((of.title, part.name))
            figure = _apart(other and other.session_auc, part.session_auc, judged=_least(other, part))
            found.append(SliceFigures(of.title, part.name, part.judged_requests, figure))
    return found


def _least(*parts) -> int:
    """The fewest judged requests of either."""
    return min(part.judged_requests if part else 0 for part in parts)


def _apart(first: Estimate | None, second: Estimate | None, judged: int = LEAST) -> Figure:
    difference = unpaired(second, first)
    return Figure(first, second, difference if judged >= LEAST else Estimate(value=difference.value))


def paths(nodes: list[Category]) -> list[tuple[str, ...]]:
    """The names of each node from the top on. What has no parent below the top, says by empty names how far down."""
    found: list[tuple[str, ...]] = []
    for node in nodes:
        above = ("",) * (node.level - 1) if node.parent is None else found[node.parent]
        found.append((*above, node.name))
    return found


def _category(
    node: Category, path: tuple[str, ...], judged: int, session_auc: Figure, ndcg_at_10: Figure
) -> CategoryFigures:
    return CategoryFigures(path, node.level, node.parent, node.requests, judged, session_auc, ndcg_at_10)
