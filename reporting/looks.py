"""How several things in one chart differ: by colours and by shapes, for readers who do not see all colours.

`templates/report.css` holds the only list of colours, ``--series-1`` and so on, for light and for dark pages.
"""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

import altair as alt

TEMPLATES = pathlib.Path(__file__).parent / "templates"
COLOURS = [f"var({name})" for name in re.findall(r"(--series-\d+):", (TEMPLATES / "report.css").read_text("utf-8"))]
_GLYPHS = {"circle": "●", "square": "■", "triangle-up": "▲", "diamond": "◆", "cross": "✚", "triangle-down": "▼"}
# The key of a name is a number, a space and the name; an axis shows the part after the space.
KEY_LABEL = "slice(datum.value, indexof(datum.value, ' ') + 1)"


def key(place: int, name: str) -> str:
    """The value that stands for a name on an axis: two places differ also where their names are equal."""
    return f"{place} {name}"


@dataclasses.dataclass(frozen=True)
class Look:
    """Colour and shape of one of several things.

    Attributes:
      key: `key` of its place and name. In the domain of a scale, a name such as "constructor" breaks Vega-Lite.
      colour: a variable of the page.
      shape: Vega's name of the shape of a point.
      glyph: the shape as a character, for a key beside the chart.
    """

    key: str
    colour: str
    shape: str
    glyph: str


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each name; the first 24 differ."""
    shapes = list(_GLYPHS.items())
    return {
        name: Look(key(place, name), COLOURS[place % len(COLOURS)], *shapes[place % len(shapes)])
        for place, name in enumerate(names)
    }


def by_look(of: Sequence[Look], field: str) -> tuple[alt.Color, alt.Shape, alt.Fill]:
    """The encodings of looks: colour, shape, and the colour as a fill.

    Args:
      of: the looks.
      field: the field that holds a look's key.
    """
    domain = [look.key for look in of]
    colours = alt.Scale(domain=domain, range=[look.colour for look in of])
    shapes = alt.Scale(domain=domain, range=[look.shape for look in of])
    return (
        alt.Color(f"{field}:N", scale=colours, legend=None),
        alt.Shape(f"{field}:N", scale=shapes, legend=None),
        alt.Fill(f"{field}:N", scale=colours, legend=None),
    )
