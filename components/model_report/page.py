"""ModelReport's page: what a report says as one file of HTML."""

import pathlib
from collections.abc import Sequence

from components.model_report import page_charts
from reporting.content import Category, Metric, ReportContent
from reporting.estimates import Estimate
from reporting.html import TEMPLATES, document

_OWN = pathlib.Path(__file__).parent / "templates"

METRICS = {
    "session_auc": ("Session AUC", 1, "of all pairs of a clicked and another item of a request, in the right order"),
    "ndcg_at_10": ("NDCG@10", 1, "clicked items far up in the first ten"),
    "mrr": ("MRR", 1, "one over the place of the first clicked item"),
    "auc": ("AUC", 1, "of all pairs of items, over requests"),
    "log_loss": ("Log loss", -1, "of the click probability; lower is better"),
    "calibration": ("Calibration", 0, "predicted over actual clicks; 1 is right"),
}
_GATE_DIGITS = 4


def render(content: ReportContent) -> str:
    """The report as one self-contained file of HTML, to be written as UTF-8.

    It fetches nothing, and runs no script but its own; names and texts of the content may be hostile.
    """
    charts = page_charts.charts(content)
    auc = next((metric for metric in content.headline.metrics if metric.name == "session_auc"), None)
    if auc and auc.model.value is None:
        auc = None
    return document(
        _OWN / "report.html.j2",
        title=content.name,
        charts=charts,
        data=_table(content),
        scripts=[TEMPLATES / "legend.js", TEMPLATES / "categories.js", _OWN / "gates.js"],
        content=content,
        sections=_SECTIONS,
        auc=auc,
        metric_words=METRICS,
        hero_axis=_hero_axis(auc),
        axis=interval_axis(_slices(content), auc.model.value if auc else None),
        heights={name: page_charts.height(spec) for name, spec in charts.items()},
        curves=list(page_charts.curves(content.curves)),
        widths=page_charts.widths(content),
        splits=list(dict.fromkeys(curve.split for curve in content.curves)),
    )


_SECTIONS = [
    ("headline", "Verdict"),
    ("categories", "By category"),
    ("gate", "Gate"),
    ("experts", "Experts"),
    ("features", "Features"),
    ("calibration", "Calibration"),
    ("slices", "Slices"),
    ("positions", "Positions"),
    ("training", "Training"),
    ("data", "Data"),
    ("configuration", "Configuration"),
    ("times", "Times"),
    ("lineage", "Lineage"),
]


# Of the table of categories, by the kinds that categories.js knows.
_COLUMNS = [
    {"id": "name", "title": "category", "kind": "name"},
    {"id": "requests", "title": "requests", "kind": "count", "hint": "in the training split"},
    {
        "id": "judged_requests",
        "title": "judged",
        "kind": "count",
        "hint": "requests of the test split with a clicked item and another",
    },
    {"id": "click_rate", "title": "click rate", "kind": "share"},
    {"id": "session_auc", "title": "session AUC", "kind": "figure", "digits": 3},
    {"id": "session_auc", "title": "interval", "kind": "interval", "hint": "of session AUC; sorts by its width"},
    {"id": "ndcg_at_10", "title": "NDCG@10", "kind": "figure", "digits": 3},
    {"id": "calibration", "title": "calibration", "kind": "figure", "digits": 2},
]
_CHANGE = {
    "id": "change",
    "title": "change",
    "kind": "difference",
    "digits": 3,
    "hint": "session AUC minus the last blessed model's",
}
# Shown on hover: title, column, digits of an estimate or None for a count.
_HOVER = [
    ("session AUC", "session_auc", 4),
    ("NDCG@10", "ndcg_at_10", 4),
    ("calibration", "calibration", 3),
    ("change", "change", 4),
    ("judged requests", "judged_requests", None),
    ("test requests", "test_requests", None),
    ("test items", "items", None),
]


def interval_axis(estimates: Sequence[Estimate], line: float | None) -> dict[str, float | None]:
    """An axis for bars of intervals: wide enough for most, so that the widest of small parts are cut and not the rest.

    Args:
      estimates: to be shown; those without a value are not.
      line: to compare with, or None.

    Returns:
      ``low``, ``high`` and ``line``.
    """
    found = [estimate for estimate in estimates if estimate.value is not None]
    ends = [end for e in found for end in (e.low, e.high) if end is not None] + [e.value for e in found]
    ends = sorted([*ends, *([line] if line is not None else [])])
    if not ends:
        return {"low": 0.0, "high": 1.0, "line": line}
    low, high = ends[len(ends) // 10], ends[-1 - len(ends) // 10]
    if line is not None:
        low, high = min(low, line - 0.05), max(high, line + 0.05)
    return {"low": max(0.0, round(low - 0.005, 2)), "high": min(1.0, round(high + 0.005, 2)), "line": line}


def _hero_axis(metric: Metric | None) -> dict[str, float | None]:
    rankings = (metric.model, metric.baseline, metric.popularity) if metric else ()
    ends = [end for e in rankings if e for end in (e.value, e.low, e.high) if end is not None]
    line = metric.model.value if metric else None
    return {"low": min(ends, default=0.0) - 0.02, "high": max(ends, default=1.0) + 0.02, "line": line}


def _slices(content: ReportContent) -> list[Estimate]:
    return [part.session_auc for group in content.slices for part in group.slices]


def _table(content: ReportContent) -> dict:
    """Categories by column, rounded: with 5,000 of them, keys and digits would be most of the page."""
    overall = {metric.name: metric.model.value for metric in content.headline.metrics}
    categories = content.categories
    columns = {
        name: [getattr(category, name) for category in categories]
        for name in ("level", "parent", "requests", "test_requests", "judged_requests", "items")
    }
    columns["name"] = [category.name or "(no name)" for category in categories]
    for name in ("session_auc", "ndcg_at_10", "calibration", "change"):
        columns[name] = [rounded(getattr(category, name)) for category in categories]
    columns["click_rate"] = [_round(category.click_rate, 5) for category in categories]
    compared = any(category.change is not None for category in categories)
    columns["gate"] = [_weights(category) for category in categories]
    columns["x"] = [_round(category.x, 3) for category in categories]
    columns["y"] = [_round(category.y, 3) for category in categories]
    return {
        "levels": content.level_names,
        "categories": columns,
        "columns": _COLUMNS + [_CHANGE] * compared,
        "hover": [line for line in _HOVER if compared or line[1] != "change"],
        "overall": overall,
        "axis": interval_axis([category.session_auc for category in categories], overall.get("session_auc")),
        "experts": max((len(category.gate) for category in categories if category.gate), default=0),
    }


def rounded(estimate: Estimate | None) -> list[float | None] | None:
    """[value, low, high] with four digits, for the table of categories."""
    if estimate is None or estimate.value is None:
        return None
    return [_round(part, 4) for part in (estimate.value, estimate.low, estimate.high)]


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _weights(category: Category) -> list[int] | None:
    """Weights as whole ten-thousandths, which are shorter to write than fractions."""
    return category.gate and [round(weight * 10**_GATE_DIGITS) for weight in category.gate]
