"""Gates studies as wholes: which film is read, what is read beside it, and what is left out.

A study's films are sorted by what they show, a view that a file states going first, so that their
order does not matter. The best frontal is drafted; further frontals and laterals change what the
probe reads in it (`assistant.backbones.probe.study`); an earlier film is read for comparison.
Whatever is not read gets a sentence that says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from assistant.backbones.probe.study import merge_study
from assistant.backbones.protocols import Backbone, Encoded
from assistant.evidence.collect import PriorReading
from assistant.gate import LATERAL_VIEWS, GatedStudy, gate_studies, judge_pixels
from assistant.labeller.summary import probe_assertions
from assistant.types import Film, FilmUse, Gate, Study

_BEST_ANSWERS = ("pass", "unchecked", "warn", "refuse")
_FRONTAL_VIEWS = ("PA", "AP", None)  # as files state them, the best first
_FRONTAL, _CORRECTABLE, _LATERAL, _OTHER = range(4)
FRONTALS_ALONE = "this backbone has not learnt to read laterals"
OTHER_VIEW = "its file states a view that is neither frontal nor lateral"
OF_THE_STUDY = "it is a film of the study itself"
LATER = "its file dates it after the study; give an earlier film"
ONE_PRIOR = "of an earlier study one frontal film is read"


@dataclass(frozen=True, slots=True, eq=False)
class _SortedFilm:
    """A film with what its pixels show, before it is encoded."""

    film: Film
    gate: Gate

    @property
    def kind(self) -> int:
        """What it can be read as; the lower, the more it is a frontal."""
        if self.gate.view == "frontal":
            return _FRONTAL if self.gate.correction is None else _CORRECTABLE
        return _LATERAL if self.gate.view == "lateral" else _OTHER

    @property
    def key(self) -> tuple[int, int, bool, float, str]:
        """Films are sorted by it, the best frontal first."""
        view = self.film.view
        rank = _FRONTAL_VIEWS.index(view) if view in _FRONTAL_VIEWS else len(_FRONTAL_VIEWS)
        warned = self.gate.answer == "warn"
        return self.kind, rank, warned, -(self.gate.score or 0.0), self.film.sha256

    def use(self, note: str = "", *, prior: bool = False, read: bool = False) -> FilmUse:
        """What was made of it; `note` says why it was not read, as the end of a sentence."""
        film, kind = self.film, self.gate.view
        noun = f"{kind} film" if kind in ("frontal", "lateral") else "film"
        if note:
            subject = f"The {'prior ' if prior else ''}{noun} {film.sha256[:12]}"
            note = f"{subject} was not read: {note[0].lower()}{note[1:].rstrip('.')}."
        return FilmUse(film.sha256, film.view, kind, prior=prior, read=read, note=note)


@dataclass(frozen=True, slots=True, eq=False)
class _StudyPlan:
    """The films of one study by what is to be done with each."""

    study: Study
    frontals: tuple[_SortedFilm, ...]  # to be gated; the first of another kind where there is none
    others: tuple[_SortedFilm, ...] = ()
    priors: tuple[_SortedFilm, ...] = ()  # to be gated
    prior_uses: tuple[FilmUse, ...] = ()  # of earlier films that cannot be read

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but one film to read."""
        beside = (*self.frontals[1:], *self.others, *self.priors, *self.prior_uses)
        return not beside

    @property
    def singles(self) -> list[Study]:
        """The films to be gated, each as a study of its own."""
        if self.is_plain:
            return [self.study]
        return [Study((item.film,)) for item in (*self.frontals, *self.priors)]

    @property
    def laterals(self) -> list[_SortedFilm]:
        """The films that can be read as laterals."""
        return [f for f in self.others if f.kind == _LATERAL and not _is_oblique(f)]


def gate_whole_studies(
    backbone: Backbone,
    studies: Sequence[Study],
    *,
    correct: bool,
    anyway: bool,
    to_writer: bool = False,
) -> list[GatedStudy]:
    """Encode and judge studies, with all of their films and their earlier ones.

    The best frontal comes first in the result's study and is gated as `gate_studies` does; films
    that are there twice are dropped. `to_writer` says that the writer is given all films of a
    study, and not the first alone. A study of one film gives what `gate_studies` gives.
    """
    plans = [_plan_study(study, correct=correct) for study in studies]
    singles = [single for plan in plans for single in plan.singles]
    gated = iter(gate_studies(backbone, singles, correct=correct, anyway=anyway))
    weights = backbone.lateral_weights
    laterals = [] if weights is None else [f.film for plan in plans for f in plan.laterals]
    encoded = iter(backbone.encode(laterals) if laterals else ())
    whole = []
    for plan in plans:
        frontals = list(islice(gated, len(plan.frontals)))
        priors = list(islice(gated, len(plan.priors)))
        lateral_encodings = list(islice(encoded, len(plan.laterals) if laterals else 0))
        if plan.is_plain:
            whole.append(frontals[0])
            continue
        laterals_read = to_writer or weights is not None
        merger = _Merger(plan, frontals, lateral_encodings, laterals_read=laterals_read)
        whole.append(merger.merge(weights, priors))
    return whole


def read_priors(
    backbone: Backbone, encodings: Sequence[Encoded | None]
) -> list[PriorReading | None]:
    """What the probe reads in earlier films; None where there is no film or no probe."""
    films = [encoding for encoding in encodings if encoding is not None]
    outputs = backbone.probe_details(films) if films else None
    findings = backbone.probe_encoded(films) if films else None
    if outputs is None or findings is None:
        return [None] * len(encodings)
    claims = (probe_assertions(found) for found in findings)
    readings = map(PriorReading, outputs, claims)
    return [None if encoding is None else next(readings) for encoding in encodings]


def sort_films(films: Iterable[Film]) -> list[_SortedFilm]:
    """The films without repeats, the best frontal first, whatever their order."""
    unique = {film.sha256: film for film in films}
    found = [_SortedFilm(film, judge_pixels(film)) for film in unique.values()]
    return sorted(found, key=lambda item: item.key)


def _is_oblique(item: _SortedFilm) -> bool:
    """Whether a film states a view that is neither frontal nor lateral.

    That a lateral states PA is common, and not believed: a third of those of Open-i do.
    """
    return item.film.view not in (*_FRONTAL_VIEWS, *LATERAL_VIEWS)


def _plan_study(study: Study, *, correct: bool) -> _StudyPlan:
    unique = {film.sha256: film for film in study.films}
    prior_films = study.prior.films if study.prior else ()
    if len(unique) == 1 and not prior_films:  # as nearly always: there is nothing to sort
        (film,) = unique.values()
        single = replace(study, films=(film,)) if len(study.films) > 1 else study
        return _StudyPlan(single, (_SortedFilm(film, Gate("unchecked", "")),))
    last = _CORRECTABLE if correct else _FRONTAL
    films = sort_films(study.films)
    count = max(1, sum(item.kind <= last for item in films))
    days = [film.day for film in study.films if film.day is not None]
    priors: list[_SortedFilm] = []
    uses: list[FilmUse] = []
    for item in sort_films(prior_films):
        if item.film.sha256 in unique:
            uses.append(item.use(OF_THE_STUDY, prior=True))
        elif days and item.film.day is not None and item.film.day > max(days):
            uses.append(item.use(LATER, prior=True))
        elif item.kind > last:
            beside = priors and item.kind == _LATERAL
            uses.append(item.use(ONE_PRIOR if beside else item.gate.reason, prior=True))
        else:
            priors.append(item)
    return _StudyPlan(study, tuple(films[:count]), tuple(films[count:]), tuple(priors), tuple(uses))


@dataclass(frozen=True, slots=True, eq=False)
class _Merger:
    """Puts a study together again, once its films are gated."""

    plan: _StudyPlan
    frontals: list[GatedStudy]  # as `plan.frontals`
    laterals: list[Encoded]  # as `plan.laterals`, where the probe reads them
    laterals_read: bool

    def merge(self, weights: np.ndarray | None, priors: Sequence[GatedStudy]) -> GatedStudy:
        """The study with its best frontal first, its merged encoding and its earlier film."""
        plan, best_first = self.plan, _best_first(self.plan.frontals, self.frontals)
        (first, first_gated), *further = best_first
        notes = [_why_not_read(item, gated, first_gated) for item, gated in further]
        read = [first_gated, *(g for (_, g), note in zip(further, notes, strict=True) if not note)]
        merged = first_gated.encoded
        uses = [first.use(read=first_gated.passed)]
        if first_gated.passed:
            encodings = [gated.encoded for gated in read]
            merged = merge_study(encodings, self.laterals, weights)
            pairs = zip(further, notes, strict=True)
            uses += [item.use(note, read=not note) for (item, _), note in pairs]
            uses += [self._use_of_other(item) for item in plan.others]
        else:
            uses += [item.use() for item in (*(item for item, _ in further), *plan.others)]
        prior, prior_uses = _read_prior(plan, priors if first_gated.passed else ())
        others = [item.film for item in plan.others]
        study = replace(
            plan.study,
            films=(*(gated.study.films[0] for _, gated in best_first), *others),
            prior=_keep_prior(plan.study.prior, prior),
        )
        shown = [gated.study.films[0] for gated in read] + [item.film for item in plan.laterals]
        encoded = replace(merged, study=replace(study, films=tuple(shown)))
        return replace(
            first_gated,
            study=study,
            encoded=encoded,
            prior=prior,
            uses=(*uses, *prior_uses) if first_gated.passed else tuple(uses),
        )

    def _use_of_other(self, item: _SortedFilm) -> FilmUse:
        if item.kind != _LATERAL:
            return item.use(item.gate.reason)
        if _is_oblique(item):
            return item.use(OTHER_VIEW)
        return item.use(read=True) if self.laterals_read else item.use(FRONTALS_ALONE)


def _best_first(
    items: Sequence[_SortedFilm], gated: Sequence[GatedStudy]
) -> list[tuple[_SortedFilm, GatedStudy]]:
    """The films with what the whole gate says of them, the best one first."""
    pairs = list(zip(items, gated, strict=True))
    return sorted(pairs, key=lambda p: (_BEST_ANSWERS.index(p[1].gate.answer), p[0].key))


def _why_not_read(item: _SortedFilm, gated: GatedStudy, first: GatedStudy) -> str:
    """Why a further frontal is not read; empty where it is."""
    answers = (gated.gate.answer, first.gate.answer)
    if answers[0] == "refuse" or _BEST_ANSWERS.index(answers[0]) > _BEST_ANSWERS.index(answers[1]):
        return gated.gate.reason
    return "" if item.film.view in _FRONTAL_VIEWS else OTHER_VIEW


def _read_prior(
    plan: _StudyPlan, gated: Sequence[GatedStudy]
) -> tuple[Encoded | None, list[FilmUse]]:
    """The encoding of the earlier film to compare with, and what was made of the others."""
    if not gated:
        return None, list(plan.prior_uses)
    (first, best), *rest = _best_first(plan.priors, gated)
    passed = best.gate.answer in ("pass", "unchecked")
    uses = [first.use("" if passed else best.gate.reason, prior=True, read=passed)]
    uses += [item.use(ONE_PRIOR, prior=True) for item, _ in rest]
    return best.encoded if passed else None, [*uses, *plan.prior_uses]


def _keep_prior(prior: Study | None, encoded: Encoded | None) -> Study | None:
    """The earlier study with the film of it that is read."""
    if prior is None:
        return None
    return replace(prior, films=encoded.study.films if encoded else ())
