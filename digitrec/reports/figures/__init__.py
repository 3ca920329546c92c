"""Pictures for people, drawn with matplotlib's Figure alone: no global state, no display."""

from digitrec.reports.figures.augmentation import augmentation_grid
from digitrec.reports.figures.gallery import GALLERY, Exhibit, draw_all

__all__ = ["GALLERY", "Exhibit", "augmentation_grid", "draw_all"]
