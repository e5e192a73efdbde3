"""List the films of a folder with the rows of its table, and read them in blocks.

File names leave this module only to pair films: a name may be that of a patient.
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
    """The file of one film, and what a table says about it."""

    path: Path
    patient: str | None = None
    report: str = ""
    labels: tuple[str, ...] = ()


def list_sources(folder: Path) -> list[FilmSource]:
    """List the films of a folder by its table or, without a table, every file in and below it.

    Raises SettingsError where there is no folder or no file, LibraryError for a bad table.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder; name a folder of films.")
    if has_table(folder):
        rows = read_folder(folder)
        return [FilmSource(row.image, row.patient, row.report, row.labels) for row in rows]
    paths = sorted(path for path in folder.rglob("*") if may_be_film(path.relative_to(folder)))
    sources = [FilmSource(path) for path in paths if path.is_file()]
    if not sources:
        raise SettingsError(f"{folder} holds no films; name a folder of DICOM, PNG or JPEG files.")
    return sources


def sample_by_patient(sources: Sequence[FilmSource], n: int | None, seed: int) -> list[FilmSource]:
    """Draw `n` films at random, in their order; all if there are no more, or if `n` is None."""
    if n is None or n >= len(sources):
        return list(sources)
    picked = np.random.default_rng(seed).permutation(len(sources))[:n]
    return [sources[i] for i in sorted(picked.tolist())]


def read_sources(
    sources: Sequence[FilmSource], on_progress: OnProgress = lambda done, total: None
) -> Iterator[list[tuple[FilmSource, Film]]]:
    """Read films in blocks that fit into memory; those that cannot be read are left out."""
    done = 0
    for block in batched(sources):
        films: list[tuple[FilmSource, Film]] = []
        for source in block:
            try:
                films.append((source, read_film(source.path)))
            except WetreadError:
                continue
        done += len(block)
        on_progress(done, len(sources))
        yield films


def patient_of(source: FilmSource, film: Film) -> str:
    """The patient of a film; without one in the table, each film counts as its own patient."""
    return source.patient or film.sha256
