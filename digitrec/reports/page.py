"""Self-contained web pages in one style, with figures for light and dark mode."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:  # torch and matplotlib, which pages without figures do not need
    from matplotlib.figure import Figure

    from digitrec.reports.figures.style import Theme

SHRINK = 0.8  # pixels on the page for each of a figure; the rest is for displays with finer dots


@dataclass(frozen=True)
class Card:
    """A headline number."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Picture:
    """A figure as a page shows it.

    Attributes:
        name: unique on the page.
        title: heading.
        caption: how to read it.
        png: the figure for light pages.
        light: the same as a data URI.
        dark: the figure for dark pages as a data URI.
        width: pixels of the page.
        height: pixels of the page.
    """

    name: str
    title: str
    caption: str
    png: bytes
    light: str
    dark: str
    width: int
    height: int


def picture(name: str, title: str, caption: str, draw: Callable[[Theme], Figure | None]) -> Picture | None:
    """The picture of a figure, drawn for light and for dark pages; None where there is nothing to draw."""
    from digitrec.reports.figures.style import DARK, LIGHT

    light, dark = draw(LIGHT), draw(DARK)
    if light is None or dark is None:
        return None
    png = _png(light)
    width, height = (round(SHRINK * dots) for dots in light.get_size_inches() * light.dpi)
    return Picture(name, title, caption, png, data_uri(png), data_uri(_png(dark)), width, height)


def write_page(template: Path, file: Path, **values: Any) -> Path:
    """Fill a template, which may build on page.html beside this file, every value escaped; return the page's path."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    file.write_text(environment.get_template(template.name).render(**values, zip=zip), encoding="utf-8")
    return file


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def data_uri(content: bytes, kind: str = "png") -> str:
    """A picture's file as an address that a page shows without asking for anything."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
