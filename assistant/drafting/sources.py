"""The sources of a draft: a study, a film, or a file that holds one.

This module knows no model. Files are opened here, or in another process by
`assistant.drafting.prefetch`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import IntakeError
from assistant.intake import MAX_BYTES, read_film, read_film_bytes
from assistant.types import Film, Study


@dataclass(frozen=True, slots=True)
class FileSource:
    """A study whose film is still a file, or the bytes of one."""

    file: str | os.PathLike[str] | bytes
    indication: str = ""
    prior_report: str = ""
    name: str | None = None  # how errors name the film; None: by its file's name


@dataclass(frozen=True, slots=True)
class FailedStudy:
    """A study that could not be drafted."""

    number: int  # of its source, counted from 0
    reason: str  # one sentence


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch: the film's name, and what is drafted."""

    image: str
    source: FileSource | Study | FailedStudy


Source = str | os.PathLike | Film | Study | FileSource


def as_study(source: Source, indication: str = "", prior_report: str = "") -> Study:
    """A study from a study, a film or a file; the file is read here.

    Raises IntakeError for a film that cannot be read.
    """
    if isinstance(source, Study):
        return source
    if isinstance(source, FileSource):
        return Study((_read_source(source),), source.indication, prior_report=source.prior_report)
    film = source if isinstance(source, Film) else read_film(source)
    return Study((film,), indication, prior_report=prior_report)


def _read_source(source: FileSource) -> Film:
    if isinstance(source.file, bytes):
        return read_film_bytes(source.file, source.name or "film")
    if source.name is None:
        return read_film(source.file)
    try:
        with Path(source.file).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise IntakeError(f'"{source.name}" cannot be opened ({error.strerror}).') from None
    return read_film_bytes(data, source.name)
