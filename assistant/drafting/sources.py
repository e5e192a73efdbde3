"""The sources of a draft: a study, a film, or a file that holds one.

This module knows no model. Files are opened here, or in another process by
`assistant.drafting.prefetch`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from assistant.intake import read_film, read_film_bytes
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
    """One row of a batch: what it is called, and what is drafted."""

    case: str  # the user's own word for it, or a hash; never the name of a file
    row: int  # as the manifest counts
    source: FileSource | Study | FailedStudy
    image: str = ""  # its path, where the user asks for it in the output; else empty

    @property
    def head(self) -> dict[str, str | int]:
        """The keys of its line that say which row it is."""
        head: dict[str, str | int] = {"case": self.case, "row": self.row}
        return {**head, "image": self.image} if self.image else head


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
    return read_film(source.file, source.name)
