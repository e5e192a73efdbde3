"""The risk of sentences: does it tell the false ones, is it calibrated, and what does it save?

The errors are the backbone's own, in its drafts of held-out phantoms: nothing is injected. A
sentence is false where any of its claims is (`assistant.chest.truth_check`); sentences of which
nothing is known, or that the risk model does not judge, are unscored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import Phantom, truth_assertions
from assistant.chest.places import sides_agree
from assistant.chest.truth_check import is_false
from assistant.claims import name_of, one_sided
from assistant.iterables import batched
from assistant.types import Assertion, Film, OnProgress, Report, Sentence, Study
from evals.bootstrap import auroc, bootstrap_rows, calibration_error, ratio
from evals.data.phantoms import as_film, phantoms
from evals.plot_data import reliability, risk_coverage
from evals.results import Bar, Figure, PartResult, figure, figure_of, median

FILMS, TIMED = 300, 9
SITES = {"A": "of site A", "B": "of site B, on which nothing was calibrated"}
SHOWN = "false sentences shown unflagged in 100 drafts"
REGION = "centre of the region inside the true lesion's box, site A"
COST = "time of a draft with all its evidence, over that without other drafts"
FEWER = "of these, times fewer than without the risk, site A"
BARS = {
    f"AUROC, {SITES['A']}": Bar("at least", 0.92),
    f"AUROC, {SITES['B']}": Bar("at least", 0.87),
    f"expected calibration error, {SITES['A']}": Bar("at most", 0.03),
    f"expected calibration error, {SITES['B']}": Bar("at most", 0.08),
    f"false among the kept, {SITES['A']}": Bar("at most", 0.06),
    f"share kept, {SITES['A']}": Bar("at least", 0.85),
    FEWER: Bar("at least", 5.0),
    REGION: Bar("at least", 0.80),
    COST: Bar("at most", 2.5),
}


@dataclass(frozen=True, slots=True)
class JudgedSentence:
    """One sentence of a draft of which it is known whether it is false."""

    film: str
    sentence: Sentence
    false: bool


def measure(
    assistant: Assistant, *, n: int | None, seed: int, on_progress: OnProgress
) -> PartResult:
    """Draft `n` held-out phantoms of each site and hold the risks against the truth."""
    count = FILMS if n is None else n
    figures: dict[str, Figure] = {}
    cases: list[dict] = []
    plots: dict[str, Mapping[str, Any]] = {}
    for site, words in SITES.items():
        rows: list[JudgedSentence] = []
        hits: list[tuple[str, bool]] = []
        silent = 0
        for block in batched(phantoms(seed, range(count), site)):
            studies = [Study((as_film(p),), p.indication) for p in block]
            reports = assistant.draft_many(studies, neighbours=0)
            for phantom, report in zip(block, reports, strict=True):
                found = _rows(f"{site}{len(cases)}", phantom, report)
                silent += len(report.sentences) - len(found)
                rows += found
                hits += [(f"{site}{len(cases)}", hit) for hit in _hits(phantom, report)]
                cases.append({"site": site, "false": sum(r.false for r in found)})
            on_progress(len(cases), len(SITES) * count)
        figures |= _figures(rows, silent, words, count)
        if site == "A":
            inside = np.array([[hit, 1] for _, hit in hits], float).reshape(-1, 2)
            figures[REGION] = figure(inside, [film for film, _ in hits], ratio)
        plots |= _plots(rows, site)
    figures[COST] = _cost(assistant, [as_film(p) for p in phantoms(seed, range(min(count, TIMED)))])
    material = f"{count} phantoms a site, seed {seed}, split test"
    return PartResult(figures, cases, {}, material, {}, plots)


def _plots(rows: Sequence[JudgedSentence], site: str) -> dict[str, Mapping[str, Any]]:
    risks, false = [r.sentence.risk for r in rows], [r.false for r in rows]
    return {
        f"reliability, site {site}": reliability(
            risks, false, title=f"Risk told and share that is false, site {site}"
        ),
        f"risk and coverage, site {site}": risk_coverage(
            risks, false, title=f"False among the sentences kept, least risky first, site {site}"
        ),
    }


def _rows(film: str, phantom: Phantom, report: Report) -> list[JudgedSentence]:
    known = truth_assertions(phantom)
    made = []
    for sentence in report.sentences:
        wrong = [is_false(claim, known, complete=True) for claim in sentence.assertions]
        if sentence.risk is not None and any(one is not None for one in wrong):
            made.append(JudgedSentence(film, sentence, any(wrong)))
    return made


def _cost(assistant: Assistant, films: Sequence[Film]) -> Figure:
    """How many times as long a draft takes with its evidence, film by film."""

    def seconds(film: Film, samples: int | None) -> float:
        started = time.perf_counter()
        assistant.draft(film, neighbours=0, samples=samples)
        return time.perf_counter() - started

    seconds(films[0], None)  # the first call of all pays for what is loaded late
    return median([seconds(film, None) / seconds(film, 0) for film in films])


def _hits(phantom: Phantom, report: Report) -> list[bool]:
    """Of each true claim that has a box: whether its centre lies in a box of such a lesion."""
    known = (*phantom.lesions, *phantom.distractors, *phantom.devices)
    found = {}
    for sentence in report.sentences:
        for claim, box in _boxed(sentence):
            there = [
                lesion
                for lesion in known
                if lesion.finding == claim.finding and sides_agree(claim.side, lesion.side)
            ]
            if there:
                found[claim.finding, claim.side] = any(_inside(box, one.mask) for one in there)
    return list(found.values())


def _boxed(sentence: Sentence) -> list[tuple[Assertion, tuple[float, float, float, float]]]:
    """The claims of a sentence with their boxes; the evidence names its claim in words."""
    return [
        (one, e.box)
        for claim in sentence.assertions
        for one in one_sided(claim)
        for e in sentence.evidence
        if e.box is not None and f" {name_of(one)} " in e.detail
    ]


def _inside(box: tuple[float, float, float, float], mask: np.ndarray) -> bool:
    """Whether the centre of a box, in parts of the film, lies in the box around a mask (H, W)."""
    rows, columns = np.nonzero(mask > 0)
    if not len(rows):
        return False
    x, y = (box[0] + box[2]) / 2 * mask.shape[1], (box[1] + box[3]) / 2 * mask.shape[0]
    across = columns.min() <= x <= columns.max() + 1
    return bool(across and rows.min() <= y <= rows.max() + 1)


def _figures(
    rows: Sequence[JudgedSentence], silent: int, words: str, films: int
) -> dict[str, Figure]:
    people = [r.film for r in rows]
    table = np.array([[r.sentence.risk, r.false] for r in rows], float).reshape(-1, 2)
    kept = [[r.false and r.sentence.action == "keep", r.sentence.action == "keep"] for r in rows]
    share = [[r.sentence.action == "keep", 1] for r in rows]
    false = [[r.false, 1] for r in rows]

    def of_rows(statistic) -> Figure:
        if not len(table):
            return figure_of(None, 0, unscored=silent)
        between = bootstrap_rows(table, people, statistic)
        return figure_of(statistic(table), len(table), between, unscored=silent)

    def of_counts(counts) -> Figure:
        return figure(np.array(counts, float).reshape(-1, 2), people, ratio, unscored=silent)

    figures = {
        f"AUROC, {words}": of_rows(auroc),
        f"expected calibration error, {words}": of_rows(calibration_error),
        f"false sentences, {words}": of_counts(false),
        f"false among the kept, {words}": of_counts(kept),
        f"share kept, {words}": of_counts(share),
    }
    if words == SITES["A"]:
        figures |= _saved(rows, silent, films)
    return figures


def _saved(rows: Sequence[JudgedSentence], silent: int, films: int) -> dict[str, Figure]:
    """False sentences that a reader sees without a mark, with the risk and without."""
    counts = {f"A{number}": [0, 0, 1] for number in range(films)}
    for row in rows:
        counts[row.film][0] += row.false
        counts[row.film][1] += row.false and row.sentence.action == "keep"
    table, people = np.array(list(counts.values()), float), list(counts)

    def of(statistic) -> Figure:
        return figure(table, people, statistic, unscored=silent)

    return {
        f"{SHOWN}, with the risk, site A": of(lambda c: 100 * c[1] / c[2]),
        f"{SHOWN}, without, site A": of(lambda c: 100 * c[0] / c[2]),
        FEWER: of(lambda c: ratio(c[:2])),
    }
