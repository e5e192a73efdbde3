"""Baselines that a system must beat: reports that were written without looking at the film.

Two are made from the pairs alone; others (the nearest neighbour's report, the base without its
adapter, the draft without retrieval) are given by the caller, who has the model. A note says
where the system is not above a baseline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from evals.report.claims import collect_claims
from evals.report.clinical import ScoredPair, count_present_with_side
from evals.results import FigureTable, figure_of

FREQUENT, PERMUTED = "most frequent report", "drafts of other cases"
COMPOSITE, SIDED = "composite", "present with side, micro-F1"
NOTES = {
    FREQUENT: "of the references themselves, in their own words; of equals, the one whose findings "
    "are the most frequent",
    PERMUTED: "the system's own outputs in a random order, none in its place",
}
ScoreComposite = Callable[[ScoredPair], float]


def most_frequent_report_of(scored: Sequence[ScoredPair]) -> str:
    """The reference that most cases share word for word, ignoring case and spaces.

    Of equals, as where each is unique, the first with the most frequent set of findings.
    """

    def normalise_text(pair: ScoredPair) -> str:
        return " ".join(pair.reference.text.casefold().split())

    findings = [frozenset(collect_claims(pair.reference.claims)) for pair in scored]
    texts, sets = Counter(normalise_text(pair) for pair in scored), Counter(findings)
    best = max(
        range(len(scored)), key=lambda i: (texts[normalise_text(scored[i])], sets[findings[i]], -i)
    )
    return scored[best].reference.text


def permute_candidates(scored: Sequence[ScoredPair], seed: int) -> list[str | None]:
    """Give every case the output of another case; None where there is no other case."""
    if len(scored) < 2:
        return [None] * len(scored)
    # One cycle through all in a random order: nobody keeps their own.
    order = np.random.default_rng(seed).permutation(len(scored))
    candidates: list[str | None] = [None] * len(scored)
    for index, source in zip(order, np.roll(order, 1), strict=True):
        candidates[index] = scored[source].candidate.text
    return candidates


def add_baseline_figures(
    tally: FigureTable,
    system: Sequence[ScoredPair],
    baselines: Mapping[str, Sequence[ScoredPair | None]],
    patients: Sequence[str],
    unscored: int,
    scores: Sequence[float],
    score_composite: ScoreComposite,
) -> dict[str, str]:
    """Add the figures of each baseline and the system's margin over it; return the notes.

    A baseline has, for every pair of the system, the pair with its own candidate, or None where it
    has none. `scores` are the composite scores of the system. Margins are over the pairs that both
    have.
    """
    system_scores = [
        (value, count_present_with_side(pair)) for value, pair in zip(scores, system, strict=True)
    ]
    notes: dict[str, str] = {}
    for name, baseline_pairs in baselines.items():
        both = [
            (a, b, p) for a, b, p in zip(system_scores, baseline_pairs, patients, strict=True) if b
        ]
        kept_patients, missing = [p for _, _, p in both], unscored + len(system) - len(both)
        rows = [(a, (score_composite(b), count_present_with_side(b))) for a, b, _ in both]
        table: dict[str, tuple[Sequence[Sequence[float]], str]] = {
            _name_baseline(name, COMPOSITE): ([[b, 1] for _, (b, _) in rows], "mean"),
            _name_baseline(name, SIDED): ([b for _, (_, b) in rows], "f1"),
            _name_margin(name, COMPOSITE): ([[a - b, 1] for (a, _), (b, _) in rows], "mean"),
            _name_margin(name, SIDED): ([[*a, *b] for (_, a), (_, b) in rows], "f1_gain"),
        }
        for figure, (counts, statistic) in table.items():
            if not both:
                tally.figures[figure] = figure_of(None, 0, unscored=missing)
                continue
            tally.add(figure, counts, kept_patients, statistic, unscored=missing)
            low = tally.figures[figure]["ci_low"]
            if figure.startswith("baseline/system minus") and (low is None or low <= 0):
                notes[figure] = (
                    "the system does not beat this baseline: the interval is not above 0"
                )
        if name in NOTES:
            notes[_name_baseline(name, COMPOSITE)] = NOTES[name]
    return notes


def _name_baseline(name: str, measure: str) -> str:
    return f"baseline/{name}, {measure}"


def _name_margin(name: str, measure: str) -> str:
    return f"baseline/system minus {name}, {measure}"
