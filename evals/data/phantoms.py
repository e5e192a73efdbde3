"""Phantoms for measuring, and the findings of phantoms and probes in one form.

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


def make_phantoms(
    seed: int, numbers: Sequence[int], site: str = "A", split: str = "test"
) -> Iterator[Phantom]:
    """Make the phantoms of a seed by their numbers, in order; on all cores where they are many."""
    if len(numbers) < BLOCK:
        for number in numbers:
            yield make_phantom(seed, number, site, split)
        return
    # Spawned, not forked: a fork of a process that holds torch's threads may hang.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=spawn) as pool:
        for start in range(0, len(numbers), BLOCK):
            block = numbers[start : start + BLOCK]
            yield from pool.map(
                make_phantom, repeat(seed), block, repeat(site), repeat(split), chunksize=4
            )


def as_film(phantom: Phantom) -> Film:
    """The phantom as a film, as intake would return it."""
    return film_of(phantom.film.astype(np.float32) / 255)


def film_of(pixels: np.ndarray) -> Film:
    """Pixels, float (H, W) in [0, 1], as a film; its hash is over the pixels as 8 bits."""
    float_pixels = np.ascontiguousarray(pixels, np.float32)
    float_pixels.setflags(write=False)
    grey = (float_pixels * 255).round().astype(np.uint8)
    return Film(float_pixels, hashlib.sha256(grey.tobytes()).hexdigest())


def downsample_film(pixels: np.ndarray, size: int) -> np.ndarray:
    """Downsample a square film (H, H) to float32 (size, size), each pixel the mean of its area."""
    batch = torch.from_numpy(np.array(pixels, np.float32))[None, None]
    return torch.nn.functional.adaptive_avg_pool2d(batch, size)[0, 0].numpy()


def probed_findings(assistant: Assistant, films: Sequence[Film]) -> list[set[FindingSide]] | None:
    """The findings that the backbone's probe reads in each film; None where it has no probe."""
    outputs = assistant.backbone.probe_findings(films)
    if outputs is None:
        return None
    return [
        finding_sides(Assertion(s.finding, side=s.side) for s in film_outputs if s.present)
        for film_outputs in outputs
    ]


def true_findings(phantom: Phantom, polarity: str = "present") -> set[FindingSide]:
    """The findings of a phantom that a draft should assert; `uncertain` are the faint ones."""
    return restrict_to(finding_sides(truth_assertions(phantom), polarity), FINDINGS)
