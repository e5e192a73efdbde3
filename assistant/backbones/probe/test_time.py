"""A film looked at eight times: moved against the grid of patches, and in a mirror.

What is small may lie across the edges of patches, where a probe misses it. Half a patch further
on it lies within one: the mean over the four places misses half as much. And a probe that looks
into a mirror as well, where right is left, says of a mirrored film the same with its sides
exchanged: it cannot have learnt that the heart is on the left whatever the film shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from assistant.backbones.probe.probe import Probe

EncodePatches = Callable[[torch.Tensor], torch.Tensor]


def shift_film(pixels: torch.Tensor, patch: int) -> Iterator[torch.Tensor]:
    """The films (B, C, H, W) moved by half a patch to the left, up, and both; edges repeated."""
    height, width = pixels.shape[-2:]
    half = patch // 2
    wide = torch.nn.functional.pad(pixels, (0, half, 0, half), mode="replicate")
    for down, along in ((0, half), (half, 0), (half, half)):
        yield wide[..., down : down + height, along : along + width]


def label_logits(
    probe: Probe, see: EncodePatches, pixels: torch.Tensor, hidden: torch.Tensor, patch: int
) -> torch.Tensor:
    """What a probe says of films, (B, V, L): of each as it is, moved, and the same in a mirror.

    `see` gives the patch features (B, N, W) of pixels (B, C, H, W); `hidden` are those of the
    films as they are.
    """
    mirror = pixels.flip(-1)
    plain = [hidden, *(see(other) for other in shift_film(pixels, patch))]
    turned = [see(other) for other in (mirror, *shift_film(mirror, patch))]
    told = [probe(look)[0] for look in plain]
    told += [probe(look)[0][:, probe.mirrored] for look in turned]
    return torch.stack(told, dim=1)
