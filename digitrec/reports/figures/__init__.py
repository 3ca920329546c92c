"""Pictures for people, drawn with matplotlib's Figure alone: no global state, no display."""

from digitrec.reports.figures.augmentation import augmentation_grid
from digitrec.reports.figures.gallery import FIGURES, FigureSpec, draw_all

__all__ = ["FIGURES", "FigureSpec", "augmentation_grid", "draw_all"]
