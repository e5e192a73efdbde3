"""Phantoms for measuring, and what they and a draft of them claim, in one form.

Test phantoms come from a random stream of their own and use phrasings that training never saw.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np
import torch

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS, Phantom, make_phantom, truth_assertions
from assistant.types import Assertion, Film
from evals.counting import FindingSide, finding_sides, restrict_to

BLOCK = 32  # films that are made together, and held in memory at once


def phantoms(
    seed: int, numbers: Sequence[int], site: str = "A", split: str = "test"
) -> Iterator[Phantom]:
    """The phantoms of a seed by their numbers, in order, made on all cores where they are many."""
    if len(numbers) < BLOCK:
        for number in numbers:
            yield make_phantom(seed, number, site, split)
        return
    # Spawned, not forked: a fork of a process that holds torch's threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context) as pool:
        for start in range(0, len(numbers), BLOCK):
            block = numbers[start : start + BLOCK]
            yield from pool.map(
                make_phantom, repeat(seed), block, repeat(site), repeat(split), chunksize=4
            )


def as_film(phantom: Phantom) -> Film:
    """The phantom as intake would give it."""
    return film_of(phantom.film.astype(np.float32) / 255)


def film_of(pixels: np.ndarray) -> Film:
    """Pixels, float (H, W) in [0, 1], as a film; its hash is over the pixels as 8 bits."""
    kept = np.ascontiguousarray(pixels, np.float32)
    kept.setflags(write=False)
    grey = (kept * 255).round().astype(np.uint8)
    return Film(kept, hashlib.sha256(grey.tobytes()).hexdigest())


def downsample_film(pixels: np.ndarray, size: int) -> np.ndarray:
    """A square film (H, H) as float32 (size, size), each pixel the mean over its area."""
    whole = torch.from_numpy(np.array(pixels, np.float32))[None, None]
    return torch.nn.functional.adaptive_avg_pool2d(whole, size)[0, 0].numpy()


def probed_findings(assistant: Assistant, films: Sequence[Film]) -> list[set[FindingSide]] | None:
    """What the backbone's probe sees in each film; None where it has no probe."""
    read = assistant.backbone.probe_findings(films)
    if read is None:
        return None
    return [
        finding_sides(Assertion(s.finding, side=s.side) for s in seen if s.present) for seen in read
    ]


def true_findings(phantom: Phantom, polarity: str = "present") -> set[FindingSide]:
    """The findings of a phantom that a draft should assert; `uncertain` are the faint ones."""
    return restrict_to(finding_sides(truth_assertions(phantom), polarity), FINDINGS)
