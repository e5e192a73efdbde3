"""The risk of sentences: does it find the false ones, is it calibrated, and what does it save?

The errors are the backbone's own, in its drafts of held-out phantoms: none is injected. A
sentence is false if any of its claims is (`assistant.chest.truth_check`); sentences that the
truth neither confirms nor denies, or that the risk model does not judge, are unscored.
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
from assistant.claims import name_of, split_sides
from assistant.iterables import batched
from assistant.types import Assertion, Film, OnProgress, Report, Sentence, Study
from evals.bootstrap import auroc, bootstrap_rows, calibration_error, ratio
from evals.data.phantoms import as_film, make_phantoms
from evals.plot_data import reliability_plot, risk_coverage_plot
from evals.results import Bar, Figure, PartResult, compute_figure, figure_of, median_of

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
    """One sentence of a draft, and whether it is false."""

    film: str
    sentence: Sentence
    false: bool


def measure(
    assistant: Assistant, *, n: int | None, seed: int, on_progress: OnProgress
) -> PartResult:
    """Draft `n` held-out phantoms of each site and score the risks against the truth."""
    count = FILMS if n is None else n
    figures: dict[str, Figure] = {}
    cases: list[dict] = []
    plots: dict[str, Mapping[str, Any]] = {}
    for site, site_words in SITES.items():
        rows: list[JudgedSentence] = []
        hits: list[tuple[str, bool]] = []
        unscored = 0
        for block in batched(make_phantoms(seed, range(count), site)):
            studies = [Study((as_film(p),), p.indication) for p in block]
            reports = assistant.draft_many(studies, neighbours=0)
            for phantom, report in zip(block, reports, strict=True):
                judged = _judge_report(f"{site}{len(cases)}", phantom, report)
                unscored += len(report.sentences) - len(judged)
                rows += judged
                hits += [(f"{site}{len(cases)}", hit) for hit in _region_hits(phantom, report)]
                cases.append({"site": site, "false": sum(r.false for r in judged)})
            on_progress(len(cases), len(SITES) * count)
        figures |= _figures(rows, unscored, site_words, count)
        if site == "A":
            region_rows = np.array([[hit, 1] for _, hit in hits], float).reshape(-1, 2)
            figures[REGION] = compute_figure(region_rows, [film for film, _ in hits], ratio)
        plots |= _make_plots(rows, site)
    figures[COST] = _draft_cost(
        assistant, [as_film(p) for p in make_phantoms(seed, range(min(count, TIMED)))]
    )
    material = f"{count} phantoms a site, seed {seed}, split test"
    return PartResult(figures, cases, {}, material, {}, plots)


def _make_plots(rows: Sequence[JudgedSentence], site: str) -> dict[str, Mapping[str, Any]]:
    risks, false = [r.sentence.risk for r in rows], [r.false for r in rows]
    return {
        f"reliability, site {site}": reliability_plot(
            risks, false, title=f"Risk told and share that is false, site {site}"
        ),
        f"risk and coverage, site {site}": risk_coverage_plot(
            risks, false, title=f"False among the sentences kept, least risky first, site {site}"
        ),
    }


def _judge_report(film: str, phantom: Phantom, report: Report) -> list[JudgedSentence]:
    truth = truth_assertions(phantom)
    judged = []
    for sentence in report.sentences:
        verdicts = [is_false(claim, truth, complete=True) for claim in sentence.assertions]
        if sentence.risk is not None and any(verdict is not None for verdict in verdicts):
            judged.append(JudgedSentence(film, sentence, any(verdicts)))
    return judged


def _draft_cost(assistant: Assistant, films: Sequence[Film]) -> Figure:
    """The time of a draft with all its evidence over that without samples, film by film."""

    def seconds(film: Film, samples: int | None) -> float:
        started = time.perf_counter()
        assistant.draft(film, neighbours=0, samples=samples)
        return time.perf_counter() - started

    seconds(films[0], None)  # the first call of all pays for what is loaded late
    return median_of([seconds(film, None) / seconds(film, 0) for film in films])


def _region_hits(phantom: Phantom, report: Report) -> list[bool]:
    """For each true claim with a box: whether its centre lies in the box of such a lesion."""
    lesions = (*phantom.lesions, *phantom.distractors, *phantom.devices)
    hits = {}
    for sentence in report.sentences:
        for claim, box in _boxed_claims(sentence):
            matching = [
                lesion
                for lesion in lesions
                if lesion.finding == claim.finding and sides_agree(claim.side, lesion.side)
            ]
            if matching:
                hits[claim.finding, claim.side] = any(
                    _is_inside(box, lesion.mask) for lesion in matching
                )
    return list(hits.values())


def _boxed_claims(sentence: Sentence) -> list[tuple[Assertion, tuple[float, float, float, float]]]:
    """The claims of a sentence with their boxes; the evidence names its claim in words."""
    return [
        (side_claim, e.box)
        for claim in sentence.assertions
        for side_claim in split_sides(claim)
        for e in sentence.evidence
        if e.box is not None and f" {name_of(side_claim)} " in e.detail
    ]


def _is_inside(box: tuple[float, float, float, float], mask: np.ndarray) -> bool:
    """Whether the centre of a box, in parts of the film, lies in the box around a mask (H, W)."""
    rows, columns = np.nonzero(mask > 0)
    if not len(rows):
        return False
    x, y = (box[0] + box[2]) / 2 * mask.shape[1], (box[1] + box[3]) / 2 * mask.shape[0]
    across = columns.min() <= x <= columns.max() + 1
    return bool(across and rows.min() <= y <= rows.max() + 1)


def _figures(
    rows: Sequence[JudgedSentence], unscored: int, site_words: str, films: int
) -> dict[str, Figure]:
    patients = [r.film for r in rows]
    table = np.array([[r.sentence.risk, r.false] for r in rows], float).reshape(-1, 2)
    kept_rows = [
        [r.false and r.sentence.action == "keep", r.sentence.action == "keep"] for r in rows
    ]
    share_rows = [[r.sentence.action == "keep", 1] for r in rows]
    false_rows = [[r.false, 1] for r in rows]

    def score_table(statistic) -> Figure:
        if not len(table):
            return figure_of(None, 0, unscored=unscored)
        interval = bootstrap_rows(table, patients, statistic)
        return figure_of(statistic(table), len(table), interval, unscored=unscored)

    def score_counts(counts) -> Figure:
        return compute_figure(
            np.array(counts, float).reshape(-1, 2), patients, ratio, unscored=unscored
        )

    figures = {
        f"AUROC, {site_words}": score_table(auroc),
        f"expected calibration error, {site_words}": score_table(calibration_error),
        f"false sentences, {site_words}": score_counts(false_rows),
        f"false among the kept, {site_words}": score_counts(kept_rows),
        f"share kept, {site_words}": score_counts(share_rows),
    }
    if site_words == SITES["A"]:
        figures |= _count_saved(rows, unscored, films)
    return figures


def _count_saved(rows: Sequence[JudgedSentence], unscored: int, films: int) -> dict[str, Figure]:
    """Count the false sentences that a reader sees unmarked, with the risk and without."""
    counts = {f"A{number}": [0, 0, 1] for number in range(films)}
    for row in rows:
        counts[row.film][0] += row.false
        counts[row.film][1] += row.false and row.sentence.action == "keep"
    table, patients = np.array(list(counts.values()), float), list(counts)

    def score_counts(statistic) -> Figure:
        return compute_figure(table, patients, statistic, unscored=unscored)

    return {
        f"{SHOWN}, with the risk, site A": score_counts(lambda c: 100 * c[1] / c[2]),
        f"{SHOWN}, without, site A": score_counts(lambda c: 100 * c[0] / c[2]),
        FEWER: score_counts(lambda c: ratio(c[:2])),
    }
