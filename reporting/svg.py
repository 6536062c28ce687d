"""A chart as a file of SVG, for pages of Markdown: the one that `html.document` puts into a page, in its light colours.

Text stays text in it, so that whoever looks at it finds a font for names in any script.
"""

import functools
import re

import vl_convert

from reporting.charts import CONFIG
from reporting.html import TEMPLATES, plain

_VARIABLE = re.compile(r"var\(--([\w-]+)\)")
_DEFINITION = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]+),")


def svg(spec: dict, width: int = 760) -> str:
    """A chart of `reporting.charts` as SVG.

    Args:
      spec: Vega-Lite; names in its data may be hostile.
      width: in pixels, if the chart is as wide as what it stands in.
    """
    made = _in_light({**plain(spec), "config": CONFIG | {"background": "var(--surface)", "font": "sans-serif"}})
    if made.get("width") == "container":
        made["width"] = width
    return vl_convert.vegalite_to_svg(made)


def _in_light(value: object) -> object:
    """``value`` with colours in place of the page's variables, which no other program knows."""
    if isinstance(value, str):
        found = _VARIABLE.fullmatch(value)
        return _colours().get(found[1], value) if found else value
    if isinstance(value, dict):
        return {key: _in_light(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_in_light(part) for part in value]
    return value


@functools.cache
def _colours() -> dict[str, str]:
    return dict(_DEFINITION.findall((TEMPLATES / "report.css").read_text("utf-8")))
