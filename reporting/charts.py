"""Charts as Vega-Lite specs, made with Altair.

Colours are the page's own CSS variables, so a chart follows the theme, and the printer, without being drawn again.
Names only ever stand in data, never in a spec's titles or expressions.
"""

from collections.abc import Mapping, Sequence

import altair as alt

from reporting.looks import COLOURS, KEY_LABEL, Look, by_look, key, looks

_FEW = 30
ACCENT, INK, MUTED = COLOURS[0], "var(--ink)", "var(--muted)"

# Of Vega-Embed, for all charts. The page adds its font: Vega measures text by it, and cannot by a variable.
CONFIG = {
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelFontSize": 12,
        "gridColor": "var(--line)",
        "domainColor": "var(--line-strong)",
        "tickColor": "var(--line-strong)",
        "labelLimit": 190,
        "titlePadding": 8,
    },
    "axisQuantitative": {"tickCount": 6},
    "legend": {
        "labelColor": INK,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "symbolType": "circle",
        "symbolOpacity": 1,
        "labelLimit": 240,
    },
    "text": {"color": INK, "fontSize": 11},
    "line": {"strokeWidth": 2},
    "rule": {"color": INK},
    "range": {"category": COLOURS},
}
_ZERO = "datum.value == 0 ? '0' : datum.label"  # not +0


def spec(chart: alt.TopLevelMixin, description: str) -> dict:
    """A chart as the page wants it.

    Args:
      chart: of Altair.
      description: what it shows, for those who cannot see it.
    """
    with alt.data_transformers.enable("default", consolidate_datasets=False, max_rows=None):
        made = chart.to_dict()
    made.pop("config", None)
    return {"autosize": {"type": "fit-x", "contains": "padding"}, **made, "description": description}


def height(spec: dict) -> int:
    """About how tall a chart is with its axes, so that the page keeps its place free."""
    return int(spec["height"]) + 24


def data(rows: Sequence[Mapping]) -> alt.InlineData:
    """Rows in the chart itself."""
    return alt.InlineData(values=list(rows))


def named_axis(**options: object) -> alt.Axis:
    """An axis of `key`s."""
    return alt.Axis(
        **{"labelExpr": KEY_LABEL, "title": None, "ticks": False, "domain": False, "labelPadding": 6} | options
    )


def bars(rows: Sequence[Mapping], title: str, description: str, form: str = ",.3~r") -> dict:
    """Horizontal bars with their figures.

    Args:
      rows: ``name``, ``value``, and whatever else the tooltip shall show by its own key.
      title: of the values.
      description: for those who cannot see it.
      form: of the values, d3's.
    """
    rows = [{"key": key(place, row["name"]), **row} for place, row in enumerate(rows)]
    more = [name for name in (rows[0] if rows else []) if name not in ("key", "name", "value")]
    most = max((row["value"] for row in rows), default=1)
    least = min([0.0, *(row["value"] for row in rows)])
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("key:N", sort=None, axis=named_axis()),
        # Room for the figure at the end of the longest bar.
        x=alt.X("value:Q", title=None, scale=alt.Scale(domain=[least, most * 1.2 or 1], nice=False), axis=None),
        tooltip=[
            alt.Tooltip("name:N", title="name"),
            alt.Tooltip("value:Q", title=title, format=form),
            *(alt.Tooltip(f"{name}:N") for name in more),
        ],
    )
    drawn = base.mark_bar(color=ACCENT, height={"band": 0.62})
    figures = base.mark_text(align="left", dx=6, fontSize=12).encode(text=alt.Text("value:Q", format=form))
    return spec((drawn + figures).properties(width="container", height=_tall(rows, 24)), description)


def grouped_bars(rows: Sequence[Mapping], title: str, description: str, series: Mapping[str, Look]) -> dict:
    """Vertical bars of shares, side by side where several series have the same place.

    Args:
      rows: ``place`` (a number), ``of`` (one of the series), ``value``.
      title: of the places.
      description: the chart in words, for readers who cannot see it.
      series: looks of the series, in the order from the left.
    """
    rows = [{**row, "series": series[row["of"]].key} for row in rows]
    colour, *_ = by_look(list(series.values()), "series")
    chart = (
        alt.Chart(data(rows))
        .mark_bar()
        .encode(
            x=alt.X("place:O", title=title, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            xOffset=alt.XOffset("series:N", scale=alt.Scale(domain=[look.key for look in series.values()])),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=colour,
            tooltip=[
                alt.Tooltip("of:N", title="of"),
                alt.Tooltip("place:O", title=title),
                alt.Tooltip("value:Q", format=".1%"),
            ],
        )
    )
    return spec(chart.properties(width="container", height=200), description)


def intervals(
    rows: Sequence[Mapping],
    title: str,
    description: str,
    *,
    zero: bool = True,
    form: str = "+.4f",
    series: Mapping[str, Look] | None = None,
) -> dict:
    """Points with their intervals, a line each, and a rule at zero.

    Args:
      rows: ``name``, ``value``, ``low``, ``high`` (None where there is none), ``sure`` if it is to be seen whether an
        interval leaves 0 out (a point is full and its line thick, or else hollow and thin), ``label`` if an axis is to
        show something shorter than the name, and ``of``, one of the series, if a name has several.
      title: of the values.
      description: for those who cannot see it.
      zero: whether there is a rule at zero.
      form: of the values, d3's.
      series: their looks, in the order from above.
    """
    places = {name: place for place, name in enumerate(dict.fromkeys(row["name"] for row in rows))}
    rows = [
        {"key": key(places[row["name"]] if series else place, row.get("label", row["name"])), **row}
        for place, row in enumerate(rows)
    ]
    if series:
        rows = [{**row, "series": series[row["of"]].key} for row in rows]
    scale = alt.Scale(zero=zero)
    short = "+~f" if form.startswith("+") else "~f"
    tooltip = [alt.Tooltip("name:N", title="name"), *([alt.Tooltip("of:N")] if series else [])]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("key:N", sort=None, axis=named_axis()),
        tooltip=[
            *tooltip,
            alt.Tooltip("value:Q", title=title, format=form),
            alt.Tooltip("low:Q", title="from", format=form),
            alt.Tooltip("high:Q", title="to", format=form),
            *([alt.Tooltip("requests:Q", format=",")] if rows and "requests" in rows[0] else []),
        ],
    )
    colour = fill = alt.value(ACCENT)
    look = {}
    if series:
        colour, shape, fill = by_look(list(series.values()), "series")
        base = base.encode(yOffset=alt.YOffset("series:N", sort=[look.key for look in series.values()]))
        look = {"shape": shape}
    thick = alt.value(2)
    if any("sure" in row for row in rows):
        fill = alt.condition("datum.sure", fill, alt.value("var(--surface)"))
        thick = alt.condition("datum.sure", alt.value(2.5), alt.value(1))
    lines = base.mark_rule().encode(
        x=alt.X(
            "low:Q",
            title=title,
            scale=scale,
            axis=alt.Axis(format=short, labelExpr=_ZERO, labelOverlap=True, labelSeparation=8),
        ),
        x2="high:Q",
        color=colour,
        strokeWidth=thick,
    )
    points = base.mark_point(size=45 if series else 70, opacity=1, strokeWidth=1.5).encode(
        x=alt.X("value:Q", scale=scale), color=colour, fill=fill, **look
    )
    layers = [lines, points]
    if zero:
        layers.insert(0, alt.Chart(data([{"zero": 0}])).mark_rule(color="var(--line-strong)").encode(x="zero:Q"))
    height = _tall(rows, max(26, 13 * len(series) + 10) if series else 22)
    return spec(alt.layer(*layers).properties(width="container", height=height), description)


def matrix(
    rows: Sequence[Mapping],
    description: str,
    *,
    top: float,
    tooltip: Sequence[alt.Tooltip],
    numbers: str | None = None,
    cell: int = 26,
    angle: int = 0,
) -> dict:
    """A heat map: the colour is the sign, its strength the value.

    Args:
      rows: ``x`` and ``y`` (`key`s), ``value``, ``text`` if numbers are wanted.
      description: for those who cannot see it.
      top: the absolute value at which the colour is full.
      tooltip: what is shown on hover.
      numbers: a field with the text in the cells, or None.
      cell: height of a row.
      angle: of the labels of the columns.
    """
    axis = {"labelAngle": angle, "orient": "top", "labelLimit": 110}
    base = alt.Chart(data(rows)).encode(
        x=alt.X("x:N", sort=None, axis=named_axis(**axis)),
        y=alt.Y("y:N", sort=None, axis=named_axis()),
        tooltip=list(tooltip),
    )
    strength = alt.Scale(domain=[0, top], range=[0.03, 1], clamp=True)
    # With numbers in them, cells keep to colours on which ink can be read.
    shade = "heat" if numbers else "series"
    cells = (
        base.transform_calculate(strength="abs(datum.value)")
        .mark_rect(stroke="var(--surface)", strokeWidth=1)
        .encode(
            fill=alt.condition("datum.value < 0", alt.value(f"var(--{shade}-2)"), alt.value(f"var(--{shade}-1)")),
            fillOpacity=alt.FillOpacity("strength:Q", scale=strength, legend=None),
        )
    )
    layers = [cells]
    if numbers:
        text = base.mark_text(fontSize=11, aria=False).encode(text=f"{numbers}:N")
        layers.append(text)
    return spec(alt.layer(*layers).properties(width="container", height=_tall(rows, cell, "y")), description)


def lines(
    rows: Sequence[Mapping],
    x: str,
    y: str,
    description: str,
    *,
    series: Sequence[str] = (),
    form: str = ",.4~f",
    height: int = 150,
) -> dict:
    """Lines over a quantity.

    Args:
      rows: ``x``, ``y``, ``series``, and ``line`` where a series has several, of one colour; ``dashed`` if some are.
      x, y: titles, or "".
      description: for those who cannot see it.
      series: in the order of the colours, where charts next to each other do not all have all of them.
      form: of the values, d3's.
      height: of the chart.
    """
    rows = [{"line": row["series"], **row} for row in rows]
    look = looks(list(dict.fromkeys([*series, *(row["series"] for row in rows)])))
    rows = [{**row, "series": look[row["series"]].key} for row in rows]
    colour, *_ = by_look(list(look.values()), "series")
    by_line: dict[tuple[str, str], list[Mapping]] = {}
    for row in rows:
        by_line.setdefault((row["series"], row["line"]), []).append(row)
    many_lines = len(by_line) > 2 * len(look)
    dashes = {}
    if any(row.get("dashed") for row in rows):
        scale = alt.Scale(domain=[False, True], range=[[1, 0], [5, 3]])
        dashes = {"strokeDash": alt.StrokeDash("dashed:N", scale=scale, legend=None)}

    def base(shown: Sequence[Mapping]) -> alt.Chart:
        return alt.Chart(data(shown)).encode(
            x=alt.X(
                "x:Q",
                title=x or None,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(tickCount=4, grid=False, labelSeparation=10),
            ),
            y=alt.Y("y:Q", title=y or None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
            color=colour,
            detail="line:N",
            tooltip=[
                alt.Tooltip("line:N", title="line"),
                alt.Tooltip("x:Q", title=x or "x", format=","),
                alt.Tooltip("y:Q", title=y or "value", format=form),
            ],
        )

    # Few points are shown as such; of many, the one that the mouse is at.
    few = [row for found in by_line.values() if len(found) <= _FEW for row in found]
    many = [row for found in by_line.values() if len(found) > _FEW for row in found]
    drawn = base(rows).encode(**dashes)
    layers = [drawn.mark_line(strokeWidth=1.25, opacity=0.7) if many_lines else drawn.mark_line()]
    layers += [base(few).mark_point(filled=True, size=28, opacity=1)] if few else []
    layers += [base(many).mark_point(filled=True, size=60, opacity=0)] if many else []
    return spec(alt.layer(*layers).properties(width="container", height=height), description)


def _tall(rows: Sequence[Mapping], step: int, field: str = "key") -> int:
    """Height of so many lines; not Vega-Lite's step, which does not go together with the width of the page."""
    return step * max(1, len({row[field] for row in rows}))
