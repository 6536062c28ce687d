"""The charts of a comparison's page."""

from collections.abc import Sequence

from pipeline.comparison.content import CategoryFigures
from pipeline.comparison.runs import Run
from reporting import charts as c
from reporting import curves as training_curves
from reporting.content import Curve
from reporting.looks import looks


def charts(
    gained: Sequence[CategoryFigures], lost: Sequence[CategoryFigures], first: Run, second: Run
) -> dict[str, dict]:
    """Vega-Lite specs by name; a chart that has nothing to show is left out."""
    made = {}
    if gained or lost:
        made["changes"] = _changes(gained, lost)
    if first.content.experts or second.content.experts:
        made["share"] = _experts("share_of_requests", "share of requests", first, second)
        made["weight"] = _experts("mean_weight", "mean weight", first, second)
    for title, rows in curves(first, second).items():
        made[f"curve: {title}"] = c.lines(
            rows, "", "", f"{title} over the steps of both trainings.", series=_coloured(first, second)
        )
    return made


def curves(first: Run, second: Run) -> dict[str, list[dict]]:
    """Rows for `charts.lines` by the title of the chart."""
    found: dict[str, list[tuple[Curve, str]]] = {}
    for run in (first, second):
        for title, of in training_curves.by_title(run.content.curves).items():
            found.setdefault(title, []).extend((curve, run.label) for curve in of)
    return {title: _rows(of) for title, of in found.items()}


def _rows(found: list[tuple[Curve, str]]) -> list[dict]:
    """Where both splits have the quantity, that of the training is dashed."""
    both = len({curve.split for curve, _ in found}) > 1
    return [
        {**row, "line": f"{label}: {row['line']}, {curve.split}", "dashed": both and curve.split == "train"}
        for curve, label in found
        for row in training_curves.rows(curve, label)
    ]


def _coloured(first: Run, second: Run) -> list[str]:
    """In the order of the colours: the second run has that of what is above 0."""
    return [second.label, first.label]


def _changes(gained: Sequence[CategoryFigures], lost: Sequence[CategoryFigures]) -> dict:
    rows = [
        {"name": " > ".join(filter(None, of.path)), **vars(of.session_auc.difference)}
        for of in (*gained, *reversed(lost))
    ]
    description = "The categories that gained and lost most, with intervals."
    return c.intervals(rows, "difference of session AUC", description)


def _experts(attribute: str, title: str, first: Run, second: Run) -> dict:
    """A figure of each expert, the greatest first: the experts of two trainings have no numbers in common."""
    by_label = looks(_coloured(first, second))
    rows = [
        {"place": place, "of": run.label, "value": value}
        for run in (first, second)
        if run.content.experts
        for place, value in enumerate(sorted(getattr(run.content.experts, attribute), reverse=True), start=1)
    ]
    in_order = {run.label: by_label[run.label] for run in (first, second)}
    return c.grouped_bars(rows, "experts, the greatest first", f"{title} by expert, of both runs.", in_order)
