"""Test-time augmentation: eight views of a film, shifted against the patch grid and mirrored.

A small lesion may lie across the edges of patches, where a probe misses it. Shifted by half a patch
it lies within one: the mean over the four shifts misses half as many. With mirrored views, the
probe's output for a mirrored film is the same with the sides exchanged: it cannot have learnt that
the heart is on the left whatever the film shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from assistant.backbones.probe.probe import Probe

EncodePatches = Callable[[torch.Tensor], torch.Tensor]


def shift_film(pixels: torch.Tensor, patch: int) -> Iterator[torch.Tensor]:
    """Shift films (B, C, H, W) by half a patch left, up, and both; edges are repeated."""
    height, width = pixels.shape[-2:]
    half = patch // 2
    padded = torch.nn.functional.pad(pixels, (0, half, 0, half), mode="replicate")
    for down, right in ((0, half), (half, 0), (half, half)):
        yield padded[..., down : down + height, right : right + width]


def label_logits_of_views(
    probe: Probe,
    encode_patches: EncodePatches,
    pixels: torch.Tensor,
    hidden: torch.Tensor,
    patch: int,
) -> torch.Tensor:
    """Label logits of V views of films, (B, V, L): unchanged, shifted, and the same mirrored.

    `encode_patches` returns the patch features (B, N, W) of pixels (B, C, H, W); `hidden` are
    those of the unchanged films.
    """
    mirror = pixels.flip(-1)
    plain_features = [hidden, *(encode_patches(view) for view in shift_film(pixels, patch))]
    mirror_features = [encode_patches(view) for view in (mirror, *shift_film(mirror, patch))]
    logits = [probe(features)[0] for features in plain_features]
    logits += [probe(features)[0][:, probe.mirror_indices] for features in mirror_features]
    return torch.stack(logits, dim=1)
