"""What is found first: whether one of two runs is better, and where it gained and lost."""

from pipeline.comparison.content import CategoryFigures, Comparison
from pipeline.comparison.pairing import Kind
from reporting.statistics import LEAST


def verdict(comparison: Comparison) -> tuple[str, str]:
    """(good, bad or even: how it looks from the second run; the same in words)."""
    if comparison.kind is Kind.OTHER:
        return "even", "Other test requests: no verdict"
    if comparison.judged < LEAST:
        return "even", f"Fewer than {LEAST} requests to judge by: no verdict"
    if comparison.better is None:
        return "even", "No difference that can be told"
    return ("good" if comparison.better == comparison.labels[1] else "bad"), f"{comparison.better} is better"


def with_interval(comparison: Comparison) -> list[CategoryFigures]:
    """The categories of which a difference can be told from 0, or not."""
    differences = ((of, of.session_auc.difference) for of in comparison.categories)
    return [of for of, difference in differences if difference and difference.low is not None]


def changes(comparison: Comparison, most: int) -> tuple[list[CategoryFigures], list[CategoryFigures]]:
    """The categories that gained and that lost most: by the end of the interval that is nearer to 0, so that small ones
    of wide intervals do not stand first; those without an interval are left out."""
    known = with_interval(comparison)
    gained = [category for category in known if category.session_auc.difference.value > 0]
    lost = [category for category in known if category.session_auc.difference.value < 0]
    gained.sort(key=lambda category: -category.session_auc.difference.low)
    lost.sort(key=lambda category: category.session_auc.difference.high)
    return gained[:most], lost[:most]
