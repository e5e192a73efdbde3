"""Adds films to the library of cases: reads, encodes and adds them in batches."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from assistant.backbones.protocols import Encoder
from assistant.cases.deidentify import remove_identifiers
from assistant.errors import LibraryError, WetreadError
from assistant.intake import read_film, read_film_bytes
from assistant.intake.png import preview
from assistant.iterables import batched
from assistant.types import Film
from retrieval import Added, Case, FolderRow, Library, NewCase, read_folder

BATCH = 16
SYNTHETIC = "synthetic"  # the flag of a film that intake recognises as painted


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """The outcome of adding a folder: how many films were added, known already, or refused."""

    added: int
    known: int
    refused: tuple[tuple[int, str], ...]  # (row of the table, the sentence that says why)


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
    """Add one film with its report to the library; a film that is in it already stays as it is.

    Report and labels are kept without what names a person, as far as `remove_identifiers` finds it.
    Raises LibraryError for a synthetic film, unless `allow_synthetic`: its source is then
    "synthetic" if none is given, and its preview in the library bears the visible mark.
    """
    _refuse_synthetic(film, allow_synthetic)
    source = source or (SYNTHETIC if SYNTHETIC in film.flags else "")
    embedding = encoder.encode([film])[0].embedding
    return library.add(
        NewCase(
            film_sha256=film.sha256,
            preview=_preview_of(film),
            embedding=embedding,
            patient=patient,
            report=remove_identifiers(report),
            labels=tuple(remove_identifiers(label) for label in labels),
            source=source,
        )
    )


def _preview_of(film: Film) -> bytes:
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
    A film that cannot be read is recorded with its reason, and the others are still added. A run
    that was killed can be run again: cases in the library are neither added nor encoded again.
    """
    rows = read_folder(folder)
    added = known = processed = 0
    refused: list[tuple[int, str]] = []
    for batch in batched(rows, BATCH):
        new_films: list[tuple[FolderRow, Film]] = []
        for row in batch:
            try:
                film = _read_film_of(row)
                _refuse_synthetic(film, allow_synthetic)
            except WetreadError as error:
                refused.append((row.row, str(error)))
                continue
            if library.has(film.sha256):
                known += 1
            else:
                new_films.append((row, film))
        for outcome in library.add_many(_encode_cases(encoder, new_films), batch=BATCH):
            added, known = added + outcome.new, known + (not outcome.new)
        processed += len(batch)
        on_progress(processed, len(rows))
    return IngestSummary(added, known, tuple(refused))


def _read_film_of(row: FolderRow) -> Film:
    """Read a row's film; errors name the row, since a file's name may be a patient's."""
    return read_film(row.image, f"row {row.row}")


def _encode_cases(encoder: Encoder, new_films: list[tuple[FolderRow, Film]]) -> Iterator[NewCase]:
    encoded = encoder.encode([film for _, film in new_films]) if new_films else []
    for (row, film), encoding in zip(new_films, encoded, strict=True):
        yield NewCase(
            film_sha256=film.sha256,
            preview=_preview_of(film),
            embedding=encoding.embedding,
            patient=row.patient,
            report=remove_identifiers(row.report),
            labels=tuple(remove_identifiers(label) for label in row.labels),
            source=row.source or (SYNTHETIC if SYNTHETIC in film.flags else "folder"),
        )


def refresh(
    encoder: Encoder, library: Library, on_progress: Callable[[int], None] = lambda done: None
) -> int:
    """Embed anew, from their previews, the cases that another encoder embedded.

    Rebuilds the index at the end and returns how many cases were embedded.
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
    """Return whether a folder is a library of cases."""
    return (folder / "cases.sqlite").is_file()


def read_library(folder: Path) -> Iterator[tuple[Case, np.ndarray]]:
    """Yield the cases of a library with their pictures, uint8 (H, W), in the order of their ids.

    Cases with a damaged picture are left out. Raises LibraryError if the folder is no library.
    """
    with Library.open(folder, encoder="pictures alone", dim=1, create=False) as library:
        for case in sorted(library.cases(), key=lambda case: case.id):
            try:
                png = library.preview(case.id)
            except LibraryError:
                continue
            with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
                yield case, np.asarray(picture.convert("L"))
