"""The path under which configurations of earlier versions name this callback."""

from digitrec.training.pictures import ValidationPictures

__all__ = ["ValidationPictures"]
