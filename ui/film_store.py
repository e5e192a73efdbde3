"""The films of a session on disk: their pixels are read when they are needed, and not kept."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np

from assistant.errors import SettingsError
from assistant.types import Film


class StoredFilm(Film):
    """A film whose pixels lie in a file; each access maps them anew, read-only."""

    __slots__ = ("_source",)
    _source: Path | np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        """The pixels as `Film` has them. Raises SettingsError where the file is gone."""
        if not isinstance(self._source, Path):  # of a changed copy, which is in memory
            return self._source
        try:
            return np.load(self._source, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise SettingsError(
                "The film is gone, as its session has ended; drop it again."
            ) from None

    @pixels.setter
    def pixels(self, source: Path | np.ndarray) -> None:  # pyright: ignore
        object.__setattr__(self, "_source", source)

    def is_in(self, folder: Path) -> bool:
        """Whether the pixels lie in this folder already."""
        return isinstance(self._source, Path) and self._source.parent == folder

    def delete(self) -> None:
        """Delete the pixels."""
        if isinstance(self._source, Path):
            self._source.unlink(missing_ok=True)


def store_film(film: Film, folder: Path) -> StoredFilm:
    """The film with its pixels in a file of the folder, mode 0600, under a random name."""
    if isinstance(film, StoredFilm) and film.is_in(folder):
        return film
    path = folder / f"{secrets.token_hex(16)}.npy"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        np.save(file, film.pixels, allow_pickle=False)
    return StoredFilm(
        path,  # type: ignore[arg-type]
        film.sha256,
        film.view,
        film.laterality,
        spacing_mm=film.spacing_mm,
        flags=film.flags,
        study=film.study,
        day=film.day,
    )
