"""What a column of a log holds: numbers, times, names, or lists of them."""

import dataclasses
import datetime
import functools
import re

import numpy as np
import pandas as pd

# A list in a text is looked for with these between its values.
_LIST_SEPARATORS = (" ", "_", ",", ";", "|")
_TIMES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y-%m-%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
)
_LOOKED_AT = 1000


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a sample.

    Attributes:
      name: as in the file.
      values: as `Sample.rows` has them.
    """

    name: str
    values: pd.Series

    @functools.cached_property
    def present(self) -> pd.Series:
        """The values that are there."""
        return self.values.dropna()

    @functools.cached_property
    def missing(self) -> float:
        """The share of rows without a value."""
        return float(self.values.isna().mean()) if len(self.values) else 1.0

    @functools.cached_property
    def is_native_list(self) -> bool:
        """Whether the file itself has lists here."""
        return any(isinstance(value, list) for value in self.present[:_LOOKED_AT])

    @functools.cached_property
    def distinct(self) -> int:
        """How many values there are."""
        return 0 if self.is_native_list else int(self.present.nunique())

    @functools.cached_property
    def numbers(self) -> np.ndarray | None:
        """Its values as numbers, [rows present]; None if less than 99 % of them are some."""
        if self.is_native_list or not len(self.present):
            return None
        found = pd.to_numeric(self.present.astype(str), errors="coerce").to_numpy(float)
        return found if np.isfinite(found).mean() >= 0.99 else None

    @functools.cached_property
    def is_whole(self) -> bool:
        """Whether its numbers have no fraction."""
        numbers = self.numbers
        if numbers is None:
            return False
        numbers = numbers[np.isfinite(numbers)]
        return bool((numbers == np.floor(numbers)).all())

    @functools.cached_property
    def time_format(self) -> str | None:
        """As `data.timestamp_format` takes it; None if these are no times."""
        if self.is_native_list or not len(self.present):
            return None
        numbers = self.numbers
        if numbers is not None and self.is_whole:
            low, high = np.nanmin(numbers), np.nanmax(numbers)
            if low >= 6e8 and high <= 2.5e9:
                return "seconds"
            if low >= 6e11 and high <= 2.5e12:
                return "milliseconds"
        texts = self.present.astype(str).drop_duplicates()[:_LOOKED_AT]
        return next((form for form in _TIMES if all(_is_time(text, form) for text in texts)), None)

    def list_separator(self, is_list: bool = False) -> str | None:
        """What stands between the values of a list in a text; None if these are no lists.

        Args:
          is_list: whether its name says so; without that, names of letters are taken for a sentence.
        """
        if self.is_native_list:
            return None
        texts = self.present[:_LOOKED_AT].astype(str)
        for separator in _LIST_SEPARATORS:
            tokens = texts.str.split(separator, regex=False)
            if (tokens.str.len() > 1).mean() < (0.01 if is_list else 0.3) or tokens.str.len().max() < 3:
                continue
            flat = tokens.explode()
            if is_list or flat.str.fullmatch(r"-?[\d.]+").mean() > 0.9:
                return separator
        return None

    def tokens(self, separator: str | None) -> pd.Series:
        """The lists' values, of the first rows."""
        values = self.present[:_LOOKED_AT]
        return (values if separator is None else values.astype(str).str.split(separator, regex=False)).explode()

    def is_named(self, pattern: str) -> bool:
        """Whether a word of its name is one of ``pattern``: productId has the words product and id."""
        words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", self.name).lower()
        return re.search(rf"(?:^|[^a-z])(?:{pattern})(?:s?(?:[^a-z]|$))", words) is not None

    def examples(self) -> str:
        """A few of its values, for a comment."""
        if self.numbers is not None and not self.is_named("id|code"):
            return f"{np.nanmin(self.numbers):.10g} to {np.nanmax(self.numbers):.10g}"
        texts = [str(value) for value in self.present[:_LOOKED_AT].map(str).drop_duplicates()[:3]]
        shown = ", ".join(text if len(text) <= 30 else f"{text[:27]}..." for text in texts)
        return " ".join(shown.split())


def _is_time(text: str, form: str) -> bool:
    try:
        return datetime.datetime.strptime(text, form).year > 1970
    except ValueError:
        return False


def maps_to(finer: pd.Series, coarser: pd.Series) -> float:
    """The share of rows whose value of ``coarser`` is the usual one for their value of ``finer``."""
    both = pd.DataFrame({"finer": finer, "coarser": coarser}).dropna()
    if both.empty:
        return 0.0
    counts = both.value_counts(["finer", "coarser"])
    return float(counts.groupby(level="finer").max().sum() / len(both))


def constant_within(groups: pd.Series, values: pd.Series) -> float:
    """The share of groups with two rows or more in which all values are the same; 1 if there is no such group."""
    rows = pd.DataFrame({"group": groups, "value": values.fillna("")}).dropna(subset=["group"])
    found = rows.groupby("group", sort=False)["value"].agg(["nunique", "size"])
    found = found[found["size"] > 1]
    return float((found["nunique"] == 1).mean()) if len(found) else 1.0
