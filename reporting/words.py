"""Figures and names as they are read."""

import math
import re
from collections.abc import Sequence

from reporting.metrics import METRICS

DASH = "–"


def number(value: float | None, digits: int = 0) -> str:
    """1234.5 as ``1,234.5``; a dash for None and NaN; no minus before a zero."""
    return DASH if value is None or not math.isfinite(value) else f"{round(value, digits) + 0.0:,.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """A difference with its sign, a minus that is as wide as a plus."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{round(value, digits) + 0.0:+,.{digits}f}".replace("-", "−")


def interval(low: float | None, high: float | None, digits: int = 4) -> str:
    """The interval of a difference; a dash where there is none."""
    return DASH if low is None or high is None else f"[{signed(low, digits)}, {signed(high, digits)}]"


def spread(mean: float | None, deviation: float | None, digits: int = 4) -> str:
    """A mean and its standard deviation, if there is one."""
    return number(mean, digits) + ("" if mean is None or deviation is None else f" ± {number(deviation, digits)}")


def percent(value: float | None, digits: int = 1) -> str:
    """0.123 as ``12.3 %``."""
    return DASH if value is None or not math.isfinite(value) else f"{100 * value:,.{digits}f} %"


def seconds(value: float | None) -> str:
    """Seconds as somebody would say them: ``0.42 s``, ``12 s``, ``3 min 20 s``."""
    if value is None or not math.isfinite(value):
        return DASH
    if value < 60:
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def figure(value: object) -> object:
    """A figure of unknown size with as many digits as it takes; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return number(value)
    return number(value, 0 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4)


def words(name: str) -> str:
    """The name of a quantity as it is said; that of a metric by the table of metrics."""
    if name in METRICS:
        return METRICS[name].title
    known = {"auc": "AUC", "ndcg": "NDCG", "mrr": "MRR", "hsc": "HSC"}
    return " ".join(known.get(part, part) for part in re.split("[_/ ]", name))


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
