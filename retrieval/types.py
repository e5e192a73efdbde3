"""The values that pass in and out of the library: frozen, slotted, tuples not lists.

This module knows neither SQLite nor FAISS. A raw patient id appears only on what comes in
(`NewCase`, `FolderRow`); what goes out (`Case`) carries the salted hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

IndexKind = Literal["exact", "trained"]


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the library, without its picture and its vector."""

    id: str  # the first 16 hexadecimal digits of the film's SHA-256
    patient: str | None  # salted hash of the patient id; None: not known
    report: str
    labels: tuple[str, ...]
    source: str  # where the case came from, e.g. "nih"
    added: str  # ISO 8601, UTC


@dataclass(frozen=True, slots=True, eq=False)
class NewCase:
    """A case on its way in; the raw patient id is hashed at the door and never stored."""

    film_sha256: str  # 64 hexadecimal digits, of the source bytes: the case's identity
    preview: bytes  # a small PNG without text or Exif chunks, at most 1 MiB
    embedding: np.ndarray  # float (D,), finite, not all zero; any length, stored as given
    patient: str | None = field(default=None, repr=False)  # raw, kept out of every repr
    report: str = ""
    labels: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """The acknowledgement of one case: when it is given, the case is on the disk."""

    case: str
    new: bool  # False: the film was known already


@dataclass(frozen=True, slots=True)
class Hit:
    """A case found by search."""

    case: Case
    similarity: float  # cosine in [-1, 1], rounded to six decimals


@dataclass(frozen=True, slots=True)
class Stats:
    """What a library holds, counted at one moment."""

    cases: int
    patients: int  # distinct known patients
    without_patient: int  # cases whose patient is not known
    sources: tuple[tuple[str, int], ...]  # (source, cases), most cases first
    encoder: str
    embedded: int  # cases that carry a vector of this encoder, and so can be found
    index: IndexKind
    watermark: int  # the last change that the index has taken in
    snapshot: str  # as `Library.snapshot_id`


@dataclass(frozen=True, slots=True)
class FolderRow:
    """One row of a folder of films, as `read_folder` reads it."""

    image: Path  # inside the folder; `read_folder` has looked that it is there
    patient: str | None = field(repr=False)  # raw, kept out of every repr
    report: str
    labels: tuple[str, ...]
    split: str | None
    source: str | None  # None: the folder does not say
    row: int  # as a spreadsheet counts: the header is row 1
    indication: str = ""  # why the film was taken
    prior_report: str = ""  # of an earlier film of the patient
    case: str = ""  # what the folder's owner calls the row; empty: nothing
    shape: tuple[int, int] | None = None  # the film's true columns and rows, where it is squeezed
    laterals: tuple[Path, ...] = ()  # further films of the study, inside the folder
    prior_images: tuple[Path, ...] = ()  # earlier films of the patient, inside the folder


@dataclass(frozen=True, slots=True)
class FaultyRow:
    """One row of a folder of films that does not hold."""

    row: int
    reason: str  # the rest of a sentence, without its full stop; repeats nothing of the row
