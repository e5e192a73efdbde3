"""What a system must beat: reports that were written without looking at the film.

Two can be had from the pairs alone; others (the nearest neighbour's report, the base without its
adapter, the draft without retrieval) are handed in by whoever has the model. A system that is not
above one of them is told so in a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from evals.report.claims import finding_sides_claimed
from evals.report.clinical import Scored, present_with_side
from evals.results import FigureTable, figure_of

FREQUENT, PERMUTED = "most frequent report", "drafts of other cases"
COMPOSITE, SIDED = "composite", "present with side, micro-F1"
NOTES = {
    FREQUENT: "of the references themselves, in their own words; of equals, the one whose findings "
    "are the most frequent",
    PERMUTED: "the system's own outputs in a random order, none in its place",
}
Composite = Callable[[Scored], float]


def most_frequent(scored: Sequence[Scored]) -> str:
    """The reference that most cases have word for word, but for case and spaces.

    Of equals, as where each is unique, the first with the most frequent set of findings.
    """

    def words(one: Scored) -> str:
        return " ".join(one.reference.text.casefold().split())

    findings = [frozenset(finding_sides_claimed(one.reference.claims)) for one in scored]
    texts, sets = Counter(words(one) for one in scored), Counter(findings)
    best = max(range(len(scored)), key=lambda i: (texts[words(scored[i])], sets[findings[i]], -i))
    return scored[best].reference.text


def permuted(scored: Sequence[Scored], seed: int) -> list[str | None]:
    """Every case's output given to another case; None where there is no other."""
    if len(scored) < 2:
        return [None] * len(scored)
    # One cycle through all in a random order: nobody keeps their own.
    order = np.random.default_rng(seed).permutation(len(scored))
    given: list[str | None] = [None] * len(scored)
    for at, after in zip(order, np.roll(order, 1), strict=True):
        given[at] = scored[after].candidate.text
    return given


def baseline_figures(
    tally: FigureTable,
    system: Sequence[Scored],
    baselines: Mapping[str, Sequence[Scored | None]],
    patients: Sequence[str],
    unscored: int,
    ours: Sequence[float],
    composite: Composite,
) -> dict[str, str]:
    """Add how each baseline does, and how far the system is above it; return the notes.

    A baseline has for every pair of the system the same with its own candidate, or None where it
    has none. `ours` are the composite scores of the system. Differences are over the pairs that
    both have.
    """
    mine = [(value, present_with_side(one)) for value, one in zip(ours, system, strict=True)]
    notes: dict[str, str] = {}
    for name, theirs in baselines.items():
        both = [(a, b, p) for a, b, p in zip(mine, theirs, patients, strict=True) if b]
        people, missing = [p for _, _, p in both], unscored + len(system) - len(both)
        rows = [(a, (composite(b), present_with_side(b))) for a, b, _ in both]
        table: dict[str, tuple[Sequence[Sequence[float]], str]] = {
            _of(name, COMPOSITE): ([[b, 1] for _, (b, _) in rows], "mean"),
            _of(name, SIDED): ([b for _, (_, b) in rows], "f1"),
            _above(name, COMPOSITE): ([[a - b, 1] for (a, _), (b, _) in rows], "mean"),
            _above(name, SIDED): ([[*a, *b] for (_, a), (_, b) in rows], "f1_gain"),
        }
        for figure, (counts, statistic) in table.items():
            if not both:
                tally.figures[figure] = figure_of(None, 0, unscored=missing)
                continue
            tally.add(figure, counts, people, statistic, unscored=missing)
            low = tally.figures[figure]["ci_low"]
            if figure.startswith("baseline/system minus") and (low is None or low <= 0):
                notes[figure] = (
                    "the system does not beat this baseline: the interval is not above 0"
                )
        if name in NOTES:
            notes[_of(name, COMPOSITE)] = NOTES[name]
    return notes


def _of(name: str, measure: str) -> str:
    return f"baseline/{name}, {measure}"


def _above(name: str, measure: str) -> str:
    return f"baseline/system minus {name}, {measure}"
