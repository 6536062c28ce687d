"""Pages of one file: a template, a style, charts that the browser draws, and nothing from the network.

`document` is for every report of the project. A page of its own is a template that extends ``skeleton.html.j2``, with
charts from `reporting.charts` put in their places by ``{{ chart("name", ...) }}``.
"""

import base64
import functools
import hashlib
import json
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import jinja2
import vl_convert
from markupsafe import Markup

from common.escaping import one_line, printable
from reporting.charts import CONFIG
from reporting.estimates import Estimate
from reporting.looks import TEMPLATES
from reporting.words import DASH, figure, number, percent, seconds, signed, words


def document(
    template: pathlib.Path,
    *,
    title: str,
    charts: Mapping[str, dict],
    data: object = None,
    scripts: Sequence[pathlib.Path] = (),
    **context: object,
) -> str:
    """A page as one file of HTML.

    Strings in the context, the charts and the data may be hostile: they are escaped, and what a browser acts on in them
    (marks that turn the direction of text, control characters) is shown as an escape. A policy in the page allows its
    own scripts alone, and no request.

    Args:
      template: extends ``skeleton.html.j2``, which says what blocks there are.
      title: of the page.
      charts: Vega-Lite specs by the names that the template places them by.
      data: what the page's own scripts read with ``report.data``; any JSON.
      scripts: files of JavaScript, run after the skeleton's own.
      **context: what the template wants.
    """
    loader = jinja2.FileSystemLoader([template.parent, TEMPLATES])
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        filter.__name__: filter for filter in (number, percent, signed, seconds, share, figure, words)
    }
    sources = [(TEMPLATES / "skeleton.js").read_text("utf-8"), *(path.read_text("utf-8") for path in scripts)]
    # The page's own first: they draw what needs no chart while the browser has yet to read the 0.9 MB of Vega.
    if charts:
        sources.append(_vega())
    return environment.get_template(template.name).render(
        title=title,
        policy=_policy(sources),
        style=Markup((TEMPLATES / "report.css").read_text("utf-8")),
        scripts=[Markup(source) for source in sources],
        charts=script_json({"config": CONFIG, "specs": charts}),
        data=script_json(data),
        **context,
    )


def script_json(value: object) -> Markup:
    """JSON as it may stand in a <script>: no name ends it, no figure is NaN."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def share(value: float, axis: Mapping[str, float]) -> float:
    """Where a value stands between an axis' ``low`` and ``high``, from 0 to 1."""
    return round(min(1, max(0, (value - axis["low"]) / ((axis["high"] - axis["low"]) or 1))), 4)


def axis_around(estimates: Iterable[Estimate | None], line: float | None, room: float) -> dict[str, float | None]:
    """An axis for bars of intervals that holds all of them.

    Args:
      estimates: those that are None or without a value are left out.
      line: the value that the bars are compared with, or None.
      room: free space at both ends.

    Returns:
      ``low``, ``high`` and ``line``.
    """
    found = [estimate for estimate in estimates if estimate and estimate.value is not None]
    ends = [end for of in found for end in (of.value, of.low, of.high) if end is not None]
    return {"low": min(ends, default=0.0) - room, "high": max(ends, default=1.0) + room, "line": line}


def _shown(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return DASH if value is None else value


def plain(value: object) -> object:
    """JSON with every string in it as it may be shown, and None for what is no number."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(key): plain(part) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [plain(part) for part in value]
    return value


def _policy(sources: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in sources]
    scripts = " ".join(f"'sha256-{found}'" for found in hashes)
    return f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:"


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed; bundling takes three seconds."""
    return vl_convert.javascript_bundle().replace("</script", r"<\/script").replace("<!--", r"<\!--")
