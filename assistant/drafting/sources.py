"""What a draft may be made of: a study, a film, or a file that holds one.

Knows no model. A file is opened here, or in another process by `assistant.drafting.prefetch`.
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
    name: str | None = None  # what an error calls the film; None: by its file's name


@dataclass(frozen=True, slots=True)
class FailedStudy:
    """A study that could not be drafted."""

    number: int  # which source it was, from 0
    why: str  # one sentence


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch: what its film is called, and what is drafted."""

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
        return Study((_film_of(source),), source.indication, prior_report=source.prior_report)
    film = source if isinstance(source, Film) else read_film(source)
    return Study((film,), indication, prior_report=prior_report)


def _film_of(unread: FileSource) -> Film:
    if isinstance(unread.file, bytes):
        return read_film_bytes(unread.file, unread.name or "film")
    if unread.name is None:
        return read_film(unread.file)
    try:
        with Path(unread.file).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise IntakeError(f'"{unread.name}" cannot be opened ({error.strerror}).') from None
    return read_film_bytes(data, unread.name)
