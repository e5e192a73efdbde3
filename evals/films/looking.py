"""Does the draft of a real film depend on the film? A blank, noise, and another patient's film.

Only drafts that assert a finding are compared: two healthy patients may get the same draft.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from assistant.types import Film
from evals.data.phantoms import film_of
from evals.data.real_films import FilmRecord
from evals.films.readings import FilmReading
from evals.report.claims import collect_claims
from evals.results import FigureTable
from evals.suites.looking import SAME, noise_film

NOISE_FILMS, SHAPE = 16, (256, 256)
BLANK, NOISE, ANOTHER = "blank", "noise", "another patient's"
MOST = 120  # films that are drafted for this alone, where they have no reports
NOTE = (
    "of drafts that assert a finding; every film of noise is compared with several films, and "
    "another patient's draft is that of the next film"
)

DraftTexts = Callable[[Sequence[Film]], Sequence[Sequence[str]]]


def score_looking(
    records: Sequence[FilmRecord],
    readings: Sequence[FilmReading | None],
    draft_texts: DraftTexts,
    seed: int,
) -> tuple[FigureTable, dict[str, str]]:
    """Compare the drafts with those of a blank film, of noise and of another patient."""
    drafted = [
        n for n, reading in enumerate(readings)
        if reading is not None and reading.sentences is not None
    ]  # fmt: skip
    texts = {n: _texts_of(readings[n]) for n in drafted}
    noise_count = min(NOISE_FILMS, len(drafted))
    blank, *noise = draft_texts(
        [
            film_of(np.zeros(SHAPE)),
            *(noise_film(seed, number, SHAPE) for number in range(noise_count)),
        ]
    )
    rows: dict[str, list[list[bool]]] = {BLANK: [], NOISE: [], ANOTHER: []}
    patients: dict[str, list[str]] = {BLANK: [], NOISE: [], ANOTHER: []}
    for place, number in enumerate(drafted):
        if not _has_finding(readings[number]):
            continue
        others = {BLANK: list(blank), NOISE: list(noise[place % noise_count])}
        following = (drafted[(place + step) % len(drafted)] for step in range(1, len(drafted)))
        patient = records[number].patient
        if (
            other := next((n for n in following if records[n].patient != patient), None)
        ) is not None:
            others[ANOTHER] = texts[other]
        for kind, text in others.items():
            rows[kind].append([texts[number] == text, True])
            patients[kind].append(patient)
    tally = FigureTable()
    for kind in rows:
        missing = len(drafted) - len(rows[kind])
        tally.add(SAME.format(kind), rows[kind], patients[kind], "ratio", unscored=missing)
    return tally, {SAME.format(BLANK): NOTE}


def _texts_of(reading: FilmReading | None) -> list[str]:
    return [] if reading is None else [s.text for s in reading.sentences or ()]


def _has_finding(reading: FilmReading | None) -> bool:
    sentences = () if reading is None else reading.sentences or ()
    return bool(collect_claims(claim for s in sentences for claim in s.claims))
