"""Pictures of tables of weights: a cell's colour is its value."""

import io
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_FONT_SIZE = 11
_ROW, _COLUMN = 14, (10, 28)  # a row's height; a column's width at least and at most, in pixels
_CELLS_WIDTH = 640
_MARGIN = 4
_MOST_CHARACTERS = 60
# The palette: 64 greys from black to white, 190 steps from white to blue, and a grey for NaN.
_GREYS, _STEPS, _NONE = 64, 190, 254
_LINE = 61  # of the greys
_WHITE, _BLUE = np.full(3, 255.0), np.array([8.0, 48.0, 107.0])
_PALETTE = np.concatenate(
    [np.linspace(0 * _WHITE, _WHITE, _GREYS), np.linspace(_WHITE, _BLUE, _STEPS), [[225.0] * 3]]
).astype(np.uint8)


class HeatMap:
    """A table's picture, a row a line of text and its cells: white is 0 and less, dark blue 1 and more.

    A colour's depth is the square root of its value, so that small weights are told from none. NaN is grey.

    Args:
      rows: their names, printable.
      columns: how many; they are numbered from 0.
    """

    def __init__(self, rows: Sequence[str], columns: int):
        narrow, wide = _COLUMN
        self._cell = min(wide, max(narrow, _CELLS_WIDTH // max(1, columns)))
        font, rows = _font(rows)
        rows = [name if len(name) <= _MOST_CHARACTERS else f"{name[: _MOST_CHARACTERS - 1]}…" for name in rows]
        self._left = int(max((font.getlength(name) for name in rows), default=0)) + 2 * _MARGIN
        size = self._left + self._cell * columns + _MARGIN, _ROW * (len(rows) + 1) + _MARGIN
        # Names take longer to draw than all cells: once for all pictures of a training.
        frame = Image.new("L", size, 255)
        draw = ImageDraw.Draw(frame)
        for number in range(columns):
            if self._cell == wide or number % 5 == 0:
                draw.text((self._left + self._cell * number + 1, 0), str(number), fill=0, font=font)
        for place, name in enumerate(rows, start=1):
            draw.text((_MARGIN, _ROW * place), name, fill=0, font=font)
        self._frame = np.array(frame) // (256 // _GREYS)

    def draw(self, values: np.ndarray) -> Image.Image:
        """The picture of ``values`` [rows, columns]."""
        share = np.clip(values, 0.0, 1.0)
        depth = np.rint(np.sqrt(np.nan_to_num(share)) * (_STEPS - 1)).astype(np.uint8)
        colours = np.where(np.isnan(share), _NONE, _GREYS + depth).astype(np.uint8)
        cells = np.repeat(np.repeat(colours, _ROW, axis=0), self._cell, axis=1)
        # A line between the cells; of one colour, they would run into each other.
        cells[_ROW - 1 :: _ROW], cells[:, self._cell - 1 :: self._cell] = _LINE, _LINE
        picture = self._frame.copy()
        picture[_ROW : _ROW + len(cells), self._left : self._left + cells.shape[1]] = cells
        image = Image.fromarray(picture)
        image.putpalette(_PALETTE.tobytes())
        return image


def _font(names: Sequence[str]) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """A font of the machine that has most letters; or Pillow's own and the names without accents, which it lacks. What
    neither has is a box."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC), list(names)
    except OSError:
        letters = (unicodedata.normalize("NFKD", name) for name in names)
        plain = ["".join(letter for letter in name if not unicodedata.combining(letter)) for name in letters]
        return ImageFont.load_default(_FONT_SIZE), plain


def png(picture: Image.Image) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)  # of plain areas; more of it takes ten times as long
    return file.getvalue()
