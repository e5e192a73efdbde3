"""Checks whether a painting is nearly a copy of a known film, such as one of the library.

Three steps, each dearer for a film than the one before and done for fewer films: neighbours by the
backbone's embedding, then those with the most similar outline, then structural similarity, which
decides. The embedding alone is not enough: it puts films with the same findings close together,
and the original of a blurred copy may well be its fiftieth neighbour.

This module knows no findings, and nothing of how a film was painted.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from assistant.backbones.protocols import Encoder
from assistant.intake.resize import square
from assistant.intake.synthetic_mark import mark_box
from assistant.types import CopyCheck, Film
from retrieval import Library, LibraryError

LIMIT = 0.88  # structural similarity from which on a painting counts as a copy: docs/painting.md
EDGE = 128  # pixels at which films are compared
OUTLINE_CANDIDATES = 1000  # neighbours by embedding whose outlines are compared: 2 s of work
OUTLINE = 16  # pixels of an outline's edge
SIMILARITY_CANDIDATES = (
    5  # films with the nearest outlines, whose structural similarity is computed
)

_K1, _K2, _SIGMA, _REACH = 0.01, 0.03, 1.5, 3.5  # the constants of the paper, for a range of 1


class ReferenceFilms(Protocol):
    """Known films with small pictures, searched by embedding."""

    @property
    def name(self) -> str:
        """What the films are: "library"."""
        ...

    def nearest(self, embedding: np.ndarray, count: int) -> Sequence[str]:
        """Ids of the films nearest to an embedding (D,), the nearest first."""
        ...

    def picture(self, film: str) -> np.ndarray | None:
        """The film's picture, float32 (H, W) in [0, 1]; None where it is lost."""
        ...


class LibraryFilms:
    """The library's cases as reference films."""

    name = "library"

    def __init__(self, library: Library) -> None:
        self._library = library

    def nearest(self, embedding: np.ndarray, count: int) -> Sequence[str]:
        """Ids of the cases nearest to an embedding (D,), the nearest first."""
        return [hit.case.id for hit in self._library.search(embedding, count)]

    def picture(self, film: str) -> np.ndarray | None:
        """The case's preview; None where its file is missing or damaged."""
        try:
            data = self._library.preview(film)
        except LibraryError:  # removed meanwhile, or damaged: then it is not compared
            return None
        with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
            return np.asarray(opened.convert("L"), np.float32) / 255


def similarity(film: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Structural similarity of a film (E, E) with others (N, E, E), in [-1, 1], as (N,).

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
    over all but the corner with the mark of synthetic films, which would count as similar.
    """
    first, second = np.asarray(film, np.float64)[None], np.asarray(others, np.float64)
    mean1, mean2 = _blur(first), _blur(second)
    var1 = (_blur(first**2) - mean1**2).clip(0)
    var2 = (_blur(second**2) - mean2**2).clip(0)
    covariance = _blur(first * second) - mean1 * mean2
    c1, c2 = _K1**2, _K2**2
    luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    structure = (2 * covariance + c2) / (var1 + var2 + c2)
    rows, columns = mark_box(*film.shape)
    compared = np.ones(film.shape, bool)
    compared[-rows:, :columns] = False
    return (luminance * structure)[:, compared].mean(axis=1)


def _blur(films: np.ndarray) -> np.ndarray:
    return gaussian_filter(films, (0, _SIGMA, _SIGMA), truncate=_REACH, mode="mirror")


def _outlines(films: Sequence[np.ndarray]) -> np.ndarray:
    """Films (E, E) as unit vectors (N, OUTLINE ** 2), invariant to brightness and contrast."""
    small = np.stack([square(film, OUTLINE) for film in films]).reshape(len(films), -1)
    small = small - small.mean(axis=1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True).clip(min=1e-6)


def check_copies(
    encoder: Encoder, references: Sequence[ReferenceFilms], films: Sequence[Film]
) -> list[CopyCheck]:
    """Compare each film with the known ones; the film itself must not be among them.

    The verdict is "copy" from a structural similarity of `LIMIT` with any film, "original" below
    it, and "unchecked" with the reason where there is nothing to compare with.
    """
    if not references:
        return [CopyCheck(reason="No library is open.")] * len(films)
    pictures: dict[tuple[str, str], np.ndarray] = {}  # shared, as paintings share neighbours
    return [
        _check_film(film.pixels, encoded.embedding, references, pictures)
        for film, encoded in zip(films, encoder.encode(films), strict=True)
    ]


def _check_film(
    pixels: np.ndarray,
    embedding: np.ndarray,
    references: Sequence[ReferenceFilms],
    pictures: dict[tuple[str, str], np.ndarray],
) -> CopyCheck:
    candidates: list[tuple[str, str]] = []
    for reference in references:
        for film in reference.nearest(embedding, OUTLINE_CANDIDATES):
            key = (reference.name, film)
            if key not in pictures and (picture := reference.picture(film)) is not None:
                pictures[key] = square(picture, EDGE)
            if key in pictures:
                candidates.append(key)
    if not candidates:
        return CopyCheck(reason="The library has no film to compare with.")
    film_picture = square(pixels, EDGE)
    outlines = _outlines([film_picture, *(pictures[key] for key in candidates)])
    closest = np.argsort(-(outlines[1:] @ outlines[0]), kind="stable")[:SIMILARITY_CANDIDATES]
    similarities = similarity(film_picture, np.stack([pictures[candidates[i]] for i in closest]))
    best = int(similarities.argmax())
    (reference_name, film), value = candidates[closest[best]], float(similarities[best])
    return CopyCheck(
        verdict="copy" if value >= LIMIT else "original",
        reason=f"The most alike of {len(candidates)} known films is "
        f"{'so alike that this is a copy of it' if value >= LIMIT else 'another film'}.",
        shelf=reference_name,
        film=film,
        similarity=round(value, 4),
        limit=LIMIT,
        compared=len(candidates),
    )
