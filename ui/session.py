"""The state of one visitor: the open studies of a session, shared with no other session."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from assistant.errors import SettingsError
from assistant.types import Answer, Film, Neighbour, Report, Study
from ui.film_store import StoredFilm, store_film
from ui.web.folders import check_space
from ui.web.limits import Limits

MAX_STUDIES = 20  # studies that a session keeps; the oldest goes first


@dataclass(slots=True)
class OpenStudy:
    """One study of a session with its draft, its similar cases and its answers."""

    number: int
    films: tuple[Film, ...]  # the one that is drafted comes first
    indication: str = ""
    prior_report: str = ""
    prior: tuple[Film, ...] = ()
    film_index: int = 0  # which of `all_films` is shown
    report: Report | None = None
    neighbours: tuple[Neighbour, ...] = ()  # the similar cases shown
    excluded_cases: tuple[str, ...] = ()  # cases that no draft may use
    answers: tuple[Answer, ...] = ()
    painting_prompt: str = ""  # where the film was painted in this session
    failure: str = ""  # one sentence: why there is no draft

    @property
    def all_films(self) -> tuple[Film, ...]:
        """The films of the study, then those of the prior."""
        return self.films + self.prior

    @property
    def film(self) -> Film:
        """The film that is shown."""
        return self.all_films[self.film_index]

    @property
    def compared_films(self) -> tuple[Film, ...]:
        """The prior films that the draft was compared with."""
        prior = self.report.study.prior if self.report else None
        return prior.films if prior else ()

    def to_study(self) -> Study:
        """The study as input of the assistant."""
        prior = Study(self.prior, prior_report=self.prior_report) if self.prior else None
        return Study(self.films, self.indication, prior, self.prior_report)


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """A requested job: its study, its option, and the event that stops it."""

    study_number: int
    anyway: bool = False  # draft a film that the gate refuses, too
    stopped: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Session:
    """The studies of one session, and which of them is shown.

    Its films lie in a folder of its own in `home`; without a home they stay in memory.
    """

    home: Path | None = None
    limits: Limits = field(default_factory=Limits)
    folder: Path | None = None
    ended: bool = False
    studies: list[OpenStudy] = field(default_factory=list)
    current_number: int = -1  # the number of the study that is shown; -1: none
    last_number: int = 0  # of the study opened last
    # The requested jobs by kind, in the order of their requests.
    jobs: dict[str, list[DraftRequest]] = field(default_factory=dict)

    def request(self, job: str, anyway: bool = False) -> None:
        """Queue a job on the current study; it can be stopped from now on."""
        self.jobs.setdefault(job, []).append(DraftRequest(self.current_number, anyway))

    def begin(self, job: str) -> DraftRequest | None:
        """The first request in the queue of a kind; None where there is none."""
        return next(iter(self.jobs.get(job, ())), None)

    def end(self, job: str) -> None:
        """Remove the job that has ended."""
        del self.jobs.get(job, [])[:1]

    def stop(self, job: str) -> None:
        """Stop all jobs of a kind, queued ones too."""
        for request in self.jobs.get(job, ()):
            request.stopped.set()

    def find(self, number: int) -> OpenStudy | None:
        """The study of this number."""
        return next((study for study in self.studies if study.number == number), None)

    @property
    def current(self) -> OpenStudy | None:
        """The study that is shown."""
        return self.find(self.current_number)

    def open_study(
        self, films: tuple[Film, ...], indication: str = "", prior_report: str = ""
    ) -> OpenStudy:
        """Open a new study and show it.

        The texts typed beside the film belong to it unless they are those of the study before.
        """
        self.last_number += 1
        before = self.current
        previous = (before.indication, before.prior_report) if before else ("", "")
        typed = (indication or "", prior_report or "")
        texts = [new if new != old else "" for new, old in zip(typed, previous, strict=True)]
        films = tuple(self.keep(film) for film in films)
        study = OpenStudy(self.last_number, films, indication=texts[0], prior_report=texts[1])
        self.studies = [*self.studies, study]
        for old in self.studies[:-MAX_STUDIES]:
            self.close_study(old.number)
        self.current_number = study.number
        return study

    def keep(self, film: Film) -> Film:
        """The film with its pixels on disk. Raises SettingsError where there is no room."""
        if self.home is None:
            return film
        folder = self.make_folder()
        check_space(folder, film.pixels.nbytes, self.limits.session_bytes, self.limits.free_bytes)
        return store_film(film, folder)

    def keep_report(self, study: OpenStudy, report: Report) -> None:
        """Keep a study's new report, and the films as it has them: in its order, corrected."""
        films = tuple(self.keep(film) for film in report.study.films)
        delete_films(film for film in study.compared_films if film not in study.prior)
        study.report = replace(report, study=replace(report.study, films=films))
        self.replace_films(study, films)

    def replace_prior(self, study: OpenStudy, films: tuple[Film, ...]) -> None:
        """Give a study another prior film; one that its draft was compared with stays for that."""
        delete_films(film for film in study.prior if film not in study.compared_films)
        study.prior = films

    def replace_films(self, study: OpenStudy, films: tuple[Film, ...]) -> None:
        """Replace a study's films, and delete those that it no longer has."""
        delete_films(film for film in study.films if film not in films)
        study.films = films

    def make_folder(self) -> Path:
        """The session's own folder, with mode 0700 and a random name."""
        if self.ended:  # a job of it may still run
            raise SettingsError("The session has ended; reload the page.")
        if self.folder is None or not self.folder.exists():
            self.folder = Path(tempfile.mkdtemp(dir=self.home))
        return self.folder

    def delete_all(self) -> None:
        """End the session: delete what it has on disk, and store no more."""
        self.ended = True
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def select(self, number: int) -> None:
        """Show another study; an unknown number changes nothing."""
        if self.find(number):
            self.current_number = number

    def close_study(self, number: int) -> None:
        """Close a study with its films, its draft and its answers."""
        for study in self.studies:
            if study.number == number:
                delete_films(study.all_films)
        self.studies = [study for study in self.studies if study.number != number]
        if self.current_number == number:
            self.current_number = self.studies[-1].number if self.studies else -1


def delete_films(films: Iterable[Film]) -> None:
    """Delete the pixels of films that are on disk."""
    for film in films:
        if isinstance(film, StoredFilm):
            film.delete()
