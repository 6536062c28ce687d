"""The charts of ModelReport's page."""

import math
from collections.abc import Sequence

import altair as alt

from reporting import charts as c
from reporting import curves
from reporting.content import Curve, ReportContent
from reporting.gate_map import gate_map
from reporting.looks import key, looks
from reporting.words import DASH, number, signed

_MOST_NUMBERS = 12
UTILISATION = ("share of requests it is active in", "mean weight")


def charts(content: ReportContent) -> dict[str, dict]:
    """Vega-Lite specs by name; a chart that has nothing to show is left out."""
    made = {}
    if any(category.gate for category in content.categories):
        made["gates"] = _gates()
    if any(category.x is not None for category in content.categories):
        made["map"] = gate_map([], "Categories by their gate: those that use the same experts are close to each other.")
    if experts := content.experts:
        made["utilisation"] = _utilisation(content)
        made["distance"] = _matrix(experts.distance, "mean squared distance of two experts' outputs")
        made["correlation"] = _matrix(experts.correlation, "correlation of two experts' outputs", top=1.0)
    if content.importance:
        made["importance"] = _importance_overall(content)
        if content.importance.top_categories:
            made["importance-by-category"] = _importance(content)
    if content.calibration:
        made["calibration"] = _calibration(content)
    if content.positions:
        made["positions"] = _positions(content)
    splits = list(dict.fromkeys(curve.split for curve in content.curves))
    for title, found in curves.by_title(content.curves).items():
        made[f"curve: {title}"] = _curve(title, found, splits)
    if content.seconds:
        rows = [{"name": name, "value": value} for name, value in content.seconds.items()]
        made["times"] = c.bars(rows, "seconds", "Seconds that each component took, in the order of the run.")
    return made


def widths(content: ReportContent) -> dict[str, int]:
    """Below which width a chart scrolls."""
    experts = len(content.experts.distance) if content.experts else 0
    return {
        "matrix": 30 + (30 if experts <= _MOST_NUMBERS else 22) * experts,
        "importance": 150 + 38 * len(content.importance.top_categories) if content.importance else 0,
    }


def _gates() -> dict:
    """Rows come from the page's script: which of the categories is for the reader to choose."""
    tooltip = [
        alt.Tooltip("name:N", title="category"),
        alt.Tooltip("expert:N", title="expert"),
        alt.Tooltip("value:Q", title="weight", format=".3f"),
        alt.Tooltip("of:N", title="of"),
    ]
    return c.matrix([], "Weights of the experts by category.", top=1.0, tooltip=tooltip, cell=20)


def _utilisation(content: ReportContent) -> dict:
    shown = dict(zip(UTILISATION, (content.experts.share_of_requests, content.experts.mean_weight), strict=True))
    rows = [
        {"place": place, "of": series, "value": value}
        for series, values in shown.items()
        for place, value in enumerate(values, start=1)
    ]
    return c.grouped_bars(rows, "expert", "How often each expert is active, and its mean weight.", looks(UTILISATION))


def _matrix(values: Sequence[Sequence[float | None]], title: str, top: float | None = None) -> dict:
    most = top or max((abs(value) for line in values for value in line if value is not None), default=0) or 1.0
    digits = 2 if top else _digits(most)
    rows = [
        {
            "x": key(column, str(column + 1)),
            "y": key(row, str(row + 1)),
            "pair": f"expert {row + 1} and {column + 1}",
            "value": value,
            "text": number(value, digits).replace("-", "−"),
        }
        for row, line in enumerate(values)
        for column, value in enumerate(line)
    ]
    return c.matrix(
        rows,
        f"{title}, as a heat map",
        top=most,
        tooltip=[alt.Tooltip("pair:N", title="pair"), alt.Tooltip("value:Q", title=title, format=".4~f")],
        numbers="text" if len(values) <= _MOST_NUMBERS else None,
    )


def _importance_overall(content: ReportContent) -> dict:
    found = content.importance
    rows = [{"name": name, **vars(e)} for name, e in zip(found.features, found.overall, strict=True)]
    return c.intervals(rows, "session AUC lost", "Permutation importance of each feature, with its interval.")


def _importance(content: ReportContent) -> dict:
    found = content.importance
    rows = []
    for row, (feature, line) in enumerate(zip(found.features, found.by_category, strict=True)):
        for column, estimate in enumerate(line):
            rows.append(
                {
                    "x": key(column, found.top_categories[column]),
                    "y": key(row, feature),
                    "pair": f"{feature} in {found.top_categories[column]}",
                    "requests": found.judged_by_category[column],
                    "value": estimate.value,
                    # A missing end, formatted as a number, would be 0.
                    "interval": DASH if estimate.low is None else f"{signed(estimate.low)} to {signed(estimate.high)}",
                }
            )
    tooltip = [
        alt.Tooltip("pair:N", title="feature"),
        alt.Tooltip("value:Q", title="session AUC lost", format="+.4f"),
        alt.Tooltip("interval:N"),
        alt.Tooltip("requests:Q", title="judged requests", format=","),
    ]
    most = max((abs(row["value"]) for row in rows if row["value"] is not None), default=0) or 1.0
    for row in rows:
        row["text"] = number(row["value"], _digits(most)).replace("-", "−")
    return c.matrix(
        rows,
        "Permutation importance of each feature in each top category.",
        top=most,
        tooltip=tooltip,
        numbers="text" if len(found.top_categories) <= _MOST_NUMBERS else None,
        angle=-40,
    )


def _calibration(content: ReportContent) -> dict:
    rows = [{"score": found.mean_score, "items": found.items, **vars(found.rate)} for found in content.calibration]
    most = max([row["score"] for row in rows] + [row["value"] for row in rows if row["value"] is not None])
    scale = alt.Scale(domain=[0, most * 1.05], nice=True)
    base = alt.Chart(c.data(rows)).encode(
        x=alt.X("score:Q", title="mean score", scale=scale, axis=alt.Axis(format="%")),
        tooltip=[
            alt.Tooltip("score:Q", title="mean score", format=".2%"),
            alt.Tooltip("value:Q", title="click rate", format=".2%"),
            alt.Tooltip("low:Q", title="from", format=".2%"),
            alt.Tooltip("high:Q", title="to", format=".2%"),
            alt.Tooltip("items:Q", title="items", format=","),
        ],
    )
    ends = c.data([{"score": 0, "value": 0}, {"score": most * 1.05, "value": most * 1.05}])
    diagonal = (
        alt.Chart(ends)
        .mark_line(color="var(--muted)", strokeDash=[4, 4], strokeWidth=1, clip=True)
        .encode(x="score:Q", y="value:Q")
    )
    rules = base.mark_rule(color=c.ACCENT, clip=True).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    line = base.mark_line(color=c.ACCENT, strokeWidth=1.5).encode(y="value:Q")
    points = base.mark_point(filled=True, color=c.ACCENT, size=55, opacity=1).encode(
        y=alt.Y("value:Q", title="click rate", axis=alt.Axis(format="%"))
    )
    made = alt.layer(diagonal, rules, line, points).properties(width="container", height=320)
    return c.spec(made, "Click rate over mean score, with intervals and the diagonal.")


def _positions(content: ReportContent) -> dict:
    rows = []
    for found in content.positions:
        ends = vars(found.click_rate)
        rows.append({"position": found.position, "series": "click rate", "items": found.items, **ends})
        scored = {"value": found.mean_score, "low": None, "high": None}
        rows.append({"position": found.position, "series": "mean score", "items": found.items, **scored})
    base = alt.Chart(c.data(rows)).encode(
        x=alt.X(
            "position:Q",
            title="position",
            scale=alt.Scale(zero=False, nice=False),
            axis=alt.Axis(grid=False, tickMinStep=1),
        ),
        color=alt.Color("series:N", sort=None),
        tooltip=[
            alt.Tooltip("series:N", title="what"),
            alt.Tooltip("position:Q"),
            alt.Tooltip("value:Q", format=".2%"),
            alt.Tooltip("low:Q", title="from", format=".2%"),
            alt.Tooltip("high:Q", title="to", format=".2%"),
            alt.Tooltip("items:Q", title="items", format=","),
        ],
    )
    band = base.mark_area(fillOpacity=0.18).encode(y=alt.Y("low:Q", title=None, axis=alt.Axis(format="%")), y2="high:Q")
    line = base.mark_line(point={"size": 30, "opacity": 1}).encode(y="value:Q")
    made = alt.layer(band, line).properties(width="container", height=240)
    return c.spec(made, "Click rate and mean score by position.")


def _curve(title: str, found: Sequence[Curve], splits: Sequence[str]) -> dict:
    rows = [row for curve in found for row in curves.rows(curve, curve.split)]
    return c.lines(rows, "", "", f"{title} over the steps of the training.", series=splits)


def _digits(most: float) -> int:
    """How many decimals tell figures up to ``most`` apart: two that count."""
    return min(4, max(0, 1 - math.floor(math.log10(most))))
