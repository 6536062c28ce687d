"""The table that an ablation ends with on a terminal."""

from collections.abc import Iterable

import rich.table
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from common.escaping import one_line, printable
from pipeline.ablation.compare import told_from_0
from pipeline.ablation.report.verdict import verdict
from reporting.metrics import SHOWN
from reporting.words import interval, number, signed, spread

_KEY = "* 0 is outside of the 95 % interval over {}; ± standard deviation over seeds."
# Beside the session AUC: how many baselines, and whether NDCG and costs; the first that there is room for.
_COLUMNS = [(2, True, True), (2, False, True), (2, False, False), (1, True, True), (1, False, True), (1, False, False)]


class Table:
    """What rich shows: more columns where there is room for them.

    The best variant is bold and has an arrow, and a star marks the differences that can be told from 0.

    Args:
      result: the content of `ablation.json`.
    """

    def __init__(self, result: dict):
        self._result = result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result = self._result
        tables = (self._table(*columns) for columns in _COLUMNS)
        wide = options.update(max_width=1000)  # or a table is measured as if cut
        fits = (table for table in tables if console.measure(table, options=wide).maximum <= options.max_width)
        yield next(fits, self._table(*_COLUMNS[-1]))
        over = "requests and seeds" if len(result["seeds"]) > 1 else "requests alone"
        yield Text(_KEY.format(over))
        said = verdict(result)
        yield Text(printable(f"{said.text}. {' '.join(said.reasons)}"), style="bold")
        for mark in result["marks"]:
            yield Text(printable(mark))
        for title, why in result["failed"].items():
            yield Text(printable(f"{title} failed, and its variant is left out: {why}"))

    def _table(self, most: int, ndcg: bool, costs: bool) -> rich.table.Table:
        result = self._result
        best, shown = result["best"], result["baselines"][:most]
        seeds = ", ".join(str(seed) for seed in result["seeds"])
        table = rich.table.Table(
            title=Text(one_line(f"Ablation {result['name']}, seeds {seeds}, test split")), title_justify="left"
        )
        table.add_column("variant", overflow="fold")
        titles = [SHOWN["session_auc"].title, *(f"minus {one_line(baseline)}" for baseline in shown)]
        titles += [*([SHOWN["ndcg_at_10"].title] if ndcg else []), *(["parameters", "seconds"] if costs else [])]
        for title in titles:
            table.add_column(Text(title), justify="right", no_wrap=True)
        for label, variant in result["variants"].items():
            cells = [_spread(variant["metrics"]["session_auc"])]
            cells += [_difference(variant["differences"].get(baseline, {}).get("session_auc")) for baseline in shown]
            cells += [_spread(variant["metrics"]["ndcg_at_10"])] if ndcg else []
            cells += _costs(variant) if costs else []
            name = f"> {label}" if label == best else f"  {label}"
            table.add_row(*_texts([name, *cells]), style="bold" if label == best else None)
        if result["oracle_session_auc"] is not None:
            table.add_section()
            table.add_row("  true probability", number(result["oracle_session_auc"], 4))
        return table


def _costs(variant: dict) -> list[str]:
    return [number(variant["parameters"]), number(variant["training_seconds"], 1)]


def _texts(cells: Iterable[str]) -> list[Text]:
    return [Text(one_line(cell)) for cell in cells]


def _spread(found: dict) -> str:
    return spread(found["mean"], found["standard_deviation"])


def _difference(found: dict | None) -> str:
    if found is None:
        return ""
    star = "*" if told_from_0(found) else " "
    return f"{signed(found['mean'])} {interval(found['low'], found['high'])}{star}"
