"""The table of categories as `templates/categories.js` reads it: figures by column, and the heads of the columns."""

from collections.abc import Iterable, Sequence

from reporting.estimates import Estimate
from reporting.metrics import METRICS


def figures(categories: Sequence, counts: Iterable[str], estimates: Iterable[str]) -> dict[str, list]:
    """Columns of the table; rounded, because 5,000 categories with all digits would be most of a page.

    Args:
      categories: with ``level``, ``parent`` and the attributes that follow.
      counts: names of attributes that stay as they are.
      estimates: names of attributes that are an `Estimate` or None.
    """
    columns = {name: [getattr(of, name) for of in categories] for name in ("level", "parent", *counts)}
    return columns | {name: [rounded(getattr(of, name)) for of in categories] for name in estimates}


def rounded(estimate: Estimate | None) -> list[float | None] | None:
    """[value, low, high] with four digits."""
    if estimate is None or estimate.value is None:
        return None
    return [round_(part, 4) for part in (estimate.value, estimate.low, estimate.high)]


def round_(value: float | None, digits: int) -> float | None:
    """`round`, but None stays None."""
    return None if value is None else round(value, digits)


def head(kind: str, id_: str, title: str | None = None, hint: str = "", digits: int = 0) -> dict:
    """The head of a column.

    Args:
      kind: as categories.js knows it: name, count, share, figure, interval, or difference.
      id_: name of the column's figures; a column without a title has that of the metric of this name.
      title: of the column.
      hint: shown on hover.
      digits: of figures and differences.
    """
    return {"id": id_, "title": title or METRICS[id_].title, "kind": kind, "hint": hint, "digits": digits}
