"""What a lateral film adds: the same studies read from the frontal alone, and whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals.data.real_films import FilmRecord
from evals.films.findings import is_probed, mean_of_findings
from evals.films.labels import KnownFindings
from evals.films.readings import FilmReading
from evals.films.reports import count_claims, first_films
from evals.results import FigureTable

ALONE, WHOLE, GAIN = "frontal alone", "frontal with lateral", "gain by the lateral"
CLAIMS = "present with side, micro-F1"
CLAIMS_GAIN = f"{CLAIMS}, {GAIN}"
NONE_THERE = "no study of these films has a lateral; name a table of laterals with --laterals"
NOT_READ = "this backbone reads the frontal alone: what it gives is the same with a lateral"


def pair_with_laterals(
    records: Sequence[FilmRecord], laterals: Sequence[FilmRecord]
) -> list[tuple[int, FilmRecord]]:
    """The number of the first film of each study with the study's first lateral."""
    by_study: dict[str, FilmRecord] = {}
    for lateral in laterals:
        by_study.setdefault(lateral.study, lateral)
    first: dict[str, int] = {}
    for number, record in enumerate(records):
        first.setdefault(record.study, number)
    return [(n, by_study[study]) for study, n in first.items() if study in by_study]


def score_views(
    records: Sequence[FilmRecord],
    alone: Sequence[FilmReading | None],
    whole: Sequence[FilmReading | None],
    known: KnownFindings | None,
    least: int,
) -> FigureTable:
    """Score studies that were read both ways; all three sequences belong together."""
    tally = FigureTable()
    patients = [record.patient for record in records]
    if known is not None:
        findings = [
            f for f in known.findings
            if is_probed(alone, f) and np.nansum(known.column_of(f)) >= least
        ]  # fmt: skip
        for name, readings in ((ALONE, alone), (WHOLE, whole)):
            mean = mean_of_findings(readings, known, patients, findings)
            tally.figures[f"mean AUROC {known.source}, {name}"] = mean
    rows = [
        (count_claims(records[n], a), count_claims(records[n], b), patients[n])
        for n in first_films(records)
        if (a := alone[n]) is not None and (b := whole[n]) is not None
        and a.sentences is not None and b.sentences is not None
    ]  # fmt: skip
    if rows:
        kept = [patient for _, _, patient in rows]
        tally.add(f"{CLAIMS}, {ALONE}", [a for a, _, _ in rows], kept, "f1")
        tally.add(f"{CLAIMS}, {WHOLE}", [b for _, b, _ in rows], kept, "f1")
        tally.add(CLAIMS_GAIN, [[*b, *a] for a, b, _ in rows], kept, "f1_gain")
    return tally
