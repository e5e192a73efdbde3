"""Changes films at random as films differ: position, size, exposure, sharpness, noise, sides."""

from __future__ import annotations

import torch
from torch.nn import functional as F

TURN, SHIFT = 0.12, 0.08  # radians; parts of half an edge
SIZES = (0.84, 1.10)
SQUEEZE = 0.08
HIDDEN = 0.25  # share of films with a hidden square: no single place may carry all


def augment(
    films: torch.Tensor, maps: torch.Tensor, mirrored: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Films uint8 (B, H, H) as pixels (B, 1, H, H) in [-1, 1], changed at random.

    Maps (B, C, h, h) move with their films. The last value, bool (B,), says which are mirrored, a
    share `mirrored`.
    """
    count, device = len(films), films.device

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.empty(count, *shape, device=device).uniform_(low, high)

    is_mirrored = uniform(0, 1) < mirrored
    transforms = _random_transforms(is_mirrored)
    moved = _move(films.float()[:, None] / 255, transforms)
    moved = _expose(moved)
    softness = ((uniform(0, 1) < 0.4) * uniform(0, 1)).view(-1, 1, 1, 1)
    blurred = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    moved = moved + softness * (blurred - moved)
    grain = ((uniform(0, 1) < 0.4) * uniform(0, 0.04)).view(-1, 1, 1, 1)
    moved = moved + grain * torch.randn_like(moved)
    moved = moved * (1 - _hidden_squares(films))
    return moved.clamp(0, 1) * 2 - 1, _move(maps, transforms), is_mirrored


def _random_transforms(is_mirrored: torch.Tensor) -> torch.Tensor:
    """Affine transforms (B, 2, 3) of a film's coordinates."""
    count, device = len(is_mirrored), is_mirrored.device

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.empty(count, device=device).uniform_(low, high)

    angle, size = uniform(-TURN, TURN), uniform(*SIZES)
    squeeze, sign = uniform(1 - SQUEEZE, 1 + SQUEEZE), torch.where(is_mirrored, -1.0, 1.0)
    cos, sin = angle.cos() * size, angle.sin() * size
    first = torch.stack([cos * squeeze * sign, -sin * sign, uniform(-SHIFT, SHIFT)], dim=1)
    second = torch.stack([sin * squeeze, cos, uniform(-SHIFT, SHIFT)], dim=1)
    return torch.stack([first, second], dim=1)


def _move(maps: torch.Tensor, transforms: torch.Tensor) -> torch.Tensor:
    grid = F.affine_grid(transforms, list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, align_corners=False)


def _expose(films: torch.Tensor) -> torch.Tensor:
    """Films (B, 1, H, H) in [0, 1] with another gamma, contrast and brightness."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.empty(len(films), 1, 1, 1, device=films.device).uniform_(low, high)

    gamma = torch.exp(uniform(-0.4, 0.4))
    return (films.clamp(1e-4, 1) ** gamma - 0.5) * uniform(0.7, 1.25) + 0.5 + uniform(-0.12, 0.12)


def _hidden_squares(films: torch.Tensor) -> torch.Tensor:
    """Where a square of each film is hidden, float (B, 1, H, H): 1 there; in most films none."""
    count, edge, device = len(films), films.shape[-1], films.device
    centre = torch.rand(count, 2, 1, device=device) * 0.8 + 0.1
    half = torch.rand(count, 1, device=device) * 0.09 + 0.05
    axis = torch.linspace(0, 1, edge, device=device)
    rows, columns = ((axis - centre[:, i]).abs() < half for i in (0, 1))
    inside = (rows[:, :, None] & columns[:, None, :]).float()[:, None]
    return inside * (torch.rand(count, 1, 1, 1, device=device) < HIDDEN)
