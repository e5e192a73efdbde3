"""The training data on one device: real films and the blocks of phantoms rendered so far."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from adapters.generator.scenes import FILM
from assistant.errors import SettingsError


def _read_block(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as block:
        return {name: block[name] for name in block.files}


@dataclass(slots=True, eq=False)
class Blocks:
    """Blocks of phantoms that lie on a device; grows as more are rendered.

    `base` counts films over all blocks. Tensors are films uint8 (N, 1, 256, 256), kinds uint8
    (N,), base int64 (N,), tokens int16 (N, L, 5), boxes float16 (N, L, 4), cover uint8
    (N, 1, 64, 64).
    """

    folder: Path
    device: torch.device
    first: int = 0  # block to load
    last: int = 100_000  # and the first not to load
    loaded: set[str] = field(default_factory=set)
    parts: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    arrays: dict[str, torch.Tensor] = field(default_factory=dict)

    def poll(self) -> int:
        """Load blocks that are finished and not loaded yet; returns the number of films."""
        paths = [
            path
            for path in sorted(self.folder.glob("block-*.npz"))
            if path.name not in self.loaded and self.first <= int(path.stem[6:]) < self.last
        ]
        with ThreadPoolExecutor(8) as pool:
            for path, made in zip(paths, pool.map(_read_block, paths), strict=True):
                self._add(path.name, made)
        if paths:
            self.arrays = {name: torch.cat(list_) for name, list_ in self.parts.items()}
            # One tensor each, so that the next block is added to it alone.
            self.parts = {name: [tensor] for name, tensor in self.arrays.items()}
        return len(self)

    def _add(self, name: str, made: dict[str, np.ndarray]) -> None:
        count = sum(len(part) for part in self.parts.get("films", []))
        made["base"] = made["base"].astype(np.int64) + count
        made["films"], made["cover"] = made["films"][:, None], made["cover"][:, None]
        for key, array in made.items():
            tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
            self.parts.setdefault(key, []).append(tensor)
        self.loaded.add(name)

    def __len__(self) -> int:
        return len(self.arrays["films"]) if self.arrays else 0

    def of_kind(self, kind: int = FILM) -> torch.Tensor:
        """Indices of the films of a kind."""
        return torch.nonzero(self.arrays["kinds"] == kind).squeeze(1)


def wait_for_blocks(blocks: Blocks, least: int, patience: float = 90.0) -> None:
    """Wait until some blocks are there; SettingsError after `patience` seconds without them."""
    end = time.monotonic() + patience
    while blocks.poll() < least:
        if time.monotonic() > end:
            raise SettingsError(
                f"Only {len(blocks)} films lie in {blocks.folder} after {patience:.0f} s; "
                "is `python -m adapters.generator.scenes` rendering into it?"
            )
        time.sleep(0.5)


def to_unit(films: torch.Tensor) -> torch.Tensor:
    """Films uint8 as float in [-1, 1]."""
    return films.float() / 127.5 - 1


def from_unit(films: torch.Tensor) -> torch.Tensor:
    """Films in [-1, 1] as uint8."""
    return ((films.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
