"""Training cases in the project's own wording: of real films by their claims, and of no film.

The claims are what the reports assert, facts alone; no sentence of a report is in a case. A prompt
holds the reading of a perfect probe, so that a writer learns to say what its probe reads.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from adapters.adapter_recipe import FolderData, PhantomData
from adapters.data.cases import Cases, CaseSet, Pictures, TrainingCase, join_cases
from adapters.data.composed_records import draw_record, reading_of, record_of
from adapters.data.phantom_arrays import assertions_of
from adapters.data.real_arrays import held_out_films, load_real_arrays


def add_composed(cases: Cases, data: PhantomData | FolderData, cache: Path, seed: int) -> Cases:
    """Add to phantoms what their recipe asks for: real films in our own words, and drawn cases."""
    if not isinstance(data, PhantomData):
        return cases
    cases = replace(cases, drawn=draw_cases(data.drawn, seed))
    if data.films is None:
        return cases
    films, digest = load_composed_films(data.films, cache, seed), hashlib.sha256()
    digest.update(cases.sha256.encode())
    for index, case in enumerate(films.cases):
        digest.update(f"{films.film(index).sha256} {case!r}\n".encode())
    return replace(
        cases,
        train=join_cases(cases.train, films),
        sha256=digest.hexdigest(),
        description=f"{cases.description.split(';')[0]}, and {len(films)} real films of the folder "
        f"{data.films.name} with what their reports assert, in our own words",
    )


def load_composed_films(folder: Path, cache: Path, seed: int) -> CaseSet:
    """The frontal films of a case folder that are not held out, each report worded anew."""
    films = load_real_arrays(folder, cache)
    films = films.select(~films.lateral & ~held_out_films(films))
    rng = np.random.default_rng([seed, 1])
    cases = tuple(
        _case_of(record_of(claims, rng), patient)
        for claims, patient in zip(films.claims, films.patients, strict=True)
    )
    return CaseSet(cases, Pictures([films.films]))


def draw_cases(count: int, seed: int) -> tuple[TrainingCase, ...]:
    """Draw cases without films, of any findings of the vocabulary."""
    rng = np.random.default_rng([seed, 2])
    return tuple(_case_of(draw_record(rng), f"drawn-{number}") for number in range(count))


def _case_of(record: dict[str, Any], patient: str) -> TrainingCase:
    rows = [*record["truth"], *record["uncertain"], *record["denied"]]
    return TrainingCase(
        patient=patient,
        findings=record["findings"],
        impression=record["impression"],
        indication=record["indication"],
        caption=record["caption"],
        claims=tuple(assertions_of(rows)),
        tube=tuple(record["tube"].items()),
        complete=bool(record["complete"]),
        reading=reading_of(record),
    )
