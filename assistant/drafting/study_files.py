"""The films of one study on disk: files, or a folder as an archive or a CD leaves it.

A folder may have subfolders, one for each series, and a DICOMDIR; whatever in it is no film is left
out. No sentence names a file of a folder, since its name may be a patient's. This module knows no
model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from assistant.errors import IntakeError, SettingsError
from assistant.intake import read_film
from assistant.types import Film
from retrieval.folders import TABLES, tables_of

MOST_FILMS = 8  # films of one study; each may take up 160 MB of memory
MOST_FILES = 100  # files in and below a study's folder
# Suffixes of files that are no films; any other file that cannot be read counts as a film.
NOT_FILMS = frozenset(
    (
        *(".csv", ".html", ".json", ".jsonl", ".log", ".md"),
        *(".parquet", ".toml", ".tsv", ".txt", ".xml", ".yaml"),
    )
)
_DIRECTORY = "DICOMDIR"  # the table of contents of a DICOM medium, PS3.10 8.6

FilmPath = str | os.PathLike[str]


def read_study_files(paths: Sequence[FilmPath | Film]) -> tuple[tuple[Film, ...], tuple[str, ...]]:
    """The films of files, folders and films, and a sentence on what was left out of a folder.

    Raises IntakeError for a file that cannot be read, a folder without a film, and for more films
    than one study has; SettingsError for a folder of several studies, or one that cannot be read.
    """
    films: list[Film] = []
    notes: list[str] = []
    for path in paths:
        if isinstance(path, Film):
            films.append(path)
        elif (folder := _folder_of(path)) is not None:
            found, left_out = _read_folder(folder)
            films += found
            notes += [left_out] if left_out else []
        else:
            films.append(read_film(path))
    if len(films) > MOST_FILMS:
        raise IntakeError(
            f"{len(films)} films are more than the {MOST_FILMS} of one study; draft those of "
            "several studies with `wetread batch`."
        )
    return tuple(films), tuple(notes)


def may_be_film(path: Path) -> bool:
    """Whether a file may be a film by its path in its folder: not hidden, and of no other kind."""
    return path.suffix.lower() not in NOT_FILMS and not any(part[0] == "." for part in path.parts)


def walk_films(folder: Path) -> Iterator[Path]:
    """The files in and below a folder that may be films, sorted by path.

    Raises SettingsError for a folder that cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:  # its name may be a patient's
        raise SettingsError(f"A folder of films cannot be read ({error.strerror}).") from None
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            if path.name[0] != ".":
                yield from walk_films(path)
        elif may_be_film(Path(path.name)) and path.is_file():
            yield path


def _folder_of(path: FilmPath) -> Path | None:
    """The folder that a path names, or that a DICOMDIR is of; None for any other file."""
    text = os.fspath(path)
    if os.path.isdir(text):  # noqa: PTH112 - Path.is_dir raises for a name that none can have
        return Path(text)
    is_directory = os.path.isfile(text) and Path(text).name.upper() == _DIRECTORY  # noqa: PTH113
    return Path(text).parent if is_directory else None


def _read_folder(folder: Path) -> tuple[list[Film], str]:
    """The films of a study's folder, and a sentence on its files that are none."""
    if tables_of(folder):
        raise SettingsError(
            f"The folder holds a table of films ({' or '.join(TABLES)}) and is no single study; "
            "draft it with `wetread batch`."
        )
    paths = []
    for path in walk_films(folder):
        if path.name.upper() != _DIRECTORY:
            paths.append(path)
        if len(paths) > MOST_FILES:
            raise SettingsError(
                f"The folder holds over {MOST_FILES} files and is no single study; draft those of "
                "several studies with `wetread batch`."
            )
    films: list[Film] = []
    refusals = []
    for number, path in enumerate(paths, start=1):
        if len(films) > MOST_FILMS:
            break
        try:
            films.append(read_film(path, f"file {number} of the folder"))
        except IntakeError as refusal:
            refusals.append(str(refusal))
    if not films:
        raise IntakeError(
            refusals[0]
            if refusals
            else "The folder holds no film; give a folder of DICOM, PNG, JPEG or TIFF files."
        )
    if not refusals:
        return films, ""
    count = f"{len(refusals)} of the folder's {len(paths)} files"
    first = refusals[0].rstrip(".")
    return films, f"{count} were left out; the first of them: {first}."
