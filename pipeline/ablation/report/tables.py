"""The ablation as Markdown, with its pictures, and as CSV: for pages of documentation and for programs."""

import csv
import pathlib
import re
from collections.abc import Iterable, Mapping

from common.escaping import cell, markdown
from pipeline.ablation.compare import COMPARED, told_from_0
from pipeline.ablation.report.verdict import verdict
from reporting.svg import svg
from reporting.titles import TITLES

REPORT_FILE = "report.md"
_NOTHING = "-"
_INTERVALS = (
    "Intervals are of 95 %. **Judge by the one over requests and seeds**, paired by both, with Student's t for the few "
    "seeds (`reporting/statistics.py`). The one over requests alone, a bootstrap, takes these very trainings "
    "as given and is too narrow for a claim on the variants. Bold: 0 is outside of the interval to judge by. "
    "Nothing is corrected for the number of comparisons."
)
_ONE_SEED = (
    "Intervals are of 95 %, over requests alone: **one seed says nothing of the noise of training**, which is often as "
    "large as the differences. Bold: 0 is outside of the interval. Nothing is corrected for the number of comparisons."
)


def write(result: dict, pictures: Mapping[str, dict], folder: pathlib.Path) -> None:
    """Writes `report.md` with its pictures, `overall.csv` and `slices.csv`.

    Args:
      result: the content of `ablation.json`, see `pipeline.ablation.compare.compare`.
      pictures: Vega-Lite specs by name, see `pipeline.ablation.report.charts.pictures`.
      folder: where to.
    """
    files = {name: re.sub(r"[^A-Za-z0-9.-]+", "_", name) + ".svg" for name in pictures}
    for name, spec in pictures.items():
        (folder / files[name]).write_text(svg(spec), encoding="utf-8")
    _write_csv(folder / "overall.csv", _overall_rows(result))
    _write_csv(folder / "slices.csv", _slice_rows(result))
    parts = [
        f"# Ablation: {result['name']}",
        _head(result),
        "## Overall",
        _overall(result),
        *_all_differences(result),
        *_all_slices(result),
        *_gates(result),
        "## Plots",
        *(f"![{markdown(spec['description'])}]({files[name]})" for name, spec in pictures.items()),
    ]
    (folder / REPORT_FILE).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _head(result: dict) -> str:
    counting = result["counting"]
    said = verdict(result)
    text = (
        f"Label `{result['label']}`; seeds {_join(result['seeds'])}; {result['requests']:,} requests in the test "
        f"split, of which {counting['session_auc']:,} count for session AUC and {counting['ndcg_at_10']:,} for NDCG@10 "
        "and MRR."
    )
    lines = [f"* **{markdown(mark)}**" for mark in result["marks"]]
    for baseline, groups in said.against.items():
        found = "; ".join(f"{what}: {', '.join(names)}" for what, names in groups.items())
        lines += [f"* {markdown(f'Against {baseline}: {found}')}"] if found else []
    lines += [f"* every variant: `{override}`" for override in result["overrides"]]
    lines += [f"* `{label}`: `{setting}`" for label, setting in result["settings"].items() if label != setting]
    lines += [
        f"* **{title} failed**, and its variant is left out: {' '.join(why.split())}"
        for title, why in result["failed"].items()
    ]
    head = f"**{markdown(said.text)}.** {markdown(' '.join(said.reasons))}"
    return "\n\n".join([head, text, *(["\n".join(lines)] if lines else [])])


def _overall(result: dict) -> str:
    start = result["baselines"][0]
    oracle = result["oracle_session_auc"]
    columns = ["variant", *TITLES.values()]
    columns += [f"share of the way from {start} to the true click probability"] if oracle is not None else []
    columns += ["parameters", "training seconds", "items trained a second"]
    rows = []
    for label, variant in result["variants"].items():
        row = [label, *(_spread(variant["metrics"][name]) for name in TITLES)]
        row += [_number(variant["share_of_oracle"], ".1%")] if oracle is not None else []
        row += [f"{variant['parameters']:,}", _number(variant["training_seconds"], ",.1f")]
        rows.append([*row, _number(variant["items_per_second"], ",.0f")])
    note = "Mean ± standard deviation over seeds. Seconds: wall time, means over trainings that were not interrupted."
    if oracle is not None:
        note += f" Session AUC of the true click probability, which no model can reach: {oracle:.4f}."
    return f"{_table(columns, rows)}\n\n{note}"


def _all_differences(result: dict) -> list[str]:
    if len(result["variants"]) == 1:
        return []
    tables = [_differences(result, baseline) for baseline in result["baselines"]]
    return ["## Differences", _INTERVALS if len(result["seeds"]) > 1 else _ONE_SEED, *tables]


def _differences(result: dict, baseline: str) -> str:
    columns = ["variant"]
    for metric in COMPARED:
        columns += [f"{TITLES[metric]} - {baseline}", "p", "over requests alone", "p"]
    rows = []
    for label, variant in result["variants"].items():
        if baseline not in variant["differences"]:
            continue
        row = [label]
        for metric in COMPARED:
            found = variant["differences"][baseline][metric]
            row += [_difference(found, bold=True), _number(found and found["p_value"], ".3f")]
            row += [_interval(found, "_over_requests"), _number(found and found["p_value_over_requests"], ".3f")]
        rows.append(row)
    return f"### Against {baseline}\n\n{_table(columns, rows)}"


def _all_slices(result: dict) -> list[str]:
    if not result["slices"]:
        return []
    text = (
        f"Session AUC; below it the difference to `{result['baselines'][0]}` with its interval over "
        f"{'requests and seeds' if len(result['seeds']) > 1 else 'requests'}. Requests: those that count, with a "
        "positive and a negative item."
    )
    return ["## Slices", text, *(_slices(result, dimension) for dimension in result["slices"])]


def _slices(result: dict, dimension: str) -> str:
    baseline, *_ = result["baselines"]
    others = [label for label in result["variants"] if label != baseline]
    rows = []
    for part in result["slices"][dimension]:
        figures = part["session_auc"]
        row = [markdown(part["name"]), f"{part['requests']:,}", _number(figures[baseline], ".4f")]
        row += [
            f"{_number(figures[label], '.4f')}<br>{_difference(part['differences'][label], bold=True)}"
            for label in others
        ]
        rows.append(row)
    return f"### By {dimension}\n\n{_table([dimension, 'requests', baseline, *others], rows)}"


def _gates(result: dict) -> list[str]:
    rows = [[label, _spread(found)] for label, v in result["variants"].items() if (found := v["silhouette"])]
    if not rows:
        return []
    text = (
        "Silhouette of the leaf categories' gate vectors by top category: the weights that serve, zeros but for the "
        "active experts; cosine distance. 1: the leaves of a top category share their experts and no other's; 0: no "
        "order."
    )
    return ["## Gates", text, _table(["variant", "silhouette"], rows)]


def _overall_rows(result: dict) -> Iterable[dict]:
    for label, variant in result["variants"].items():
        row = {"variant": label}
        for name in TITLES:
            row |= {key: variant["metrics"][name][part] for key, part in _mean_and_deviation(name)}
        for baseline in result["baselines"]:
            for metric in COMPARED:
                found = variant["differences"].get(baseline, {}).get(metric) or {}
                for part in ("mean", "low", "high", "p_value"):
                    row[f"{metric}_minus_{baseline}_{part}"] = found.get(part)
        row |= {name: variant[name] for name in ("parameters", "training_seconds", "items_per_second")}
        row |= {key: (variant["silhouette"] or {}).get(part) for key, part in _mean_and_deviation("silhouette")}
        yield row | {"share_of_oracle": variant["share_of_oracle"]}


def _slice_rows(result: dict) -> Iterable[dict]:
    for dimension, parts in result["slices"].items():
        for part in parts:
            for label, session_auc in part["session_auc"].items():
                found = part["differences"].get(label) or {}
                yield {
                    "dimension": dimension,
                    "slice": cell(part["name"]),
                    "requests": part["requests"],
                    "variant": label,
                    "session_auc": session_auc,
                    "baseline": result["baselines"][0],
                    **{f"difference_{name}": found.get(name) for name in ("mean", "low", "high", "p_value")},
                }


def _mean_and_deviation(name: str) -> list[tuple[str, str]]:
    return [(f"{name}_{part}", part) for part in ("mean", "standard_deviation")]


def _write_csv(path: pathlib.Path, rows: Iterable[dict]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _spread(found: dict) -> str:
    if found["standard_deviation"] is None:
        return _number(found["mean"], ".4f")
    return f"{found['mean']:.4f} ± {found['standard_deviation']:.4f}"


def _difference(found: dict | None, bold: bool = False) -> str:
    if found is None:
        return _NOTHING
    text = f"{found['mean']:+.4f} {_interval(found)}"
    return f"**{text}**" if bold and told_from_0(found) else text


def _interval(found: dict | None, which: str = "") -> str:
    return f"[{found[f'low{which}']:+.4f}, {found[f'high{which}']:+.4f}]" if found else _NOTHING


def _number(value: float | None, form: str) -> str:
    return _NOTHING if value is None else format(value, form)


def _join(values: Iterable) -> str:
    return ", ".join(str(value) for value in values)
