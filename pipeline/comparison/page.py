"""A comparison as one file of HTML."""

import itertools
import math
import pathlib
from collections.abc import Sequence

from components.model_report import page_charts
from components.model_report.page import METRICS, rounded
from pipeline.comparison import charts
from pipeline.comparison.compare import ONE_TRAINING
from pipeline.comparison.content import Comparison, Figure
from pipeline.comparison.findings import changes, verdict, with_interval
from pipeline.comparison.pairing import Kind
from pipeline.comparison.runs import Run
from reporting.html import TEMPLATES, document
from reporting.statistics import LEAST

_TEMPLATE = pathlib.Path(__file__).parent / "templates" / "comparison.html.j2"
_SHOWN = 8
_SECTIONS = [
    ("headline", "Verdict"),
    ("categories", "By category"),
    ("slices", "Slices"),
    ("gate", "Gates"),
    ("training", "Training"),
    ("configuration", "Configuration"),
    ("data", "Data"),
    ("times", "Times"),
]


def render(comparison: Comparison, first: Run, second: Run) -> str:
    """The page, to be written as UTF-8; names in it may be hostile, see `document`."""
    made = charts.charts(*changes(comparison, _SHOWN), first, second)
    known = with_interval(comparison)
    return document(
        _TEMPLATE,
        title=f"{second.label} against {first.label}",
        charts=made,
        data=_table(comparison),
        scripts=[TEMPLATES / "categories.js"],
        comparison=comparison,
        verdict=verdict(comparison),
        paired=comparison.kind is not Kind.OTHER,
        one_training=ONE_TRAINING,
        sections=_SECTIONS,
        metric_words=METRICS,
        hero_axis=_hero_axis(comparison.metrics["session_auc"]),
        known=len(known),
        sure=sum(of.session_auc.sign != 0 for of in known),
        least=LEAST,
        unknown_auc=comparison.metrics["auc"].difference.value is None,
        slices=[(title, list(parts)) for title, parts in itertools.groupby(comparison.slices, lambda of: of.division)],
        axis=_axis(comparison.kind, [part.session_auc for part in comparison.slices]),
        heights={name: page_charts.height(spec) for name, spec in made.items()},
        curves=list(charts.curves(first, second)),
    )


def _table(comparison: Comparison) -> dict:
    """The categories by column, see categories.js."""
    first, second = comparison.labels
    found = comparison.categories
    columns = {name: [getattr(of, name) for of in found] for name in ("level", "parent", "requests", "judged_requests")}
    columns["name"] = [of.path[-1] or "(no name)" for of in found]
    for metric in ("session_auc", "ndcg_at_10"):
        for part in ("first", "second", "difference"):
            columns[f"{metric} {part}"] = [rounded(getattr(getattr(of, metric), part)) for of in found]
    hint = f"session AUC of {second} minus that of {first}"
    return {
        "categories": columns,
        "columns": [
            {"id": "name", "title": "category", "kind": "name"},
            {"id": "requests", "title": "requests", "kind": "count", "hint": f"in the training split of {second}"},
            {"id": "judged_requests", "title": "judged", "kind": "count", "hint": "test requests compared by"},
            {"id": "session_auc first", "title": first, "kind": "figure", "digits": 3, "hint": "session AUC"},
            {"id": "session_auc second", "title": second, "kind": "figure", "digits": 3, "hint": "session AUC"},
            {"id": "session_auc difference", "title": "difference", "kind": "difference", "digits": 4, "hint": hint},
            {"id": "session_auc difference", "title": "interval", "kind": "interval", "hint": f"{hint}; by width"},
            {
                "id": "ndcg_at_10 difference",
                "title": "NDCG@10",
                "kind": "difference",
                "digits": 4,
                "hint": "difference",
            },
        ],
        "hover": [
            (f"session AUC, {first}", "session_auc first", 4),
            (f"session AUC, {second}", "session_auc second", 4),
            ("difference", "session_auc difference", 4),
            (f"NDCG@10, {first}", "ndcg_at_10 first", 4),
            (f"NDCG@10, {second}", "ndcg_at_10 second", 4),
            ("difference", "ndcg_at_10 difference", 4),
            ("judged requests", "judged_requests", None),
        ],
        "axis": _axis(comparison.kind, [of.session_auc for of in found]),
    }


def _axis(kind: Kind, figures: Sequence[Figure]) -> dict[str, float | bool]:
    """Around 0, and wide enough for most of the differences."""
    known = [of.difference for of in figures if of.difference and of.difference.low is not None]
    ends = sorted(max(abs(found.low), abs(found.high)) for found in known)
    most = ends[int(0.8 * (len(ends) - 1))] if ends else 0.0
    digits = 2 if most >= 0.02 or not most else 3
    end = max(math.ceil(most * 10**digits), 1) / 10**digits
    return {"low": -end, "high": end, "line": 0.0, "digits": digits, "neutral": kind is Kind.OTHER}


def _hero_axis(auc: Figure) -> dict[str, float | bool | None]:
    """Neutral: whether one is better follows from the paired difference, not from where its own interval ends."""
    found = [of for of in (auc.first, auc.second) if of and of.value is not None]
    ends = [end for of in found for end in (of.value, of.low, of.high) if end is not None]
    line = auc.first.value if auc.first else None
    return {"low": min(ends, default=0.0) - 0.01, "high": max(ends, default=1.0) + 0.01, "line": line, "neutral": True}
