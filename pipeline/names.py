"""`components.names`, under the name that it had."""

from components.names import cell, markdown, one_line, printable

__all__ = ["cell", "markdown", "one_line", "printable"]
