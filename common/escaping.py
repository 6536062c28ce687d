"""Escapes names from a log for terminals, pages and CSV files.

A name in a log may come from an attacker, who must not control a terminal, a spreadsheet or a report.
"""

import re

# Characters that a terminal or a browser acts on: control characters except tab and line end, and direction marks.
_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with escapes for control characters and for bytes that are not UTF-8. Line ends stay."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _ACTED_ON.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(name: str) -> str:
    """A `printable` name with escapes for line ends and tabs."""
    return printable(name).replace("\n", r"\n").replace("\t", r"\t")


def cell(name: str) -> str:
    """A name for a CSV file, with a quote before a character that a spreadsheet would read as a formula."""
    name = one_line(name)
    return f"'{name}" if name[:1] in ("=", "+", "-", "@") else name
