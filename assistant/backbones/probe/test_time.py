"""Test-time augmentation: up to eight views of a film, shifted against the patch grid and mirrored.

An encoder that has learnt films in all these positions needs one view. For others, a small lesion
may lie across the edges of patches, where a probe misses it. Shifted by half a patch it lies within
one: the mean over the four shifts misses half as many. With mirrored views, the probe's output for
a mirrored film is the same with the sides exchanged: it cannot have learnt that the heart is on the
left whatever the film shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from assistant.backbones.probe.probe import Probe

ALL_VIEWS = 8
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
    views: int = ALL_VIEWS,
) -> torch.Tensor:
    """Label logits of V views of films, (B, V, L): unchanged, shifted, and the same mirrored.

    `views` is 1 for the unchanged film, 2 for it and its mirror image, or 8 for all.

    `encode_patches` returns the patch features (B, N, W) of pixels (B, C, H, W); `hidden` are
    those of the unchanged films.
    """
    plain_features, mirror_features = [hidden], []
    mirror = pixels.flip(-1)
    if views > 1:
        mirror_features.append(encode_patches(mirror))
    if views > 2:
        plain_features += [encode_patches(view) for view in shift_film(pixels, patch)]
        mirror_features += [encode_patches(view) for view in shift_film(mirror, patch)]
    logits = [probe(features)[0] for features in plain_features]
    logits += [probe(features)[0][:, probe.mirror_indices] for features in mirror_features]
    return torch.stack(logits, dim=1)
