"""The sources of a draft: a study, a film, or a file that holds one.

This module knows no model. Files are opened here, or in another process by
`assistant.drafting.prefetch`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.drafting.study_files import read_study_files
from assistant.errors import IntakeError
from assistant.intake import read_film, read_film_bytes
from assistant.types import Film, Study

FilmFile = str | os.PathLike[str] | bytes


@dataclass(frozen=True, slots=True)
class FileSource:
    """A study whose films are still files, or the bytes of some."""

    file: FilmFile
    indication: str = ""
    prior_report: str = ""
    name: str | None = None  # how errors name the film; None: by its file's name
    laterals: tuple[FilmFile, ...] = ()  # of the same study
    prior: tuple[FilmFile, ...] = ()  # earlier films of the patient


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


FilmInput = str | os.PathLike[str] | Film
Source = FilmInput | Study | FileSource | Sequence[FilmInput]


def as_study(
    source: Source,
    indication: str = "",
    prior_report: str = "",
    prior: FilmInput | Sequence[FilmInput] | None = None,
) -> Study:
    """A study from a study, a film, a file, a study's folder, or several of these; files are read.

    `prior` is an earlier film of the patient, in the same forms. Raises IntakeError for what
    cannot be read, and for films of which DICOM says that they are of several studies.
    """
    if isinstance(source, Study):
        study = source
    elif isinstance(source, FileSource):
        study = _read_source(source)
    else:
        films, notes = read_study_files(_as_list(source))
        study = Study(films, indication, prior_report=prior_report, notes=notes)
    if prior is not None:
        films, notes = read_study_files(_as_list(prior))
        earlier = study.prior or Study(())
        study = replace(study, prior=replace(earlier, films=films), notes=(*study.notes, *notes))
    if study.prior and study.prior.prior_report.strip() and not study.prior_report.strip():
        study = replace(study, prior_report=study.prior.prior_report)
    _check_study(study)
    return study


def _as_list(source: FilmInput | Sequence[FilmInput]) -> Sequence[FilmInput]:
    return [source] if isinstance(source, str | os.PathLike | Film) else source


def _check_study(study: Study) -> None:
    """Refuse a study without a film, and one whose films are of several; IntakeError."""
    if not study.films:
        raise IntakeError("The study has no film; give a frontal one.")
    for films, words in ((study.films, ""), (study.prior.films if study.prior else (), "prior ")):
        count = len({film.study for film in films if film.study is not None})
        if count > 1:
            raise IntakeError(
                f"The {words}films are of {count} studies, as their DICOM files state; give those "
                "of one, and an earlier film of the same patient as the prior."
            )


def _read_source(source: FileSource) -> Study:
    """The study of a file; a lateral or an earlier film that cannot be read is left out.

    That a film is a lateral is stated by its place, where its file states no view.
    """
    films = [_read_film(source.file, source.name)]
    prior_films: list[Film] = []
    notes = []
    for files, noun, read, view in (
        (source.laterals, "lateral film", films, "LATERAL"),
        (source.prior, "prior film", prior_films, None),
    ):
        for file in files:
            try:
                film = _read_film(file, f"{noun} of {source.name or 'the study'}")
                read.append(replace(film, view=film.view or view))
            except IntakeError as refusal:
                notes.append(f"A {noun} was not read: {str(refusal).rstrip('.')}.")
    prior = Study(tuple(prior_films)) if prior_films else None
    return Study(tuple(films), source.indication, prior, source.prior_report, tuple(notes))


def _read_film(file: FilmFile, name: str | None) -> Film:
    if isinstance(file, bytes):
        return read_film_bytes(file, name or "film")
    return read_film(file, name)
