"""The curves of a training as rows of charts."""

import re
from collections.abc import Sequence

from reporting.content import Curve
from reporting.words import words

_EXPERT = re.compile(r"/expert_(\d+)$")
_MOST_STEPS = 200


def by_title(found: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Curves by the titles of their charts, the evaluated metric first; all splits of a quantity share a chart, and all
    experts."""
    by_quantity: dict[str, list[Curve]] = {}
    for curve in sorted(found, key=lambda curve: _order(_quantity(curve))):
        by_quantity.setdefault(_quantity(curve), []).append(curve)
    return {words(quantity.removeprefix("loss/")): found for quantity, found in by_quantity.items()}


def rows(curve: Curve, series: str) -> list[dict]:
    """A curve as a line of a series of `charts.lines`; each of several experts has a line of its own."""
    expert = _EXPERT.search(curve.name)
    points = [(step, value) for step, value in zip(curve.steps, curve.values, strict=True) if value is not None]
    every = -(-len(points) // _MOST_STEPS) or 1
    # Thinned from the end, so that the last value of the training stays.
    kept = points[::-1][::every][::-1]
    line = f"expert {int(expert[1]) + 1}" if expert else curve.split
    return [{"x": x, "y": y, "series": series, "line": line} for x, y in kept]


def _quantity(curve: Curve) -> str:
    """``train/gate/active/expert_3`` as ``gate/active/by expert``."""
    return _EXPERT.sub("/by expert", curve.name.split("/", 1)[-1])


def _order(quantity: str) -> int:
    return [quantity == "session_auc", "loss" in quantity, not quantity.startswith("gate/"), True].index(True)
