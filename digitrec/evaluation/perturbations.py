"""Changes of images at rising strengths, to measure how robust a classifier is.

Every change maps images (N, 1, H, W), float in [0, 1], white ink on black, to new ones of the same shape, dtype and
device. Strength 0 changes nothing. What is random is drawn for each image on the generator's device, so that a
generator on the CPU draws the same wherever the images are.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from digitrec.data.augmentation import affine_warp, centred, dilate, resample


@dataclass(frozen=True)
class Perturbation:
    """One kind of change.

    Attributes:
        unit: of its strength.
        strengths: rising from barely visible to hard, but still readable by a person.
        apply: images, strength, generator -> changed images.
    """

    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[Tensor, float, Generator], Tensor]


def rotate(images: Tensor, degrees: float, generator: Generator) -> Tensor:
    """Turn each image by that angle, half of them to either side."""
    return _affine(images, degrees=degrees * _signs(images, generator))


def shift(images: Tensor, pixels: float, generator: Generator) -> Tensor:
    """Move each image up, down, left or right."""
    way, along = _signs(images, generator), _signs(images, generator)
    return _affine(images, dx=pixels * way * (along > 0), dy=pixels * way * (along < 0))


def shrink(images: Tensor, percent: float, generator: Generator) -> Tensor:
    """Make the digit that much smaller, below 100 %."""
    return _affine(images, scale=torch.full((len(images), 1, 1), 1 - percent / 100))


def enlarge(images: Tensor, percent: float, generator: Generator) -> Tensor:
    """Make the digit that much larger; what leaves the frame is lost."""
    return _affine(images, scale=torch.full((len(images), 1, 1), 1 + percent / 100))


def thicken(images: Tensor, pixels: float, generator: Generator) -> Tensor:
    """Move the edges of strokes outwards; between whole pixels, blend."""
    for _ in range(math.floor(pixels)):
        images = dilate(images)
    return torch.lerp(images, dilate(images), pixels % 1)


def thin(images: Tensor, pixels: float, generator: Generator) -> Tensor:
    """Move the edges of strokes inwards: thicken the negative."""
    return -thicken(-images, pixels, generator)


def add_noise(images: Tensor, deviation: float, generator: Generator) -> Tensor:
    """Add Gaussian noise to every pixel; what leaves [0, 1] is cut off."""
    noise = torch.randn(images.shape, generator=generator, device=generator.device)
    return (images + deviation * noise.to(images)).clamp(0, 1)


def blur(images: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Convolve with a Gaussian of standard deviation `sigma` pixels, black outside the frame."""
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(-0.5 * (centred(2 * reach + 1, images.device) / max(sigma, 1e-6)).square()).to(images.dtype)
    kernel = kernel / kernel.sum()
    along_y = F.conv2d(images, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return F.conv2d(along_y, kernel.view(1, 1, 1, -1), padding=(0, reach)).clamp(0, 1)


def occlude(images: Tensor, side: float, generator: Generator) -> Tensor:
    """Black out a square of `side` whole pixels around a random point of the ink; an empty image has it anywhere."""
    height, width = images.shape[-2:]
    ink = images.flatten(1).float().to(generator.device) + 1e-9
    centre = torch.multinomial(ink, 1, generator=generator).to(images.device)
    rows = _stretch(centre // width, side, height)
    columns = _stretch(centre % width, side, width)
    return images.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0)


def reduce_contrast(images: Tensor, percent: float, generator: Generator) -> Tensor:
    """Draw ink and background towards middle grey, all the way at 100 %."""
    return torch.lerp(images, torch.full_like(images, 0.5), percent / 100)


PERTURBATIONS: Mapping[str, Perturbation] = {
    "rotation": Perturbation("degrees", (5, 10, 20, 30, 45), rotate),
    "shift": Perturbation("pixels", (1, 2, 3, 4, 5), shift),
    "smaller": Perturbation("percent", (10, 20, 30, 40, 50), shrink),
    "larger": Perturbation("percent", (10, 20, 30, 40), enlarge),
    "thicker": Perturbation("pixels", (0.25, 0.5, 1, 1.5), thicken),
    "thinner": Perturbation("pixels", (0.2, 0.4, 0.6, 0.8), thin),
    "noise": Perturbation("standard deviation", (0.1, 0.2, 0.3, 0.4, 0.5), add_noise),
    "blur": Perturbation("pixels", (0.5, 1, 1.5, 2, 2.5), blur),
    "occlusion": Perturbation("pixels", (3, 5, 7, 9), occlude),
    "contrast": Perturbation("percent lost", (20, 40, 60, 80, 90), reduce_contrast),
}


def _affine(images: Tensor, **changes: Tensor) -> Tensor:
    """Images under `affine_warp`, by those of its arguments (N, 1, 1) that change anything."""
    none = torch.zeros(len(images), 1, 1)
    values = {"degrees": none, "dx": none, "dy": none, "scale": none + 1, "shear": none} | changes
    return resample(images, affine_warp(**{name: value.to(images.device) for name, value in values.items()}))


def _signs(images: Tensor, generator: Generator) -> Tensor:
    """Draw -1 or 1 for each image, (N, 1, 1)."""
    coins = torch.randint(2, (len(images), 1, 1), generator=generator, device=generator.device)
    return 2.0 * coins.cpu() - 1


def _stretch(middle: Tensor, length: float, size: int) -> Tensor:
    """Mark `length` neighbours around each middle, (N, 1) -> (N, size); what lies outside is lost."""
    start = middle - int(length) // 2
    index = torch.arange(size, device=middle.device)
    return (index >= start) & (index < start + int(length))
