"""The ablation as one page of HTML, made as ModelReport's is."""

import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from pipeline.ablation.compare import told_from_0
from pipeline.ablation.report.charts import COSTS, MOST_SLICES, charts, look_of_groups, look_of_variants
from pipeline.ablation.report.verdict import verdict
from reporting.charts import height
from reporting.html import TEMPLATES, document, plain
from reporting.metrics import COMPARED, SHOWN

_OWN = pathlib.Path(__file__).parent / "templates"
_SECTIONS = {
    "headline": "Verdict",
    "variants": "All variants",
    "differences": "Differences",
    "slices": "Slices",
    "way": "Way to the truth",
    "gates": "Gates",
    "cost": "What it costs",
    "settings": "Settings",
    "trainings": "Trainings",
    "intervals": "Intervals",
}


def render(result: dict, maps: Mapping[str, Sequence[Mapping]]) -> str:
    """The page, to be written as UTF-8; names in the result and on the maps may be hostile.

    Args:
      result: the content of `ablation.json`.
      maps: of `gate_maps`.
    """
    result = plain(result | {"failed": {title: " ".join(why.split()) for title, why in result["failed"].items()}})
    maps = plain(maps)
    made = charts(result, maps)
    keys = _keys(result["configs"])
    looks, groups = look_of_variants(result), look_of_groups(maps)
    tops = {point["in"]: point["top"] for points in maps.values() for point in points}
    left_out = [] if "way" in made else ["way"]
    entries = [
        {"id": tops[name], "name": name, "colour": look.colour, "glyph": look.glyph} for name, look in groups.items()
    ]
    return document(
        _OWN / "ablation.html.j2",
        title=f"{result['name']}: ablation",
        charts=made,
        data={"groups": entries, "maps": [f"gates {label}" for label in maps]},
        scripts=[TEMPLATES / "legend.js", TEMPLATES / "sortable.js", _OWN / "ablation.js"],
        sections=[(anchor, title) for anchor, title in _SECTIONS.items() if anchor not in left_out],
        result=result,
        verdict=verdict(result),
        metrics=SHOWN,
        compared=COMPARED,
        costs=COSTS,
        best=_best(result),
        leads=_leads(result),
        differing={key: values for key, values in keys.items() if len(set(values)) > 1},
        keys=keys,
        looks=looks,
        others={label: look for label, look in looks.items() if label != result["baselines"][0]},
        maps=maps,
        heights={name: height(spec) for name, spec in made.items()},
        most_slices=MOST_SLICES,
        estimate=estimate,
    )


def estimate(difference: dict | None) -> dict | None:
    """A difference as the templates' figures take it: ``value``, ``low``, ``high``, ``sure``, and ``p``."""
    if not difference:
        return None
    return {
        "value": difference["mean"],
        **{name: difference[name] for name in ("low", "high")},
        "sure": told_from_0(difference),
        "p": difference["p_value"],
        "low_over_requests": difference["low_over_requests"],
        "high_over_requests": difference["high_over_requests"],
    }


def _best(result: dict) -> dict | None:
    return result["variants"][result["best"]] if result["best"] else None


def _leads(result: dict) -> dict | None:
    """The best variant's lead over each other, nearest first, and an axis for them."""
    best = result["best"]
    if best is None:
        return None
    behind = {
        label: estimate(variant["differences"][best]["session_auc"])
        for label, variant in result["variants"].items()
        if label != best
    }
    found = {
        label: {"value": -e["value"], "low": -e["high"], "high": -e["low"], "sure": e["sure"]}
        for label, e in sorted(behind.items(), key=lambda pair: -pair[1]["value"] if pair[1] else 0)
        if e
    }
    ends = [end for lead in found.values() for end in (lead["low"], lead["high"], 0.0)]
    if not ends:
        return None
    room = (max(ends) - min(ends)) / 20
    return {"by_label": found, "axis": {"low": min(ends) - room, "high": max(ends) + room, "line": 0.0}}


def _keys(configs: Mapping[str, dict]) -> dict[str, list[str]]:
    """The values of each key in the variants' order."""
    flat = [
        {f"{section}.{key}": value for section, keys in config.items() for key, value in keys.items()}
        for config in configs.values()
    ]
    names: Iterable[str] = dict.fromkeys(name for config in flat for name in config)
    return {name: [_value(config.get(name)) for config in flat] for name in names}


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
