"""Putting films into the library of cases: reading, encoding and adding, many at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from assistant.backbones.protocols import Encoder
from assistant.errors import LibraryError, WetreadError
from assistant.intake import read_film, read_film_bytes
from assistant.intake.png import preview
from assistant.iterables import batched
from assistant.types import Film
from retrieval import Added, Case, FolderRow, Library, NewCase, read_folder

BATCH = 16
SYNTHETIC = "synthetic"  # the flag of a film that intake knows to be painted


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """How adding a folder went."""

    added: int
    known: int
    refused: tuple[tuple[str, str], ...]  # (file name, the sentence that says why)


def add_film(
    encoder: Encoder,
    library: Library,
    film: Film,
    *,
    report: str = "",
    patient: str | None = None,
    labels: tuple[str, ...] = (),
    source: str = "",
    allow_synthetic: bool = False,
) -> Added:
    """Add one film with its report to the library; a film that is there already stays as it is.

    Raises LibraryError for a synthetic film, unless it is allowed in as such: its source is then
    "synthetic" if none is given, and its picture in the library bears the visible mark.
    """
    _refuse_synthetic(film, allow_synthetic)
    source = source or (SYNTHETIC if SYNTHETIC in film.flags else "")
    embedding = encoder.encode([film])[0].embedding
    case = NewCase(film.sha256, _preview(film), embedding, patient, report, labels, source)
    return library.add(case)


def _preview(film: Film) -> bytes:
    return preview(film.pixels, synthetic=SYNTHETIC in film.flags)


def _refuse_synthetic(film: Film, allowed: bool) -> None:
    if SYNTHETIC in film.flags and not allowed:
        raise LibraryError(
            f"The film {film.sha256[:16]} is marked synthetic and is no patient's case; "
            "allow synthetic films (--allow-synthetic) to add it all the same."
        )


def add_folder(
    encoder: Encoder,
    library: Library,
    folder: Path,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    allow_synthetic: bool = False,
) -> IngestSummary:
    """Add a folder of films with its table to the library.

    The table is `cases.csv`, or the `metadata.csv` or `.jsonl` of a Hugging Face imagefolder.
    A film that cannot be read is counted with its reason and the rest goes on. A run that was
    killed can be run again: what is there is not added twice, nor encoded again.
    """
    rows = read_folder(folder)
    added = known = done = 0
    refused: list[tuple[str, str]] = []
    for batch in batched(rows, BATCH):
        fresh: list[tuple[FolderRow, Film]] = []
        for row in batch:
            try:
                film = read_film(row.image)
                _refuse_synthetic(film, allow_synthetic)
            except WetreadError as error:
                refused.append((row.image.name, str(error)))
                continue
            if library.has(film.sha256):
                known += 1
            else:
                fresh.append((row, film))
        for outcome in library.add_many(_cases(encoder, fresh), batch=BATCH):
            added, known = added + outcome.new, known + (not outcome.new)
        done += len(batch)
        on_progress(done, len(rows))
    return IngestSummary(added, known, tuple(refused))


def _cases(encoder: Encoder, fresh: list[tuple[FolderRow, Film]]) -> Iterator[NewCase]:
    encoded = encoder.encode([film for _, film in fresh]) if fresh else []
    for (row, film), code in zip(fresh, encoded, strict=True):
        yield NewCase(
            film_sha256=film.sha256,
            preview=_preview(film),
            embedding=code.embedding,
            patient=row.patient,
            report=row.report,
            labels=row.labels,
            source=row.source or (SYNTHETIC if SYNTHETIC in film.flags else "folder"),
        )


def refresh(
    encoder: Encoder, library: Library, on_progress: Callable[[int], None] = lambda done: None
) -> int:
    """Embed with this encoder the cases that another one filed, from their previews.

    Returns how many there were; afterwards the index is rebuilt.
    """
    done = 0
    for case, picture in library.stale():
        film = read_film_bytes(picture, case.id)
        library.set_embedding(case.id, np.asarray(encoder.encode([film])[0].embedding))
        done += 1
        on_progress(done)
    library.rebuild()
    return done


def is_library(folder: Path) -> bool:
    """Whether a folder is a library of cases."""
    return (folder / "cases.sqlite").is_file()


def read_library(folder: Path) -> Iterator[tuple[Case, np.ndarray]]:
    """The cases of a library with their pictures, uint8 (H, W), in the order of their ids.

    A case whose picture is damaged is left out. Raises LibraryError for a folder that is none.
    """
    with Library.open(folder, encoder="pictures alone", dim=1, create=False) as library:
        for case in sorted(library.cases(), key=lambda one: one.id):
            try:
                png = library.preview(case.id)
            except LibraryError:
                continue
            with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
                yield case, np.asarray(picture.convert("L"))
