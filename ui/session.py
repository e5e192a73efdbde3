"""What lies before one visitor: the studies of a session, shared with no other session."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from assistant.types import Answer, Film, Neighbour, Report, Study

MOST = 20  # studies that a session keeps; the oldest goes first


@dataclass(slots=True)
class OpenStudy:
    """One study on the desk, with all that was said of it."""

    number: int
    films: tuple[Film, ...]  # the one that is read comes first
    indication: str = ""
    prior_report: str = ""
    prior: tuple[Film, ...] = ()
    shown: int = 0  # which of the films, and of the prior's after them, is looked at
    report: Report | None = None
    near: tuple[Neighbour, ...] = ()  # the similar cases that are shown
    excluded: tuple[str, ...] = ()  # cases that no draft may use
    talk: tuple[Answer, ...] = ()
    painted: str = ""  # the prompt, where the film is a painting of this session
    failed: str = ""  # the sentence that says why there is no draft

    @property
    def all_films(self) -> tuple[Film, ...]:
        """The films of the study, then those of the prior."""
        return self.films + self.prior

    @property
    def film(self) -> Film:
        """The film that is looked at."""
        return self.all_films[self.shown]

    def study(self) -> Study:
        """The study as the assistant takes it."""
        prior = Study(self.prior, prior_report=self.prior_report) if self.prior else None
        return Study(self.films, self.indication, prior, self.prior_report)


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """A job that was asked for, on which study, and what stops it."""

    visit: int
    anyway: bool = False  # draft what the gate refuses, too
    stopped: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Session:
    """All studies of one session, and which of them is looked at."""

    visits: list[OpenStudy] = field(default_factory=list)
    at: int = -1  # the number of the study that is looked at; -1: none
    made: int = 0
    jobs: dict[str, list[DraftRequest]] = field(
        default_factory=dict
    )  # by kind, in the order asked for

    def request(self, job: str, anyway: bool = False) -> None:
        """Ask for a job on what is looked at; it can be stopped from now on, in line already."""
        self.jobs.setdefault(job, []).append(DraftRequest(self.at, anyway))

    def begin(self, job: str) -> DraftRequest | None:
        """The wish whose turn it is: of those in line the first; None where nothing is wished."""
        return next(iter(self.jobs.get(job, ())), None)

    def end(self, job: str) -> None:
        """Forget the job that has ended."""
        del self.jobs.get(job, [])[:1]

    def stop(self, job: str) -> None:
        """Stop all jobs of a kind, those in line too."""
        for wish in self.jobs.get(job, ()):
            wish.stopped.set()

    def find(self, number: int) -> OpenStudy | None:
        """The study of this number."""
        return next((visit for visit in self.visits if visit.number == number), None)

    @property
    def here(self) -> OpenStudy | None:
        """The study that is looked at."""
        return self.find(self.at)

    def put(
        self, films: tuple[Film, ...], indication: str = "", prior_report: str = ""
    ) -> OpenStudy:
        """Put a new study on the desk and look at it.

        What is typed beside it goes with it, where it was not told of the study before.
        """
        self.made += 1
        before = (self.here.indication, self.here.prior_report) if self.here else ("", "")
        typed = (indication or "", prior_report or "")
        why, prior = (now if now != then else "" for now, then in zip(typed, before, strict=True))
        visit = OpenStudy(self.made, films, why, prior)
        self.visits = [*self.visits, visit][-MOST:]
        self.at = visit.number
        return visit

    def select(self, number: int) -> None:
        """Look at another study; a number that is not there changes nothing."""
        if self.find(number):
            self.at = number

    def drop(self, number: int) -> None:
        """Take a study off the desk, with all that was said of it."""
        self.visits = [visit for visit in self.visits if visit.number != number]
        if self.at == number:
            self.at = self.visits[-1].number if self.visits else -1
