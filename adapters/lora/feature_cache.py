"""What the frozen parts of a Janus say of every film, computed once and kept on the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from adapters.data.cases import Pictures
from assistant.backbones.janus.backbone import JanusBackbone
from assistant.intake.resize import batch_of
from assistant.types import OnMessage

BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class CachedFeatures:
    """What a base says of each film, as drafts have it; N films."""

    features: np.ndarray  # float16 (N, P, W)
    embeddings: np.ndarray  # float32 (N, D)
    logits: np.ndarray  # float32 (N, L): the probe's; L is 0 where there is none


def cache_features(
    backbone: JanusBackbone, pictures: Pictures, home: Path, on_message: OnMessage
) -> CachedFeatures:
    """Look at all films; it is kept in `home`, and where it is already no film is looked at."""

    def see(start: int, stop: int) -> tuple[np.ndarray, ...]:
        encoded = backbone.encode([pictures.film(i) for i in range(start, stop)])
        features = np.stack([np.asarray(code.features) for code in encoded])
        told = [
            np.zeros(0, np.float32) if c.logits is None else c.logits.mean(axis=0) for c in encoded
        ]
        return (
            features.astype(np.float16),
            np.stack([code.embedding for code in encoded]),
            np.stack(told),
        )

    return CachedFeatures(
        *_kept(home, ("features", "embeddings", "logits"), len(pictures), see, on_message)
    )


@torch.no_grad()
def cache_codes(janus: Any, pictures: Pictures, home: Path, on_message: OnMessage) -> np.ndarray:
    """The picture tokeniser's codes int32 (N, T) of all films; kept in `home`."""
    size, grid = janus.config.vision_config.image_size, round(_tokens(janus) ** 0.5)
    painted = grid * 2 ** (len(janus.config.vq_config.channel_multiplier) - 1)
    janus.eval()

    def see(start: int, stop: int) -> tuple[np.ndarray]:
        squares = torch.from_numpy(batch_of([pictures.film(i) for i in range(start, stop)], size))
        pixels = F.adaptive_avg_pool2d(squares, painted).to(janus.device, janus.dtype)
        codes = janus.model.vqmodel.encode(pixels.contiguous()).image_tokens
        return (codes.view(stop - start, -1).cpu().numpy().astype(np.int32),)

    return _kept(home, ("codes",), len(pictures), see, on_message)[0]


def _tokens(janus: Any) -> int:
    return janus.config.vision_config.num_image_tokens


def _kept(
    home: Path,
    names: tuple[str, ...],
    count: int,
    see: Callable[[int, int], tuple[np.ndarray, ...]],
    on_message: OnMessage,
) -> list[np.ndarray]:
    """Arrays of `count` rows, from the disk or made in batches; whole where the mark lies."""
    home.mkdir(parents=True, exist_ok=True)
    paths, done = [home / f"{name}.npy" for name in names], home / f"{names[0]}.finished"
    if not done.exists():
        arrays: list[np.ndarray] = []
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            made = see(start, stop)
            if not arrays:
                arrays = [
                    np.lib.format.open_memmap(path, "w+", rows.dtype, (count, *rows.shape[1:]))
                    for path, rows in zip(paths, made, strict=True)
                ]
            for array, rows in zip(arrays, made, strict=True):
                array[start:stop] = rows
            if stop % (100 * BATCH) == 0 or stop == count:
                on_message(f"{names[0]} of films: {stop} of {count}")
        for array in arrays:
            array.flush()  # pyright: ignore[reportAttributeAccessIssue]
        done.touch()
    return [np.load(path, mmap_mode="r") for path in paths]
