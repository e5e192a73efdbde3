"""The outputs of a Janus's frozen parts for every film, computed once and cached on disk."""

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
    """The outputs of a base's encoder for N films, as in a draft."""

    features: np.ndarray  # float16 (N, P, W)
    embeddings: np.ndarray  # float32 (N, D)
    logits: np.ndarray  # float32 (N, L): the probe's; L is 0 without a probe


def cache_features(
    backbone: JanusBackbone, pictures: Pictures, folder: Path, on_message: OnMessage
) -> CachedFeatures:
    """Encode all films, or load the result from `folder` if it is complete there."""

    def encode(start: int, stop: int) -> tuple[np.ndarray, ...]:
        encoded = backbone.encode([pictures.film(i) for i in range(start, stop)])
        features = np.stack([np.asarray(encoding.features) for encoding in encoded])
        logits = [
            np.zeros(0, np.float32) if e.logits is None else e.logits.mean(axis=0) for e in encoded
        ]
        return (
            features.astype(np.float16),
            np.stack([encoding.embedding for encoding in encoded]),
            np.stack(logits),
        )

    return CachedFeatures(
        *_load_or_compute(
            folder, ("features", "embeddings", "logits"), len(pictures), encode, on_message
        )
    )


@torch.no_grad()
def cache_codes(model: Any, pictures: Pictures, folder: Path, on_message: OnMessage) -> np.ndarray:
    """Tokenise all films to codes int32 (N, T), or load them from `folder`."""
    size, grid = model.config.vision_config.image_size, round(_image_token_count(model) ** 0.5)
    painting_size = grid * 2 ** (len(model.config.vq_config.channel_multiplier) - 1)
    model.eval()

    def tokenise(start: int, stop: int) -> tuple[np.ndarray]:
        squares = torch.from_numpy(batch_of([pictures.film(i) for i in range(start, stop)], size))
        pixels = F.adaptive_avg_pool2d(squares, painting_size).to(model.device, model.dtype)
        codes = model.model.vqmodel.encode(pixels.contiguous()).image_tokens
        return (codes.view(stop - start, -1).cpu().numpy().astype(np.int32),)

    return _load_or_compute(folder, ("codes",), len(pictures), tokenise, on_message)[0]


def _image_token_count(model: Any) -> int:
    return model.config.vision_config.num_image_tokens


def _load_or_compute(
    folder: Path,
    names: tuple[str, ...],
    count: int,
    compute: Callable[[int, int], tuple[np.ndarray, ...]],
    on_message: OnMessage,
) -> list[np.ndarray]:
    """Arrays of `count` rows, loaded from `folder` or computed in batches.

    They are complete if the file `<first name>.finished` exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths, finished = [folder / f"{name}.npy" for name in names], folder / f"{names[0]}.finished"
    if not finished.exists():
        arrays: list[np.ndarray] = []
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            batch = compute(start, stop)
            if not arrays:
                arrays = [
                    np.lib.format.open_memmap(path, "w+", rows.dtype, (count, *rows.shape[1:]))
                    for path, rows in zip(paths, batch, strict=True)
                ]
            for array, rows in zip(arrays, batch, strict=True):
                array[start:stop] = rows
            if stop % (100 * BATCH) == 0 or stop == count:
                on_message(f"{names[0]} of films: {stop} of {count}")
        for array in arrays:
            array.flush()  # pyright: ignore[reportAttributeAccessIssue]
        finished.touch()
    return [np.load(path, mmap_mode="r") for path in paths]
