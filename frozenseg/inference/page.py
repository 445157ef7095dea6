"""A white page on which pictures, patches of colour and words are laid by the pixel (matplotlib, the ``demo`` extra).

Letters: H×W the page.
"""

from typing import Any

import numpy as np
from PIL import Image

from frozenseg.errors import ConfigError
from frozenseg.structures.palette import Colour

DPI = 64  # a power of two, so that pixels survive the way through inches
POINTS = 72
DARK: Colour = (40, 40, 40)


class Page:
    """Places are given in pixels from the upper left. Nothing of the caller's own matplotlib is touched.

    Args:
        width: W.
        height: H.

    Raises:
        ConfigError: matplotlib is not installed.
    """

    def __init__(self, width: int, height: int) -> None:
        check_matplotlib()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(self._figure)

    def add_picture(self, picture: Image.Image, left: int, top: int) -> None:
        """Lay a picture (RGB) down as it is, pixel by pixel."""
        self._figure.figimage(np.asarray(picture), left, self.height - top - picture.height, zorder=0, origin="upper")

    def add_patch(self, colour: Colour, left: float, top: float, width: float, height: float) -> None:
        """Fill a rectangle."""
        from matplotlib.patches import Rectangle

        corner = (left / self.width, 1 - (top + height) / self.height)
        size = (width / self.width, height / self.height)
        self._figure.add_artist(Rectangle(corner, *size, facecolor=_unit(colour), edgecolor="none"))

    def add_text(self, text: str, left: float, middle: float, size: float, colour: Colour = DARK) -> None:
        """Write to the right of ``left``, vertically about ``middle``; ``size`` is the height of the type, pixels."""
        self._write(text, left, middle, size, color=_unit(colour), ha="left")

    def add_label(self, text: str, centre: float, middle: float, size: float) -> None:
        """Write in white with a dark rim about a point, to be read on any picture."""
        from matplotlib.patheffects import withStroke

        rim = withStroke(linewidth=size / 5, foreground=(0, 0, 0, 0.75))
        self._write(text, centre, middle, size, color="white", ha="center", path_effects=[rim])

    def text_width(self, text: str, size: float) -> float:
        """Return how wide a text would be, pixels."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size * POINTS / DPI)
        width, _, _ = self._canvas.get_renderer().get_text_width_height_descent(text, font, ismath=False)
        return float(width)

    def render(self) -> Image.Image:
        """Return the page as a picture, RGB."""
        self._canvas.draw()
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")

    def _write(self, text: str, x: float, y: float, size: float, **style: Any) -> None:
        place = (x / self.width, 1 - y / self.height)
        # without parse_math a name such as "$ bill" would be set as a formula
        self._figure.text(*place, text, fontsize=size * POINTS / DPI, va="center_baseline", parse_math=False, **style)


def check_matplotlib() -> None:
    """Make sure, before any long work, that pages can be made.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "Drawing needs matplotlib: pip install 'frozenseg[demo]', or pip install matplotlib."
        ) from error


def _unit(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
