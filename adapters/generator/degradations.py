"""What spoils a film: noise, blur, few pixels, gridlines, a poor exposure; on batches of tensors.

Films are float (B, 1, H, W) in [-1, 1]. Each kind undone is a task of the generator.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import conv2d, interpolate, pad

from adapters.generator.conditions import ENHANCE


def _uniform(films: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """A number for each film, (B, 1, 1, 1)."""
    return torch.empty(len(films), 1, 1, 1, device=films.device).uniform_(low, high)


def gaussian_blur(films: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur with a Gaussian of `sigma` pixels."""
    reach = max(1, int(3 * sigma + 0.5))
    at = torch.arange(-reach, reach + 1, device=films.device, dtype=films.dtype)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    films = conv2d(pad(films, (reach, reach, 0, 0), mode="replicate"), kernel)
    kernel = kernel.transpose(2, 3)
    return conv2d(pad(films, (0, 0, reach, reach), mode="replicate"), kernel)


def add_noise(films: torch.Tensor) -> torch.Tensor:
    """Noise of too low a dose: strongest where the film is bright, for there few photons came."""
    strength = torch.exp(_uniform(films, -3.2, -1.5))  # 0.04 to 0.22 of the half range
    grain = torch.randn_like(films)
    soft = _uniform(films, 0.0, 1.0) < 0.5
    grain = torch.where(soft, gaussian_blur(grain, 0.7) * 2.3, grain)
    return films + strength * grain * (0.45 + 0.55 * (films + 1) / 2)


def blur(films: torch.Tensor) -> torch.Tensor:
    """Unsharp by motion or focus: a Gaussian of 0.8 to 2.5 pixels, one for the batch."""
    return gaussian_blur(films, float(torch.empty(()).uniform_(0.8, 2.5)))


def _reduce(films: torch.Tensor, factor: int) -> torch.Tensor:
    size = films.shape[-2:]
    few = interpolate(films, scale_factor=1 / factor, mode="area")
    return interpolate(few, size=size, mode="bicubic", align_corners=False)


def halve(films: torch.Tensor) -> torch.Tensor:
    """Half as many pixels along each edge."""
    return _reduce(films, 2)


def quarter(films: torch.Tensor) -> torch.Tensor:
    """A quarter as many pixels along each edge."""
    return _reduce(films, 4)


def add_gridlines(films: torch.Tensor) -> torch.Tensor:
    """Stripes of a stationary grid, upright or level."""
    size = films.shape[-1]
    at = torch.arange(size, device=films.device).view(1, 1, 1, size)
    period, phase = _uniform(films, 2.6, 9.0), _uniform(films, 0.0, 2 * torch.pi)
    stripes = _uniform(films, 0.05, 0.22) * torch.sin(2 * torch.pi * at / period + phase)
    stripes = stripes.expand(-1, -1, size, -1)
    upright = _uniform(films, 0.0, 1.0) < 0.5
    return films + torch.where(upright, stripes, stripes.transpose(2, 3))


def misexpose(films: torch.Tensor) -> torch.Tensor:
    """Too bright or too dark, and flat: a power and a narrower range of greys."""
    grey = ((films + 1) / 2).clamp(1e-4, 1)
    grey = grey ** torch.exp(_uniform(films, -0.9, 0.9))
    span = _uniform(films, 0.45, 0.9)
    return (_uniform(films, 0.0, 1.0) * (1 - span) + span * grey) * 2 - 1


SPOIL: dict[str, Callable[[torch.Tensor], torch.Tensor]] = dict(
    zip(ENHANCE, (add_noise, blur, halve, quarter, add_gridlines, misexpose), strict=True)
)


def spoil(films: torch.Tensor, task: str) -> torch.Tensor:
    """Spoil films so that `task`, of `ENHANCE`, would undo it; greys end as 8 bits would."""
    spoilt = SPOIL[task](films).clamp(-1, 1)
    return ((spoilt + 1) * 127.5).round() / 127.5 - 1


def jitter(films: torch.Tensor) -> torch.Tensor:
    """Real films turned, moved, scaled and exposed a little differently; never mirrored."""
    count = len(films)
    angle = torch.empty(count).uniform_(-0.05, 0.05)
    scale = torch.empty(count).uniform_(0.92, 1.05)
    shift = torch.empty(count, 2).uniform_(-0.05, 0.05)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -scale * angle.sin(), scale * angle.sin()
    matrix[:, :, 2] = shift
    grid = torch.nn.functional.affine_grid(matrix.to(films.device), list(films.shape), False)
    moved = torch.nn.functional.grid_sample(
        films + 1, grid, mode="bicubic", padding_mode="zeros", align_corners=False
    )
    grey = (moved / 2).clamp(1e-4, 1) ** torch.exp(_uniform(films, -0.2, 0.2))
    return grey.clamp(0, 1) * 2 - 1
