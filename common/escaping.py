"""Names from a log, escaped for where they are shown.

Whoever writes the log must not write on our screens, into our files or into our reports.
"""

import html
import re

# What a terminal or a browser acts on: control characters but tab and line end, marks that turn the direction of text.
_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_MARKDOWN = re.compile(r"([\\`*_\[\]!~])")


def printable(text: str) -> str:
    """``text`` with control characters and bytes that are no UTF-8 as escapes; lines stay lines."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _ACTED_ON.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(name: str) -> str:
    """A `printable` name without line ends."""
    return printable(name).replace("\n", r"\n").replace("\t", r"\t")


def markdown(name: str) -> str:
    """A name in Markdown, where it is neither HTML, nor a link, nor emphasis; `|` is for the table to escape."""
    return _MARKDOWN.sub(r"\\\1", html.escape(one_line(name), quote=False))


def cell(name: str) -> str:
    """A name in a CSV file, which a spreadsheet must not take for a formula."""
    name = one_line(name)
    return f"'{name}" if name[:1] in ("=", "+", "-", "@") else name
