"""Is a painting nearly a film that is known: one of the library, or of the painter's training?

Three steps, each dearer for a film than the one before and taken for fewer: the neighbours by the
backbone's embedding, of those the films with the same outline, and of those the structural
similarity decides. The embedding alone will not do: it puts films with the same findings beside
each other, and the original of a blurred copy may well be its fiftieth neighbour.

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
LOOKED_AT = 1000  # neighbours by embedding whose outline is looked at: 2 s of work
OUTLINE = 16  # pixels of an outline's edge
CLOSEST = 5  # films with the nearest outline, for which the similarity is computed

_K1, _K2, _SIGMA, _REACH = 0.01, 0.03, 1.5, 3.5  # the constants of the paper, for a range of 1


class ReferenceFilms(Protocol):
    """Known films with small pictures, to be searched by embedding."""

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
    """The library of cases as a shelf."""

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


def similarity(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Structural similarity of a film (E, E) with others (N, E, E), in [-1, 1], as (N,).

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
    over all but the corner where the mark of a synthetic film is, which would count as likeness.
    """
    first, second = np.asarray(one, np.float64)[None], np.asarray(others, np.float64)
    mean1, mean2 = _blurred(first), _blurred(second)
    var1 = (_blurred(first**2) - mean1**2).clip(0)
    var2 = (_blurred(second**2) - mean2**2).clip(0)
    both = _blurred(first * second) - mean1 * mean2
    c1, c2 = _K1**2, _K2**2
    light = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    grain = (2 * both + c2) / (var1 + var2 + c2)
    rows, columns = mark_box(*one.shape)
    counts = np.ones(one.shape, bool)
    counts[-rows:, :columns] = False
    return (light * grain)[:, counts].mean(axis=1)


def _blurred(films: np.ndarray) -> np.ndarray:
    return gaussian_filter(films, (0, _SIGMA, _SIGMA), truncate=_REACH, mode="mirror")


def _outlines(films: Sequence[np.ndarray]) -> np.ndarray:
    """Films (E, E) as unit vectors (N, OUTLINE ** 2) that light and contrast do not change."""
    small = np.stack([square(film, OUTLINE) for film in films]).reshape(len(films), -1)
    small = small - small.mean(axis=1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True).clip(min=1e-6)


def check_copies(
    encoder: Encoder, shelves: Sequence[ReferenceFilms], films: Sequence[Film]
) -> list[CopyCheck]:
    """Compare each film with the known ones; it itself must not be among them.

    "copy" from a structural similarity of `LIMIT` on with any film, "original" below it, and
    "unchecked" with the reason where there is nothing to compare with.
    """
    if not shelves:
        return [CopyCheck(reason="No library is open.")] * len(films)
    opened: dict[tuple[str, str], np.ndarray] = {}  # pictures, as paintings share neighbours
    return [
        _check(film.pixels, code.embedding, shelves, opened)
        for film, code in zip(films, encoder.encode(films), strict=True)
    ]


def _check(
    pixels: np.ndarray,
    embedding: np.ndarray,
    shelves: Sequence[ReferenceFilms],
    opened: dict[tuple[str, str], np.ndarray],
) -> CopyCheck:
    known: list[tuple[str, str]] = []
    for shelf in shelves:
        for film in shelf.nearest(embedding, LOOKED_AT):
            place = (shelf.name, film)
            if place not in opened and (picture := shelf.picture(film)) is not None:
                opened[place] = square(picture, EDGE)
            if place in opened:
                known.append(place)
    if not known:
        return CopyCheck(reason="The library has no film to compare with.")
    own = square(pixels, EDGE)
    outlines = _outlines([own, *(opened[place] for place in known)])
    closest = np.argsort(-(outlines[1:] @ outlines[0]), kind="stable")[:CLOSEST]
    alike = similarity(own, np.stack([opened[known[i]] for i in closest]))
    best = int(alike.argmax())
    (shelf_name, film), value = known[closest[best]], float(alike[best])
    return CopyCheck(
        verdict="copy" if value >= LIMIT else "original",
        reason=f"The most alike of {len(known)} known films is "
        f"{'so alike that this is a copy of it' if value >= LIMIT else 'another film'}.",
        shelf=shelf_name,
        film=film,
        similarity=round(value, 4),
        limit=LIMIT,
        compared=len(known),
    )
