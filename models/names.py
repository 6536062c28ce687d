"""Names from a log as they may be shown in a line: whoever writes the log must not write on our screens and files.

What is more than a line, a table of Markdown or a spreadsheet, has its own rules in components/names.py.
"""

import re

# What a terminal or a browser acts on: control characters but tab and line end, marks that turn the direction of text.
_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with control characters and bytes that are no UTF-8 as escapes; lines stay lines."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _ACTED_ON.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(name: str) -> str:
    """A `printable` name without line ends."""
    return printable(name).replace("\n", r"\n").replace("\t", r"\t")
