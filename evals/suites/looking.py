"""Does the writer look at the film? Drafts of the right film are compared with those of wrong ones.

A blank film, noise, another patient's film and the mirrored film must not get the draft of the
right film; a mirrored film must swap the sides; and wrong similar cases must not add errors. The
gate lets every film through, so that it cannot take the credit. Only drafts with a finding are
compared, and with a one-sided finding where the film is mirrored: two healthy patients may get
the same draft, and so may a large heart and its mirror image.
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
from evals.data.phantoms import as_film, film_of, make_phantoms
from evals.data.temporary_library import new_cases, temporary_library
from evals.results import Bar, Figure, PartResult, compute_figure

FILMS = 120
LIBRARY_CASES, CASES_PER_FILM = (
    300,
    10,
)  # cases whose reports are exchanged: in all, and for each film
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
    """Draft `n` held-out phantoms of site A, and again with wrong films or wrong cases."""
    count = FILMS if n is None else n
    test_phantoms = list(make_phantoms(seed, range(count)))
    films = [as_film(phantom) for phantom in test_phantoms]
    total = count * (len(WRONG) + 2)
    right_reports = _draft_films(assistant, films, on_progress, 0, total)
    findings = [_asserted_findings(report) for report in right_reports]
    wrong_films: dict[str, list[Film]] = {
        "blank": [film_of(np.zeros_like(films[0].pixels))] * count,
        "noise": [noise_film(seed, i, films[0].pixels.shape) for i in range(count)],
        "another patient's": [*films[1:], films[0]],
        "mirrored": [film_of(film.pixels[:, ::-1]) for film in films],
    }
    figures: dict[str, Figure] = {}
    for index, (kind, replaced) in enumerate(wrong_films.items(), start=1):
        reports = _draft_films(assistant, replaced, on_progress, index * count, total)
        pairs = zip(right_reports, reports, strict=True)
        compared = [_one_sided(claims) if kind == "mirrored" else claims for claims in findings]
        same_rows = [
            [_sentence_texts(a) == _sentence_texts(b), 1]
            for (a, b), t in zip(pairs, compared, strict=True)
            if t
        ]
        patients = [str(i) for i in range(count) if compared[i]]
        figures[SAME.format(kind)] = _share(same_rows, patients, count - len(same_rows))
        if kind == "mirrored":
            figures[SWAPPED] = _score_swapped(
                findings, [_asserted_findings(report) for report in reports]
            )
    figures[MISLED] = _score_misled(assistant, test_phantoms, films, seed, on_progress, total)
    return PartResult(figures, (), {}, f"{count} phantoms of site A, seed {seed}, split test")


def _draft_films(assistant: Assistant, films: Sequence[Film], on_progress, done: int, total: int):
    reports = []
    for report in assistant.draft_many(films, neighbours=0, anyway=True):
        reports.append(report)
        on_progress(done + len(reports), total)
    return reports


def _asserted_findings(report: Report) -> set[FindingSide]:
    """The findings that a draft asserts, with their sides."""
    assertions = [a for s in report.sentences for a in s.assertions if a.finding in FINDINGS]
    return finding_sides(assertions)


def _sentence_texts(report: Report) -> list[str]:
    """The text of every sentence of a draft, withheld ones too."""
    return [sentence.text for sentence in report.sentences]


def noise_film(seed: int, number: int, shape: tuple[int, ...]) -> Film:
    """A film of noise alone, by its number."""
    return film_of(np.random.default_rng([seed, 11, number]).random(shape))


def _score_swapped(
    findings: Sequence[set[FindingSide]], mirrored: Sequence[set[FindingSide]]
) -> Figure:
    """The share of one-sided findings that the mirrored film has on the other side only."""
    counts, patients = [], []
    for number, (before, after) in enumerate(zip(findings, mirrored, strict=True)):
        for finding, side in sorted(_one_sided(before), key=str):
            opposite = OTHER_SIDE[side or ""]
            counts.append([(finding, opposite) in after and (finding, side) not in after, 1])
            patients.append(str(number))
    return _share(counts, patients)


def _one_sided(claims: set[FindingSide]) -> set[FindingSide]:
    """The findings that are on one side only."""
    return {(f, s) for f, s in claims if s in OTHER_SIDE and (f, OTHER_SIDE[s]) not in claims}


def _score_misled(
    assistant: Assistant,
    test_phantoms: Sequence[Phantom],
    films: Sequence[Film],
    seed: int,
    on_progress,
    total,
) -> Figure:
    """The share of sentences that are false, unflagged and only there with wrong similar cases."""
    counts: list[list[int]] = []
    patients: list[str] = []
    drafts: list[list[Report]] = []
    count = min(LIBRARY_CASES, CASES_PER_FILM * len(films))
    training_phantoms = make_phantoms(seed, range(count), split="train")
    cases = list(new_cases(assistant, ((as_film(p), p.report) for p in training_phantoms)))
    order = np.random.default_rng(seed).permutation(len(cases))
    exchanged = [
        replace(case, report=cases[i].report) for case, i in zip(cases, order, strict=True)
    ]
    for shuffled, library_cases in ((False, cases), (True, exchanged)):
        with temporary_library(assistant, library_cases) as library:
            writer = Assistant(assistant.backbone, library)
            drafts.append(list(writer.draft_many(films, anyway=True)))
        on_progress(total - len(films) * (not shuffled), total)
    for number, (phantom, right_report, wrong_report) in enumerate(
        zip(test_phantoms, *drafts, strict=True)
    ):
        right_texts = {s.text for s in right_report.sentences}
        for sentence in wrong_report.sentences:
            misled = sentence.text not in right_texts and _shown_false(sentence, phantom)
            counts.append([misled, 1])
            patients.append(str(number))
    return _share(counts, patients)


def _shown_false(sentence: Sentence, phantom: Phantom) -> bool:
    """Whether a sentence is false for a phantom and bears no mark of risk."""
    truth = truth_assertions(phantom)
    is_wrong = any(is_false(claim, truth, complete=True) for claim in sentence.assertions)
    return is_wrong and sentence.action in (None, "keep")


def _share(counts: Sequence[Sequence[float]], patients: Sequence[str], unscored: int = 0) -> Figure:
    rows = np.array(counts, float).reshape(-1, 2)
    return compute_figure(rows, patients, ratio, unscored=unscored)
