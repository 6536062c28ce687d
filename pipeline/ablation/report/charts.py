"""The charts of an ablation's page."""

from collections.abc import Iterable, Mapping, Sequence

import altair as alt

from pipeline.ablation.compare import told_from_0
from reporting import charts as c
from reporting.gate_map import gate_map
from reporting.looks import Look, by_look, key, looks

MOST_SLICES = 40
COSTS = {"parameters": "parameters", "training_seconds": "training seconds"}


def charts(result: dict, maps: Mapping[str, Sequence[Mapping]]) -> dict[str, dict]:
    """Vega-Lite specs for the page, by name; a chart that has nothing to show is left out.

    ``session_auc``, ``minus <baseline>``, ``slices <dimension>``, ``way``, ``cost <what>``, ``gates <label>``.

    Args:
      result: the content of `ablation.json`.
      maps: of `gate_maps`.
    """
    groups = look_of_groups(maps)
    made = _figures(result)
    for label, points in maps.items():
        rows = [point | {"colour": groups[point["in"]].colour, "shape": groups[point["in"]].shape} for point in points]
        made[f"gates {label}"] = gate_map(rows, f"Leaf categories by the gate of {label}.", height=280)
    return made


def look_of_groups(maps: Mapping[str, Iterable[Mapping]]) -> dict[str, Look]:
    """The looks of the top categories on the maps, the busiest first."""
    tops = {point["top"]: point["in"] for points in maps.values() for point in points}
    return looks(list(dict.fromkeys(tops[top] for top in sorted(tops))))


def look_of_variants(result: dict) -> dict[str, Look]:
    """The looks of the variants, in their order."""
    return looks(list(result["variants"]))


def _figures(result: dict) -> dict[str, dict]:
    variants = result["variants"]
    if result["best"] is None:
        return {}
    made = {"session_auc": _seeds(variants, result["seeds"])}
    others = [other for other in result["baselines"] if any(other in v["differences"] for v in variants.values())]
    made |= {f"minus {baseline}": _differences(variants, baseline) for baseline in others}
    by_label = look_of_variants(result)
    for dimension, parts in result["slices"].items():
        if rows := _slice_rows(parts):
            shown = {label: look for label, look in by_label.items() if label != result["baselines"][0]}
            title = f"session AUC minus that of {result['baselines'][0]}"
            text = f"Differences in session AUC by {dimension}, with their intervals."
            made[f"slices {dimension}"] = c.intervals(rows, title, text, series=shown)
    if result["oracle_session_auc"] is not None and len(variants) > 1:
        made["way"] = _way(variants, result["baselines"][0])
    for what, title in COSTS.items():
        if any(variant[what] is not None for variant in variants.values()) and len(variants) > 1:
            made[f"cost {what}"] = _cost(variants, what, title, by_label)
    return made


def _seeds(variants: dict[str, dict], seeds: Sequence[int]) -> dict:
    """Every seed as a point, and the mean as a stroke with its figure."""
    points, means = [], []
    for place, (label, variant) in enumerate(variants.items()):
        found = variant["metrics"]["session_auc"]
        row = {"key": key(place, label), "name": label, "mean": found["mean"]}
        by_seed = zip(seeds, found["by_seed"], strict=True)
        points += [row | {"seed": seed, "value": value} for seed, value in by_seed]
        means.append(row | {"text": f"{found['mean']:.4f}"})
    scale = alt.Scale(zero=False, padding=16)
    tooltip = [
        alt.Tooltip("name:N", title="variant"),
        alt.Tooltip("seed:N"),
        alt.Tooltip("value:Q", title="session AUC", format=".4f"),
        alt.Tooltip("mean:Q", title="mean over seeds", format=".4f"),
    ]
    y = alt.Y("key:N", sort=None, axis=c.named_axis())
    dots = (
        alt.Chart(c.data(points))
        .mark_point(filled=True, size=55, opacity=0.55, color=c.ACCENT)
        .encode(x=alt.X("value:Q", title="session AUC", scale=scale, axis=alt.Axis(format="~f")), y=y, tooltip=tooltip)
    )
    base = alt.Chart(c.data(means)).encode(x=alt.X("mean:Q", scale=scale), y=y)
    strokes = base.mark_tick(thickness=2.5, size=20, color=c.INK).encode(
        tooltip=[tooltip[0], alt.Tooltip("mean:Q", title="mean over seeds", format=".4f")]
    )
    figures = base.mark_text(dy=-15, fontSize=11).encode(text="text:N")
    made = alt.layer(dots, strokes, figures).properties(width="container", height=36 * len(means))
    return c.spec(made, "Session AUC of each variant: every seed, and the mean.")


def _differences(variants: dict[str, dict], baseline: str) -> dict:
    rows = []
    for label, variant in variants.items():
        found = variant["differences"].get(baseline, {}).get("session_auc")
        if found:
            rows.append({"name": label, **_ends(found)})
    title = f"session AUC minus that of {baseline}"
    return c.intervals(rows, title, f"Differences in session AUC to {baseline}, with their intervals.")


def _slice_rows(parts: list[dict]) -> list[dict]:
    rows = []
    for part in parts[:MOST_SLICES]:
        common = {"name": part["name"], "label": f"{part['name']} ({part['requests']:,})", "requests": part["requests"]}
        for label, found in part["differences"].items():
            if found:
                rows.append({**common, "of": label, **_ends(found)})
    return rows


def _way(variants: dict[str, dict], start: str) -> dict:
    """The share of the way to the true click probability."""
    rows = [
        {"name": label, "value": variant["share_of_oracle"]}
        for label, variant in variants.items()
        if label != start and variant["share_of_oracle"] is not None
    ]
    text = f"How far each variant is on the way from {start} to the true click probability, in session AUC."
    return c.bars(rows, "share of the way", text, form=".1%")


def _cost(variants: dict[str, dict], what: str, title: str, by_label: Mapping[str, Look]) -> dict:
    """Session AUC over what it costs, with the standard deviation over seeds."""
    rows = []
    for label, variant in variants.items():
        found = variant["metrics"]["session_auc"]
        if variant[what] is None or found["mean"] is None:
            continue
        deviation = found["standard_deviation"]
        ends = {} if deviation is None else {"low": found["mean"] - deviation, "high": found["mean"] + deviation}
        costs = {cost: variant[cost] for cost in COSTS}
        row = {"name": label, "series": by_label[label].key, "value": found["mean"], "deviation": deviation}
        rows.append(row | ends | costs)
    colour, shape, fill = by_look(list(by_label.values()), "series")
    scale = alt.Scale(zero=False, padding=12)
    base = alt.Chart(c.data(rows)).encode(
        x=alt.X(f"{what}:Q", title=title, axis=alt.Axis(format="~s", tickCount=5), scale=alt.Scale(zero=True)),
        color=colour,
        tooltip=[
            alt.Tooltip("name:N", title="variant"),
            alt.Tooltip("value:Q", title="session AUC", format=".4f"),
            alt.Tooltip("deviation:Q", title="standard deviation", format=".4f"),
            alt.Tooltip("parameters:Q", format=","),
            alt.Tooltip("training_seconds:Q", title="training seconds", format=",.1f"),
        ],
    )
    rules = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    points = base.mark_point(size=80, opacity=1).encode(
        y=alt.Y("value:Q", title="session AUC", scale=scale), shape=shape, fill=fill
    )
    made = alt.layer(rules, points).properties(width="container", height=260)
    return c.spec(made, f"Session AUC of each variant over its {title}.")


def _ends(found: dict) -> dict:
    return {"value": found["mean"], "low": found["low"], "high": found["high"], "sure": told_from_0(found)}
