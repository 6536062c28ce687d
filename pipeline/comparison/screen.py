"""A comparison on the terminal."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.escaping import one_line
from pipeline.comparison.compare import ONE_TRAINING
from pipeline.comparison.content import CategoryFigures, Comparison, Row
from pipeline.comparison.findings import changes, verdict
from pipeline.comparison.pairing import Kind
from reporting.estimates import Estimate
from reporting.metrics import METRICS
from reporting.words import DASH, interval, number, signed

_SHOWN = 5
_LONGEST = 60  # of a setting


def screen(comparison: Comparison) -> RenderableType:
    """What `python -m pipeline compare` shows."""
    _, word = verdict(comparison)
    head = Text(one_line(f"{word}. "), style="bold") + Text(one_line(comparison.basis), style="not bold")
    marks = [Text(one_line(mark)) for mark in comparison.marks]
    gained, lost = changes(comparison, _SHOWN)
    return Group(
        head,
        _metrics(comparison),
        Text(f"Intervals are of 95 %, over requests alone. {ONE_TRAINING} `make ablation`"),
        *marks,
        *_categories(comparison, "Categories that gained most; bold: the interval leaves 0 out", gained),
        *_categories(comparison, "Categories that lost most", lost),
        *_rows(comparison, "Configuration, where it differs", comparison.configuration, figures=False),
        *_rows(comparison, "Data", comparison.data),
        *_rows(comparison, "Training", comparison.training),
        *_rows(comparison, "Gates", comparison.experts),
        *_rows(comparison, "Seconds by component", comparison.seconds),
    )


def _table(title: str, columns: Iterable[str], figures: bool = True) -> Table:
    """Of which the first column is a name."""
    table = Table(title=Text(one_line(title)), title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(Text(one_line(column)), justify="right" if place and figures else "left")
    return table


def _metrics(comparison: Comparison) -> Table:
    paired = comparison.kind is not Kind.OTHER
    table = _table(
        "Test split" if paired else "Test splits, not the same", ("metric", *comparison.labels, "difference", "95 %")
    )
    for name, found in comparison.metrics.items():
        table.add_row(
            Text(METRICS[name].heading),
            *(number(of.value if of else None, 4) for of in (found.first, found.second)),
            *_difference(found.difference),
            style="bold" if paired and found.sign else "",
        )
    return table


def _categories(comparison: Comparison, title: str, found: list[CategoryFigures]) -> list[Table]:
    table = _table(title, ("category", "judged", *comparison.labels, "difference", "95 %"))
    for category in found:
        auc = category.session_auc
        table.add_row(
            Text(one_line(" > ".join(filter(None, category.path)))),
            number(category.judged_requests),
            *(number(of.value if of else None, 4) for of in (auc.first, auc.second)),
            *_difference(auc.difference),
            style="bold" if auc.sign else "",
        )
    return [table] if found else []


def _difference(found: Estimate | None) -> tuple[str, str]:
    if found is None or found.value is None:
        return DASH, DASH
    return signed(found.value), interval(found.low, found.high)


def _rows(comparison: Comparison, title: str, found: list[Row], figures: bool = True) -> list[Table]:
    table = _table(title, ("", *comparison.labels), figures)
    for row in found:
        texts = (row.name, row.first, row.second)
        table.add_row(*(Text(_short(one_line(text))) for text in texts))
    return [table] if found else []


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
