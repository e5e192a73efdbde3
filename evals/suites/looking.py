"""Does the writer look at the film? Its drafts of the right film against those of wrong ones.

A blank film, noise, another patient's film and the mirrored film must not give the right film's
draft; a mirrored film must swap the sides; and wrong similar cases must not bring in errors. The
gate is told to let every film through, so that it cannot take the credit. Only drafts with a
finding count where drafts are compared, and with a one-sided one where the film is mirrored: that
two healthy patients get the same draft is right, and so is that of a large heart in a mirror.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import FINDINGS, Phantom, truth_assertions
from assistant.chest.places import OTHER_SIDE
from assistant.chest.truth_check import is_false
from assistant.types import Film, Report, Sentence
from evals.bootstrap import ratio
from evals.counting import FindingSide, finding_sides
from evals.data.phantoms import as_film, film_of, phantoms
from evals.data.temporary_library import new_cases, temporary_library
from evals.results import Bar, Figure, PartResult, figure

FILMS = 120
CASES, A_FILM = 300, 10  # of the library whose reports are exchanged: in all, and for each film
WRONG = ("blank", "noise", "another patient's", "mirrored")
SAME = "same draft for a film that is {} as for the right one"
SWAPPED = "one-sided findings that change sides with a mirrored film"
MISLED = "sentences that wrong similar cases turn into unflagged errors"
BARS = {
    **{SAME.format(kind): Bar("at most", 0.01) for kind in WRONG},
    SWAPPED: Bar("at least", 0.95),
    MISLED: Bar("at most", 0.02),
}


def measure(
    assistant: Assistant, *, n: int | None, seed: int, on_progress: Callable[[int, int], None]
) -> PartResult:
    """Draft `n` held-out phantoms of site A, and the same with what is wrong in place of it."""
    count = FILMS if n is None else n
    made = list(phantoms(seed, range(count)))
    films = [as_film(phantom) for phantom in made]
    total = count * (len(WRONG) + 2)
    right = _drafts(assistant, films, on_progress, 0, total)
    said = [_said(report) for report in right]
    wrong: dict[str, list[Film]] = {
        "blank": [film_of(np.zeros_like(films[0].pixels))] * count,
        "noise": [_noise(seed, i, films[0].pixels.shape) for i in range(count)],
        "another patient's": [*films[1:], films[0]],
        "mirrored": [film_of(film.pixels[:, ::-1]) for film in films],
    }
    figures: dict[str, Figure] = {}
    for at, (kind, others) in enumerate(wrong.items(), start=1):
        found = _drafts(assistant, others, on_progress, at * count, total)
        pairs = zip(right, found, strict=True)
        told = [_one_sided(one) if kind == "mirrored" else one for one in said]
        same = [[_words(a) == _words(b), 1] for (a, b), t in zip(pairs, told, strict=True) if t]
        people = [str(i) for i in range(count) if told[i]]
        figures[SAME.format(kind)] = _share(same, people, count - len(same))
        if kind == "mirrored":
            figures[SWAPPED] = _swapped(said, [_said(report) for report in found])
    figures[MISLED] = _misled(assistant, made, films, seed, on_progress, total)
    return PartResult(figures, (), {}, f"{count} phantoms of site A, seed {seed}, split test")


def _drafts(assistant: Assistant, films: Sequence[Film], on_progress, done: int, total: int):
    reports = []
    for report in assistant.draft_many(films, neighbours=0, anyway=True):
        reports.append(report)
        on_progress(done + len(reports), total)
    return reports


def _said(report: Report) -> set[FindingSide]:
    """The findings that a draft asserts, with their sides."""
    told = [a for s in report.sentences for a in s.assertions if a.finding in FINDINGS]
    return finding_sides(told)


def _words(report: Report) -> list[str]:
    """All that a draft says, what is withheld too."""
    return [sentence.text for sentence in report.sentences]


def _noise(seed: int, number: int, shape: tuple[int, ...]) -> Film:
    return film_of(np.random.default_rng([seed, 11, number]).random(shape))


def _swapped(said: Sequence[set[FindingSide]], mirrored: Sequence[set[FindingSide]]) -> Figure:
    """The share of findings, on one side only, that the mirrored film has on the other only."""
    counts, people = [], []
    for number, (before, after) in enumerate(zip(said, mirrored, strict=True)):
        for finding, side in sorted(_one_sided(before), key=str):
            other = OTHER_SIDE[side or ""]
            counts.append([(finding, other) in after and (finding, side) not in after, 1])
            people.append(str(number))
    return _share(counts, people)


def _one_sided(said: set[FindingSide]) -> set[FindingSide]:
    """The findings that are on one side only."""
    return {(f, s) for f, s in said if s in OTHER_SIDE and (f, OTHER_SIDE[s]) not in said}


def _misled(
    assistant: Assistant,
    made: Sequence[Phantom],
    films: Sequence[Film],
    seed: int,
    on_progress,
    total,
) -> Figure:
    """Sentences, false and unflagged, that a draft has with wrong similar cases only."""
    counts: list[list[int]] = []
    people: list[str] = []
    drafts: list[list[Report]] = []
    count = min(CASES, A_FILM * len(films))
    learnt = phantoms(seed, range(count), split="train")
    cases = list(new_cases(assistant, ((as_film(p), p.report) for p in learnt)))
    order = np.random.default_rng(seed).permutation(len(cases))
    exchanged = [
        replace(case, report=cases[i].report) for case, i in zip(cases, order, strict=True)
    ]
    for shuffled, known in ((False, cases), (True, exchanged)):
        with temporary_library(assistant, known) as library:
            told = Assistant(assistant.backbone, library)
            drafts.append(list(told.draft_many(films, anyway=True)))
        on_progress(total - len(films) * (not shuffled), total)
    for number, (phantom, right, wrong) in enumerate(zip(made, *drafts, strict=True)):
        before = {s.text for s in right.sentences}
        for sentence in wrong.sentences:
            bad = sentence.text not in before and _shown_false(sentence, phantom)
            counts.append([bad, 1])
            people.append(str(number))
    return _share(counts, people)


def _shown_false(sentence: Sentence, phantom: Phantom) -> bool:
    """Whether a sentence is false for a phantom and bears no mark of risk."""
    known = truth_assertions(phantom)
    wrong = any(is_false(claim, known, complete=True) for claim in sentence.assertions)
    return wrong and sentence.action in (None, "keep")


def _share(counts: Sequence[Sequence[float]], people: Sequence[str], unscored: int = 0) -> Figure:
    rows = np.array(counts, float).reshape(-1, 2)
    return figure(rows, people, ratio, unscored=unscored)
