"""The same figures for groups of patients, by sex, age group and view, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from evals.bootstrap import ratio
from evals.data.real_films import FilmRecord
from evals.films.findings import is_probed, mean_of_findings
from evals.films.labels import KnownFindings
from evals.films.readings import FilmReading
from evals.films.reports import count_claims, first_films
from evals.films.sentences import score_sentences
from evals.plot_data import Plot, bar_plot
from evals.results import Figure, FigureTable, compute_figure

GROUPS: tuple[tuple[str, Callable[[FilmRecord], str]], ...] = (
    ("sex", lambda record: record.sex),
    ("age", lambda record: record.age),
    ("view", lambda record: record.view),
)
MEAN, CLAIMS, PASSED, FALSE_KEPT = (
    "mean AUROC",
    "present with side, micro-F1",
    "passed by the gate",
    "false among the kept",
)
NOTE = "mean over the findings of the whole mean; in a group of few films some have no positive"


def score_groups(
    records: Sequence[FilmRecord],
    readings: Sequence[FilmReading | None],
    known: KnownFindings | None,
    least: int,
) -> tuple[FigureTable, dict[str, str], dict[str, Plot]]:
    """Score each group that holds a film; who is of no known group is one, too."""
    tally = FigureTable()
    by_group: dict[str, Figure] = {}
    findings = [] if known is None else [
        f for f in known.findings
        if is_probed(readings, f) and np.nansum(known.column_of(f)) >= least
    ]  # fmt: skip
    for group, numbers in _members_of(records):
        members, own = [records[n] for n in numbers], [readings[n] for n in numbers]
        patients = [record.patient for record in members]
        if known is not None:
            part = KnownFindings(
                known.source, known.findings, tuple(known.known[n] for n in numbers)
            )
            mean = mean_of_findings(own, part, patients, findings)
            tally.figures[f"{MEAN} {known.source}, {group}"] = by_group[group] = mean
        _add_gate(tally, group, own, patients)
        _add_drafts(tally, group, members, own)
    plots = {"groups": bar_plot("Mean AUROC by group", "AUROC", by_group)} if by_group else {}
    notes = {} if known is None else {f"{MEAN} {known.source}": NOTE}
    return tally, notes, plots


def _members_of(records: Sequence[FilmRecord]) -> Iterator[tuple[str, list[int]]]:
    for name, group_of in GROUPS:
        members: dict[str, list[int]] = {}
        for number, record in enumerate(records):
            members.setdefault(group_of(record), []).append(number)
        for group in sorted(members):
            yield f"{name} {group}", members[group]


def _add_gate(
    tally: FigureTable,
    group: str,
    readings: Sequence[FilmReading | None],
    patients: Sequence[str],
) -> None:
    rows = [(r.gate == "pass", p) for r, p in zip(readings, patients, strict=True) if r is not None]
    counts = np.array([[passed, 1] for passed, _ in rows], float).reshape(-1, 2)
    tally.figures[f"{PASSED}, {group}"] = compute_figure(
        counts, [p for _, p in rows], ratio, unscored=len(readings) - len(rows)
    )


def _add_drafts(
    tally: FigureTable,
    group: str,
    records: Sequence[FilmRecord],
    readings: Sequence[FilmReading | None],
) -> None:
    """Claims and risk, where the films have reports and were drafted."""
    studies = first_films(records)
    rows = [(count_claims(records[n], r), records[n].patient) for n in studies
            if (r := readings[n]) is not None and r.sentences is not None]  # fmt: skip
    if not rows:
        return
    tally.add(
        f"{CLAIMS}, {group}",
        [counts for counts, _ in rows],
        [patient for _, patient in rows],
        "f1",
        unscored=len(studies) - len(rows),
    )
    scores = score_sentences(records, readings)
    tally.figures[f"{FALSE_KEPT}, {group}"] = scores.figures[FALSE_KEPT]
