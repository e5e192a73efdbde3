"""What may enter the library, and how vectors are scaled. Knows values only, no storage."""

from __future__ import annotations

import re

import numpy as np

from retrieval.errors import LibraryError
from retrieval.previews import check_preview
from retrieval.types import NewCase

_FILM = re.compile("[0-9a-f]{64}")


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., D), none of them zero, scaled to length 1: float64."""
    wide = vectors.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=-1, keepdims=True)


def unit32(vectors: np.ndarray) -> np.ndarray:
    """As `unit`, in float32."""
    return unit(vectors).astype(np.float32)


def checked_vector(embedding: np.ndarray, dim: int) -> np.ndarray:
    """A vector that can be compared, float32 (dim,); LibraryError where it cannot.

    Refused are another length, numbers that are not finite, and zero.
    """
    array = np.asarray(embedding)
    if array.shape != (dim,) or array.dtype.kind not in "fiu":
        raise LibraryError(
            f"The vector has the shape {array.shape} and the type {array.dtype}; this library "
            f"takes {dim} numbers: use the encoder it was opened for."
        )
    if array.dtype == np.float32:
        vector = array
    else:
        with np.errstate(over="ignore"):
            vector = array.astype(np.float32)
    if not np.isfinite(vector).all() or not vector.any():
        raise LibraryError(
            "The vector is zero or not finite, so nothing can be like it: check the encoder."
        )
    return vector


def checked_case(case: NewCase, dim: int) -> NewCase:
    """The case as it may be stored, or LibraryError."""
    if not _FILM.fullmatch(case.film_sha256):
        raise LibraryError("A film's SHA-256 is 64 digits from 0 to f: hash the film's bytes.")
    check_preview(case.preview)
    texts = (case.report, case.source, case.patient or "", *case.labels)
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise LibraryError(
                f"A text of film {case.film_sha256[:16]} holds half a character (a lone "
                "surrogate): read it with the right encoding."
            ) from error
    return NewCase(
        film_sha256=case.film_sha256,
        preview=case.preview,
        embedding=checked_vector(case.embedding, dim),
        patient=case.patient,
        report=_without(case.report, case.patient),
        labels=tuple(_without(label, case.patient) for label in case.labels),
        source=_without(case.source, case.patient),
    )


def _without(text: str, patient: str | None) -> str:
    """The text without the patient id where it stands there as a word of its own.

    Only ids that cannot be mistaken for a number or a word: five signs or more, not all
    letters. "8 mm" must survive patient 8.
    """
    plain = patient.strip() if patient else ""
    if len(plain) < 5 or plain.isalpha() or plain not in text:
        return text
    return re.sub(rf"(?<!\w){re.escape(plain)}(?!\w)", "[patient]", text)
