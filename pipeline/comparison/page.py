"""A comparison as one file of HTML."""

import itertools
import math
import pathlib
from collections.abc import Sequence

from pipeline.comparison import charts
from pipeline.comparison.compare import ONE_TRAINING
from pipeline.comparison.content import Comparison, Figure
from pipeline.comparison.findings import changes, verdict, with_interval
from pipeline.comparison.pairing import Kind
from pipeline.comparison.runs import Run
from reporting import category_table
from reporting.category_table import head, rounded
from reporting.charts import height
from reporting.html import TEMPLATES, axis_around, document
from reporting.metrics import METRICS
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
    known, auc = with_interval(comparison), comparison.metrics["session_auc"]
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
        metrics=METRICS,
        # Neutral: the paired difference tells which run is better, not where a run's own interval ends.
        hero_axis=axis_around((auc.first, auc.second), auc.first and auc.first.value, room=0.01) | {"neutral": True},
        known=len(known),
        sure=sum(of.session_auc.sign != 0 for of in known),
        least=LEAST,
        unknown_auc=comparison.metrics["auc"].difference.value is None,
        slices=[(title, list(parts)) for title, parts in itertools.groupby(comparison.slices, lambda of: of.division)],
        axis=_axis(comparison.kind, [part.session_auc for part in comparison.slices]),
        heights={name: height(spec) for name, spec in made.items()},
        curves=list(charts.curves(first, second)),
    )


def _table(comparison: Comparison) -> dict:
    """The categories by column, see categories.js."""
    first, second = comparison.labels
    found = comparison.categories
    columns = category_table.figures(found, ("requests", "judged_requests"), ())
    columns["name"] = [of.path[-1] or "(no name)" for of in found]
    for metric in ("session_auc", "ndcg_at_10"):
        for part in ("first", "second", "difference"):
            columns[f"{metric} {part}"] = [rounded(getattr(getattr(of, metric), part)) for of in found]
    auc, ndcg = METRICS["session_auc"].title, METRICS["ndcg_at_10"].title
    hint = f"{auc} of {second} minus that of {first}"
    return {
        "categories": columns,
        "columns": [
            head("name", "name", "category"),
            head("count", "requests", "requests", f"in the training split of {second}"),
            head("count", "judged_requests", "judged", "test requests compared by"),
            head("figure", "session_auc first", first, auc, digits=3),
            head("figure", "session_auc second", second, auc, digits=3),
            head("difference", "session_auc difference", "difference", hint, digits=4),
            head("interval", "session_auc difference", "interval", f"{hint}; by width"),
            head("difference", "ndcg_at_10 difference", ndcg, "difference", digits=4),
        ],
        "hover": [
            (f"{auc}, {first}", "session_auc first", 4),
            (f"{auc}, {second}", "session_auc second", 4),
            ("difference", "session_auc difference", 4),
            (f"{ndcg}, {first}", "ndcg_at_10 first", 4),
            (f"{ndcg}, {second}", "ndcg_at_10 second", 4),
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
