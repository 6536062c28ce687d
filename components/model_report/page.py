"""ModelReport's page: what a report says as one file of HTML."""

import pathlib
from collections.abc import Sequence

from components.model_report import page_charts
from reporting import category_table, curves
from reporting.category_table import head, round_
from reporting.charts import height
from reporting.content import Category, ReportContent
from reporting.estimates import Estimate
from reporting.html import TEMPLATES, axis_around, document
from reporting.looks import looks
from reporting.metrics import METRICS

_OWN = pathlib.Path(__file__).parent / "templates"

_GATE_DIGITS = 4
_LOOKS = 24  # as many as differ


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
        metrics=METRICS,
        hero_axis=axis_around(
            (auc.model, auc.baseline, auc.popularity) if auc else (), auc.model.value if auc else None, room=0.02
        ),
        axis=interval_axis(_slices(content), auc.model.value if auc else None),
        heights={name: height(spec) for name, spec in charts.items()},
        curves=list(curves.by_title(content.curves)),
        utilisation=looks(page_charts.UTILISATION),
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


# Shown on hover: title, column, digits of an estimate or None for a count.
_HOVER = [
    (METRICS["session_auc"].title, "session_auc", 4),
    (METRICS["ndcg_at_10"].title, "ndcg_at_10", 4),
    (METRICS["calibration"].title, "calibration", 3),
    ("change", "change", 4),
    ("judged requests", "judged_requests", None),
    ("test requests", "test_requests", None),
    ("test items", "items", None),
]
_COUNTS = ("requests", "test_requests", "judged_requests", "items")
_ESTIMATES = ("session_auc", "ndcg_at_10", "calibration", "change")


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


def _slices(content: ReportContent) -> list[Estimate]:
    return [part.session_auc for group in content.slices for part in group.slices]


def _table(content: ReportContent) -> dict:
    """The data of the page's scripts: the categories by column."""
    categories = content.categories
    compared = any(category.change is not None for category in categories)
    columns = category_table.figures(categories, _COUNTS, _ESTIMATES)
    columns["name"] = [category.name or "(no name)" for category in categories]
    columns["click_rate"] = [round_(category.click_rate, 5) for category in categories]
    columns["gate"] = [_weights(category) for category in categories]
    columns |= {name: [round_(getattr(category, name), 3) for category in categories] for name in ("x", "y")}
    auc = next((metric.model.value for metric in content.headline.metrics if metric.name == "session_auc"), None)
    return {
        "categories": columns,
        "columns": _columns(compared),
        "hover": [line for line in _HOVER if compared or line[1] != "change"],
        "axis": interval_axis([category.session_auc for category in categories], auc),
        "experts": max((len(category.gate) for category in categories if category.gate), default=0),
        "looks": [vars(look) for look in looks(range(_LOOKS)).values()],
    }


def _columns(compared: bool) -> list[dict]:
    columns = [
        head("name", "name", "category"),
        head("count", "requests", "requests", "in the training split"),
        head("count", "judged_requests", "judged", METRICS["judged_requests"].explanation),
        head("share", "click_rate", "click rate"),
        head("figure", "session_auc", digits=3),
        head("interval", "session_auc", "interval", "of session AUC; sorts by its width"),
        head("figure", "ndcg_at_10", digits=3),
        head("figure", "calibration", digits=2),
    ]
    if compared:
        columns.append(head("difference", "change", "change", "session AUC minus the last blessed model's", digits=3))
    return columns


def _weights(category: Category) -> list[int] | None:
    """Weights as whole ten-thousandths, which are shorter to write than fractions."""
    return category.gate and [round(weight * 10**_GATE_DIGITS) for weight in category.gate]
