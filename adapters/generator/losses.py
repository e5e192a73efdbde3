"""What the autoencoder is judged by: structure, and a critic that tells decoded films from real."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import conv2d, leaky_relu, pixel_unshuffle, relu


def similarity_map(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """SSIM of films (B, 1, H, W) in [-1, 1] at every place (Wang et al. 2004), without borders."""
    at = torch.arange(11, device=a.device, dtype=torch.float32) - 5
    kernel = torch.exp(-(at**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, 11)
    stacked = torch.cat([a, b, a * a, b * b, a * b])
    blurred = conv2d(conv2d(stacked, kernel), kernel.transpose(2, 3))
    mean_a, mean_b, aa, bb, ab = blurred.chunk(5)
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    cross = mean_a * mean_b
    spread_a, spread_b = aa - mean_a**2, bb - mean_b**2
    top = (2 * cross + c1) * (2 * (ab - cross) + c2)
    return top / ((mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2))


def decibels(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """PSNR of each film (B,), of films in [-1, 1]."""
    return -10 * torch.log10(((a - b) ** 2).mean((1, 2, 3)).clamp_min(1e-10) / 4)


class Critic(nn.Module):
    """Judges patches of films, and gives the features by which two films may be compared.

    A patch critic (Isola et al. 2017) on films whose 2 x 2 pixels are channels.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = (4, width, 2 * width, 3 * width)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.spectral_norm(
                nn.Conv2d(a, b, 4, stride=2 if number else 1, padding=1)
            )
            for number, (a, b) in enumerate(pairwise(widths))
        )
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, films: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores of patches and the features of every layer; films are (B, 1, H, W)."""
        features = []
        x = pixel_unshuffle(films, 2)
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.last(x), features


def feature_distance(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean absolute difference of a critic's features."""
    return torch.stack([(x - y.detach()).abs().mean() for x, y in zip(a, b, strict=True)]).mean()


def critic_loss(real: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """The hinge loss of a critic."""
    return (relu(1 - real).mean() + relu(1 + decoded).mean()) / 2
