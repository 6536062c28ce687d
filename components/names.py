"""Names from a log as they may be shown: whoever writes the log must not write on our screens and in our reports."""

import html
import re

from models.names import one_line, printable

__all__ = ["cell", "markdown", "one_line", "printable"]

_MARKDOWN = re.compile(r"([\\`*_\[\]!~])")


def markdown(name: str) -> str:
    """A name in Markdown, where it is neither HTML, nor a link, nor emphasis; `|` is for the table to escape."""
    return _MARKDOWN.sub(r"\\\1", html.escape(one_line(name), quote=False))


def cell(name: str) -> str:
    """A name in a CSV file, which a spreadsheet must not take for a formula."""
    name = one_line(name)
    return f"'{name}" if name[:1] in ("=", "+", "-", "@") else name
