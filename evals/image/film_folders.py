"""Films of a folder: listed with what its table says of them, read, and counted where they fail.

No name of a file leaves this module but to pair films: a name may be a patient's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.batch.run import may_be_film
from assistant.errors import SettingsError, WetreadError
from assistant.intake import read_film
from assistant.iterables import batched
from assistant.types import Film, OnProgress
from evals.data.real_films import has_table
from retrieval import read_folder


@dataclass(frozen=True, slots=True)
class FilmSource:
    """One film's file, and what a table says of it."""

    path: Path
    patient: str | None = None
    report: str = ""
    labels: tuple[str, ...] = ()


def list_sources(folder: Path) -> list[FilmSource]:
    """The films of a folder by its table, or, where it has none, every file in and below it.

    Raises SettingsError where there is no folder or no file, LibraryError for a bad table.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder; name a folder of films.")
    if has_table(folder):
        rows = read_folder(folder)
        return [FilmSource(row.image, row.patient, row.report, row.labels) for row in rows]
    found = sorted(path for path in folder.rglob("*") if may_be_film(path.relative_to(folder)))
    files = [FilmSource(path) for path in found if path.is_file()]
    if not files:
        raise SettingsError(f"{folder} holds no films; name a folder of DICOM, PNG or JPEG files.")
    return files


def sample_by_patient(found: Sequence[FilmSource], n: int | None, seed: int) -> list[FilmSource]:
    """`n` of the films at random, in their order; all where there are no more, or `n` is None."""
    if n is None or n >= len(found):
        return list(found)
    picked = np.random.default_rng(seed).permutation(len(found))[:n]
    return [found[i] for i in sorted(picked.tolist())]


def read_sources(
    found: Sequence[FilmSource], on_progress: OnProgress = lambda done, total: None
) -> Iterator[list[tuple[FilmSource, Film]]]:
    """The films in blocks that fit into memory; those that cannot be read are left out."""
    done = 0
    for block in batched(found):
        films: list[tuple[FilmSource, Film]] = []
        for source in block:
            try:
                films.append((source, read_film(source.path)))
            except WetreadError:
                continue
        done += len(block)
        on_progress(done, len(found))
        yield films


def patient_of(source: FilmSource, film: Film) -> str:
    """Whose film it is; where nothing tells, each film is a patient's own."""
    return source.patient or film.sha256
