"""The films of the user's folder: a table's rows or an imagefolder's files, and their pictures.

This module knows files and marks of splits; what a report says is for `adapters.data.cases`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.atomic import write_file
from assistant.batch.run import TABLES, FolderRow, read_manifest
from assistant.chest.vocabulary import finding_of_label
from assistant.errors import IntakeError, SettingsError
from assistant.intake import read_film
from assistant.intake.resize import restore_shape, square
from assistant.parsing import is_file, is_folder
from assistant.types import OnMessage

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm")
VALIDATION_MARKS = ("val", "valid", "validation", "dev")
TEST_MARKS = ("test", "testing")  # rows with such a mark are left out, for the evaluation
SPLITS = ("train", "training", *VALIDATION_MARKS, *TEST_MARKS)


@dataclass(frozen=True, slots=True)
class FolderFilm:
    """One film of a folder, not yet read."""

    image: Path
    group: str  # a hash of the patient, or of the film if the patient is unknown
    split: str | None
    digest: str  # of the file
    number: int  # as its table counts
    labels: tuple[str, ...] = ()
    report: str = ""
    indication: str = ""
    shape: tuple[int, int] | None = None  # its true columns and rows, where it is squeezed

    @property
    def has_unknown_label(self) -> bool:
        """Whether it has a label that is no finding of the vocabulary."""
        return any(finding_of_label(label) is None for label in self.labels)


def list_films(path: Path) -> list[FolderFilm]:
    """List the films of a table, or of an imagefolder with a folder for each label.

    A film that occurs twice is listed once. Raises SettingsError or LibraryError for a folder
    that cannot be read.
    """
    folder = path if is_folder(path) else path.parent
    if not is_folder(folder):
        raise SettingsError(f"There is no folder {folder}; name one that holds films.")
    has_table = is_file(path) or any(next(folder.glob(f"**/{name}"), None) for name in TABLES)
    rows = read_manifest(path).rows if has_table else _imagefolder_rows(folder)
    films: dict[str, FolderFilm] = {}  # by digest: a film that occurs twice could be in both splits
    for row in rows:
        digest = hashlib.sha256(_bytes_of(row)).hexdigest()
        group = hashlib.sha256(f"{row.patient or digest}".encode()).hexdigest()[:32]
        film = FolderFilm(
            row.image,
            group,
            row.split,
            digest,
            number=row.row,
            labels=row.labels,
            report=row.report,
            indication=row.indication,
            shape=row.shape,
        )
        films.setdefault(digest, film)
    if not films:
        raise SettingsError(f"The folder {folder} holds no films; name another.")
    return list(films.values())


def _imagefolder_rows(folder: Path) -> Iterator[FolderRow]:
    for number, image in enumerate(sorted(folder.rglob("*")), start=1):
        if image.suffix.lower() not in SUFFIXES or not image.is_file():
            continue
        parents = list(image.relative_to(folder).parts[:-1])
        split = parents.pop(0).lower() if parents and parents[0].lower() in SPLITS else None
        yield FolderRow(image, None, "", tuple(parents[-1:]), split, None, number)


def _bytes_of(row: FolderRow) -> bytes:
    try:
        return row.image.read_bytes()
    except OSError as error:  # which names the file
        raise SettingsError(
            f"The film of row {row.row} cannot be read ({error.strerror})."
        ) from None


def load_films(
    rows: Sequence[FolderFilm], cache: Path, edge: int, on_message: OnMessage
) -> tuple[np.ndarray, list[int]]:
    """Films uint8 (N, edge, edge) of the rows, from the cache, and indices of unreadable ones.

    A squeezed film gets its true shape back before it is fitted into the square.
    """
    finished = cache / "refused.json"
    if not finished.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        shape = (len(rows), edge, edge)
        films = np.lib.format.open_memmap(cache / "films.npy", "w+", np.uint8, shape)
        refused = []
        for index, row in enumerate(rows):
            try:
                film = read_film(row.image)
            except IntakeError:
                refused.append(index)
                continue
            pixels = restore_shape(film.pixels, row.shape) if row.shape else film.pixels
            films[index] = (square(pixels, edge) * 255).round().astype(np.uint8)
            if (index + 1) % 500 == 0:
                on_message(f"films read: {index + 1} of {len(rows)}")
        films.flush()
        write_file(finished, json.dumps(refused).encode())
    return np.load(cache / "films.npy", mmap_mode="r"), json.loads(
        finished.read_text(encoding="utf-8")
    )
