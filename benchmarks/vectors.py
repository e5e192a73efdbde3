"""Vectors like an encoder's, made from a seed, for measuring search where no films are at hand.

Uniform noise in 512 dimensions has no neighbours worth finding, and no index works on it. What
encoders give lies near a few dozen directions, in groups of very different size and width, with
a little of everything else; so do these. Their local intrinsic dimension is about 24, above
most of the sets of ann-benchmarks, so they are not the easy case.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from retrieval import NewCase

DIM = 512
_LATENT = 48  # directions that carry the meaning
_GROUPS = 5000
_WIDTH = 0.7  # of a group, where the groups themselves lie 1 from the middle
_NOISE = 0.25  # length of the part in all directions
_CHUNK = 50_000

DESCRIBED = (
    f"a mixture of {_GROUPS} Gaussians of uneven size and width in {_LATENT} dimensions, turned "
    f"into {DIM} by a fixed matrix, with noise of length {_NOISE} in all, of length 1; seeded"
)


def load_vectors(folder: Path, count: int) -> np.ndarray:
    """The first `count` vectors, float32 (count, DIM) of length 1, mapped from a file made once."""
    path = folder / f"vectors-{count}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        rows = np.lib.format.open_memmap(part, "w+", np.float32, (count, DIM))
        for start in range(0, count, _CHUNK):
            end = min(count, start + _CHUNK)
            rows[start:end] = make_vectors(end - start, seed=1 + start // _CHUNK)
        rows.flush()
        part.replace(path)
    return np.load(path, mmap_mode="r")


def make_queries(count: int) -> np.ndarray:
    """Queries of the source of `load_vectors`, never in it: float32 (count, DIM) of length 1."""
    return make_vectors(count, seed=0)


def make_vectors(count: int, seed: int) -> np.ndarray:
    """Vectors of one seed: float32 (count, DIM) of length 1."""
    fixed_rng, rng = np.random.default_rng(7), np.random.default_rng([11, seed])
    scale = 1 / np.sqrt(1 + np.arange(_LATENT) / 8)
    scale = (scale / np.linalg.norm(scale)).astype(np.float32)
    directions = np.linalg.qr(fixed_rng.normal(size=(DIM, _LATENT)))[0].T.astype(np.float32)
    centres = fixed_rng.standard_normal((_GROUPS, _LATENT), np.float32) * scale
    widths = _WIDTH * np.exp(0.3 * fixed_rng.standard_normal(_GROUPS, np.float32))
    weights = 1 / (10 + np.arange(_GROUPS))
    group = rng.choice(_GROUPS, size=count, p=weights / weights.sum())
    inside = rng.standard_normal((count, _LATENT), np.float32) * scale
    vectors = (centres[group] + widths[group, None] * inside) @ directions
    vectors += _NOISE / np.sqrt(DIM) * rng.standard_normal((count, DIM), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_cases(vectors: np.ndarray) -> Iterator[NewCase]:
    """One case a vector, with a short report, labels, a source and a picture of a few bytes."""
    pictures = [_picture(shade) for shade in range(256)]
    for i, vector in enumerate(vectors):
        yield NewCase(
            film_sha256=film_hash_of(i),
            preview=pictures[i % 256],
            embedding=vector,
            patient=f"patient-{i // 3}",
            report=f"Film {i}. The heart is not enlarged. No pleural effusion.",
            labels=("no finding", f"group {i % 20}"),
            source="even" if i % 2 == 0 else "odd",
        )


def film_hash_of(i: int) -> str:
    """The SHA-256 of the i-th case's film."""
    return hashlib.sha256(f"film {i}".encode()).hexdigest()


def _picture(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8), shade).save(out, "PNG")
    return out.getvalue()
