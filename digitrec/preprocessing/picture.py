"""Opens a picture of any known format, and decodes no more of it than is needed."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from digitrec.errors import DataError
from digitrec.preprocessing.planes import Colours, fitted
from digitrec.system.wording import first_line, one_of

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # EPS would be a program
LONGEST = 800  # pixels of the longer side that are looked at
TURNS = {  # orientation in EXIF data -> what sets the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LYING = [TURNS[orientation] for orientation in (5, 6, 7, 8)]  # width and height change places
MEANS = ("L", "LA", "RGB", "RGBA")  # modes in which pixels can be averaged
REDUCING = Image.Resampling.HAMMING  # a box would break the thinnest lines
PIXELS = 100_000_000  # more are not decoded: a small file can claim any number
CONTENT = 500_000_000  # bytes of a file that is given by its content
EMPTY = "the file is empty"
UNREADABLE = {".heic", ".heif"}  # what phones save
FIRST = "only the first of the images in its file was read"

Picture = str | Path | bytes | Image.Image | NDArray[Any]


class Size(NamedTuple):
    """Of an upright picture, in pixels."""

    width: int
    height: int


class OpenedPicture(NamedTuple):
    """An upright picture.

    Attributes:
        colours: float32 (H, W, 3) in [0, 1], turned upright.
        size: of the upright picture before it was reduced.
        note: what else its file holds, pages for instance, that is not read; None if nothing.
    """

    colours: Colours
    size: Size
    note: str | None


def read_picture(picture: Picture, longest: int = LONGEST) -> OpenedPicture:
    """Open a picture.

    Args:
        picture: path, content of a file, Pillow image, or array (H, W), (H, W, 3) or (H, W, 4) of bytes, of 16 bits,
            of floats in [0, 1] or of booleans; images and arrays stay as they are.
        longest: larger pictures are reduced until their longer side has so many pixels.

    Raises:
        DataError: it can't be read, or has more than 100 million pixels or, by its content, 500 million bytes.
    """
    with named(picture if isinstance(picture, str | Path) else None):
        match picture:
            case Image.Image():
                return _opened(picture, longest)
            case bytes():
                if not picture:
                    raise ValueError(EMPTY)
                if len(picture) > CONTENT:
                    raise ValueError(f"more than {CONTENT:,} bytes; give the name of its file instead")
                return _opened(Image.open(io.BytesIO(picture), formats=FORMATS), longest, is_ours=True)
            case str() | Path():
                _check_file(Path(picture))
                return _opened(Image.open(picture, formats=FORMATS), longest, is_ours=True)
        if not hasattr(picture, "__array__"):
            raise ValueError(f"a {type(picture).__name__}, expected a path, bytes, an image of Pillow or an array")
        return _opened(_from_array(np.asarray(picture)), longest)


def _check_file(path: Path) -> None:
    """Refuse files for which Pillow has no clear error, and pipes, for which it would wait forever."""
    if path.is_fifo():
        raise ValueError("it is a pipe; give its content instead, to digitrec.predict as -")
    if path.is_file() and not path.stat().st_size:
        raise ValueError(EMPTY)
    if path.suffix.lower() in UNREADABLE and path.is_file():
        raise ValueError(f"HEIC is a format that is not read; save it as {one_of(FORMATS)}")


def check_picture(path: Path) -> None:
    """Look at a file's head without decoding it; raises what `read_picture` does."""
    with named(path):
        _check_file(path)
        with Image.open(path, formats=FORMATS) as opened:
            _check_size(opened)


@contextmanager
def named(file: str | Path | None) -> Iterator[None]:
    """Turn Pillow's errors into a DataError that names the picture's file, if it has one, and what to do with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of slight damage; our own limit of size is lower than Pillow's
            yield
    except Exception as error:  # a damaged file can make Pillow's readers raise anything
        step = "check its name" if isinstance(error, FileNotFoundError) else "repair or remove it"
        name, then = ("picture", "") if file is None else (file, f"\nNext: {step}.")
        raise DataError(f"{name} cannot be read as a picture: {_reason(error)}.{then}") from error


def _reason(error: Exception) -> str:
    """What Pillow or the system found wrong, in one line and without the picture's name."""
    match error:
        case UnidentifiedImageError():
            return f"no known image format, expected {one_of(FORMATS)}"
        case IsADirectoryError():
            about = "not a picture's file" if _pictures_below(error.filename) else "with no pictures in it"
            return f"it is a folder, {about}"
        case Image.DecompressionBombError():
            return f"more than {PIXELS:,} pixels (decompression bomb?)"
        case OSError(strerror=str(reason)):
            return reason
    return first_line(error) or type(error).__name__


def _pictures_below(folder: str) -> bool:
    from digitrec.preprocessing.finding import find_pictures  # which needs this module

    return list(find_pictures([folder])) != [str(folder)]


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or not array.size:
        raise ValueError(f"an array of shape {array.shape}, expected (H, W), (H, W, 3) or (H, W, 4)")
    if array.dtype.kind in "fb":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ValueError("floats outside [0, 1]; expected bytes, or floats in [0, 1]")
        array = np.rint(array * 255.0)
    elif array.dtype == np.uint16 and array.max() > 255:
        array = np.rint(array / 257.0)
    elif array.dtype.kind not in "ui" or array.min() < 0 or array.max() > 255:
        raise ValueError(f"an array of {array.dtype}, expected bytes, or floats in [0, 1]")
    bytes_ = array.astype(np.uint8)
    return Image.fromarray(bytes_[..., 0] if bytes_.ndim == 3 and bytes_.shape[2] == 1 else bytes_)


def _check_size(opened: Image.Image) -> None:
    width, height = opened.size
    if width * height > PIXELS:
        raise Image.DecompressionBombError
    if not width * height:
        raise ValueError("it has no pixels")


def _opened(opened: Image.Image, longest: int, is_ours: bool = False) -> OpenedPicture:
    _check_size(opened)
    several = opened.format != "MPO" and getattr(opened, "is_animated", False)  # MPO: a photo and its thumbnails
    size = Size(*opened.size)
    wanted = fitted((size.height, size.width), longest)
    if is_ours:
        opened.draft("RGB", wanted)  # JPEG: decode at a fraction of the size
    turn = TURNS.get(_orientation(opened))
    if opened.mode[0] in "IF":
        opened = _eight_bits(opened, wanted)
    clear = _is_clear(opened)
    if opened.mode not in MEANS or "transparency" in opened.info:
        opened = opened.convert("RGBA" if clear else "RGB")
    if opened.size != wanted:
        opened = opened.resize(wanted, REDUCING, reducing_gap=2.0)
    straight = opened.convert("RGBA" if clear else "RGB")
    if turn is not None:
        straight = straight.transpose(turn)
        size = Size(size.height, size.width) if turn in LYING else size
    colours = np.asarray(straight, dtype=np.float32) / np.float32(255)
    return OpenedPicture(_on_paper(colours) if clear else colours, size, FIRST if several else None)


def _orientation(opened: Image.Image) -> Any:
    """Orientation in the EXIF data; 1 where these are damaged, as the pixels may be intact."""
    try:
        return opened.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damage of any kind; Pillow ignores it in JPEG only
        return 1


def _is_clear(opened: Image.Image) -> bool:
    """Is any of it transparent?"""
    if "A" in opened.getbands():
        return opened.getchannel("A").getextrema() != (255, 255)
    return "transparency" in opened.info


def _eight_bits(deep: Image.Image, wanted: tuple[int, int]) -> Image.Image:
    """More than eight bits, reduced and then scaled to them by the format's range, or by the values if it has none."""
    if deep.mode.startswith("I;16") and deep.mode != "I;16":
        deep = deep.convert("I")  # Pillow averages no other order of bytes
    peak = float(np.max(deep.getextrema()))
    values = np.asarray(deep.resize(wanted, REDUCING), dtype=np.float32)
    if not np.isfinite(values).all():
        raise ValueError("it has pixels that are no number; expected bytes, or floats in [0, 1]")
    lowest = 1.0 if deep.mode == "F" and peak <= 1 else 255.0  # full white of what is dark, too
    scale = 65535.0 if 255 < peak <= 65535 else max(peak, lowest)
    return Image.fromarray((values.clip(min=0) * (255 / scale)).round().astype(np.uint8))


def _on_paper(colours: NDArray[np.float32]) -> Colours:
    """What is transparent shows white paper, or black when white would hide what is drawn."""
    paint, alpha = colours[..., :3], colours[..., 3:]
    drawn = float((paint.mean(axis=2, keepdims=True) * alpha).sum() / max(float(alpha.sum()), 1e-6))
    paper = 0.0 if drawn > 0.75 and alpha.min() < 0.5 else 1.0
    return np.asarray(paint * alpha + paper * (1 - alpha), np.float32)
