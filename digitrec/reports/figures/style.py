"""One look for every figure: colours that colour-blind people can distinguish, sizes, sheets of small images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

WIDTH, DPI = 7.2, 150  # inches; a report's column shows it 1.5 times enlarged, a phone at about two thirds
TEXT, SMALL = 9.5, 8.0  # points
MARGIN = 0.12  # inches around a sheet of images
RIGHT_MARK, WRONG_MARK = "✓", "✗"


@dataclass(frozen=True)
class Theme:
    """Colours of a light or a dark page, as matplotlib names them."""

    background: str
    panel: str
    ink: str
    muted: str
    grid: str
    first: str
    second: str
    right: str
    wrong: str
    many: tuple[str, ...]

    @property
    def heat(self) -> Colormap:
        """From background to the colour of errors."""
        return LinearSegmentedColormap.from_list("heat", [self.panel, self.second, self.wrong])

    @property
    def signed(self) -> Colormap:
        """From against (blue) over nothing (background) to for (orange)."""
        return LinearSegmentedColormap.from_list("signed", [self.first, self.panel, self.second])


# Ten hues of Petroff, "Accessible color sequences for data visualization", 2021.
PETROFF = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
LIGHT = Theme(
    background="#ffffff",
    panel="#f3f5f7",
    ink="#1f2328",
    muted="#59636e",
    grid="#dfe3e8",
    first="#2468b4",
    second="#e0832b",
    right="#0f7f5f",
    wrong="#c2331c",
    many=PETROFF,
)
DARK = Theme(
    background="#14181d",
    panel="#20262d",
    ink="#e8edf2",
    muted="#a3aeb9",
    grid="#333b44",
    first="#5fa8ef",
    second="#f2a65a",
    right="#45c79b",
    wrong="#ff7f6b",
    many=("#6cb0ee", "#ffc04d", "#ff6b57", "#b4c2c0", "#c081ee", "#cf9483", "#ff9047", "#d6ca92", "#9da1ad", "#a8e8ea"),
)


def new_figure(theme: Theme, height: float, width: float = WIDTH) -> Figure:
    """A figure on the theme's background, sizes in inches, whose axes keep clear of each other."""
    layout = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN)
    return Figure(figsize=(width, height), dpi=DPI, facecolor=theme.background, layout=layout)


def style_axes(axes: Axes, theme: Theme, title: str = "", x: str = "", y: str = "", grid: str = "y") -> None:
    """Give axes the common style; `grid` is "x", "y", "both" or "" for none."""
    axes.set_facecolor(theme.background)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(theme.grid)
    axes.tick_params(which="both", colors=theme.muted, labelsize=SMALL, length=0, pad=4)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=theme.grid, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_title(title, loc="left", fontsize=TEXT, color=theme.ink, fontweight="bold", pad=8)
    axes.set_xlabel(x, fontsize=SMALL, color=theme.muted)
    axes.set_ylabel(y, fontsize=SMALL, color=theme.muted)


def legend(axes: Axes, theme: Theme, **where: Any) -> None:
    """A legend without a box, in the page's text colour."""
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=theme.ink, **where)


def drawable(name: str, longest: int = 14) -> str:
    """A name as text that matplotlib can draw, cut to `longest` characters, with dollar signs escaped.

    Characters that no installed font has are written by their code.
    """
    text = "".join(char if _is_drawable(char) else char.encode("unicode_escape").decode() for char in name)
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return short.replace("$", r"\$")


@cache
def _is_drawable(char: str) -> bool:
    """Whether a font has a character: matplotlib's own, or an installed one, which is added to matplotlib's then."""
    families: list[str] = matplotlib.rcParams["font.family"]
    if any(_has(font_manager.findfont(font_manager.FontProperties(family=[family])), char) for family in families):
        return True
    for font in sorted(font_manager.fontManager.ttflist, key=lambda font: (font.weight != 400, font.fname)):
        if "lastresort" not in font.fname.lower() and _has(font.fname, char):  # a box for every character
            matplotlib.rcParams["font.family"] = [*families, font.name]
            return True
    return False


def _has(path: str, char: str) -> bool:
    try:
        return ord(char) in font_manager.get_font(path).get_charmap()
    except (OSError, RuntimeError):  # removed meanwhile, or of a kind that matplotlib does not draw
        return False


def percent(share: float) -> str:
    """A share in percent; nearly all or nothing is not rounded to it."""
    if 0.999 < share < 1:
        return "> 99.9%"
    return "< 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def grey(images: Tensor) -> NDArray[np.float32]:
    """Images (N, C, H, W), uint8 or float -> (N, H, W) in [0, 1], each stretched over its own range."""
    pixels = images.detach().float().mean(dim=1).cpu().numpy()
    low, high = pixels.min(axis=(1, 2), keepdims=True), pixels.max(axis=(1, 2), keepdims=True)
    return np.asarray((pixels - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


class Sheet:
    """Small images in rows on one figure, with room for lines of text below each; lengths are inches.

    Args:
        theme: of the page.
        count: how many places there are.
        columns: places in a row.
        lines: of text below each place.
        gap: between two places.
        left: room for names of rows.
        wide: images beside each other in one place.
    """

    def __init__(
        self,
        theme: Theme,
        count: int,
        columns: int,
        lines: int = 0,
        gap: float = 0.16,
        left: float = 0.0,
        wide: int = 1,
    ) -> None:
        self.theme, self.columns, self.gap, self.left, self.wide = theme, columns, gap, left, wide
        self.line = SMALL * 1.35 / 72
        rows = -(-count // columns)
        place = (WIDTH - 2 * MARGIN - left - (columns - 1) * gap) / columns
        self.side = place / wide
        self.pitch = self.side + lines * self.line + gap
        height = rows * self.pitch - gap + 2 * MARGIN
        self.figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=theme.background)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self._size = (WIDTH, height)
        self._fit()

    def corner(self, index: int) -> tuple[float, float]:
        """Upper left corner of a place, from the upper left corner of the page."""
        row, column = divmod(index, self.columns)
        return MARGIN + self.left + column * (self.side * self.wide + self.gap), MARGIN + row * self.pitch

    def image(self, index: int, pixels: NDArray[np.float32], slot: int = 0, frame: str = "") -> None:
        """Put grey pixels (H, W) or coloured ones (H, W, 3), in [0, 1], into a place; `frame` is a colour."""
        x, y = self.corner(index)
        x += slot * self.side
        box = (x, x + self.side, y + self.side, y)
        self.axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=box, interpolation="nearest", aspect="auto")
        self._fit()
        if frame:
            self.axes.add_patch(Rectangle((x, y), self.side, self.side, fill=False, edgecolor=frame, linewidth=2))

    def lines(self, index: int, texts: Sequence[str], colours: Sequence[str], bold: int = 0) -> None:
        """Write lines below a place, the one numbered `bold` in bold."""
        x, y = self.corner(index)
        for number, (text, colour) in enumerate(zip(texts, colours, strict=True)):
            self.axes.text(
                x,
                y + self.side + (number + 0.62) * self.line,
                text,
                fontsize=SMALL,
                color=colour,
                fontweight="bold" if number == bold else "normal",
                verticalalignment="center",
            )

    def row_name(self, row: int, text: str) -> None:
        """Name a row at its left."""
        _, y = self.corner(row * self.columns)
        self.axes.text(
            MARGIN, y + self.side / 2, text, fontsize=SMALL, color=self.theme.muted, verticalalignment="center"
        )

    def _fit(self) -> None:
        """Coordinates are inches, downwards from the upper left corner; imshow would change them."""
        self.axes.set(xlim=(0, self._size[0]), ylim=(self._size[1], 0))
