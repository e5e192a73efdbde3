"""A film looked at four times, each time moved against the grid of patches.

What is small may lie across the edges of patches, where a probe misses it. Half a patch further
on it lies within one: the mean over the four places misses half as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from assistant.backbones.probe import Probe


def moved(pixels: torch.Tensor, patch: int) -> Iterator[torch.Tensor]:
    """The films (B, C, H, W) moved by half a patch to the left, up, and both; edges repeated."""
    height, width = pixels.shape[-2:]
    half = patch // 2
    wide = torch.nn.functional.pad(pixels, (0, half, 0, half), mode="replicate")
    for down, along in ((0, half), (half, 0), (half, half)):
        yield wide[..., down : down + height, along : along + width]


def label_logits(
    probe: Probe,
    see: Callable[[torch.Tensor], torch.Tensor],
    pixels: torch.Tensor,
    hidden: torch.Tensor,
    patch: int,
) -> torch.Tensor:
    """What a probe says of films, (B, V, L): of each as it is, and of each moved V - 1 times.

    `see` gives the patch features (B, N, W) of pixels (B, C, H, W); `hidden` are those of the
    films as they are.
    """
    looks = [hidden, *(see(other) for other in moved(pixels, patch))]
    return torch.stack([probe(look)[0] for look in looks], dim=1)
