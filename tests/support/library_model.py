"""A plain model of the library's search, to hold the library against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from library_adder import DIM, film

from retrieval import Library, NewCase


def opened(folder: Path, encoder: str = "e1", exact_limit: int = 20_000) -> Library:
    return Library.open(folder, encoder=encoder, dim=DIM, exact_limit=exact_limit)


def short(case: NewCase) -> str:
    return case.film_sha256[:16]


def brute(
    cases: dict[str, NewCase],
    query: np.ndarray,
    k: int,
    *,
    patient: str | None = None,
    source: str | None = None,
    case: str | None = None,
) -> list[tuple[str, float]]:
    """What search must return, by one product in double precision."""

    def cosine(other: np.ndarray) -> float:
        a, b = query.astype(np.float64), other.astype(np.float64)
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    found = [
        (name, round(cosine(held.embedding), 6))
        for name, held in cases.items()
        if (patient is None or held.patient != patient)
        and (source is None or held.source == source)
        and name != case
    ]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]


def agree(got: list[tuple[str, float]], wanted: list[tuple[str, float]]) -> None:
    """The same ranks; similarities that differ in the sixth decimal may change places."""
    assert [similarity for _, similarity in got] == pytest.approx(
        [similarity for _, similarity in wanted], abs=2e-6
    )
    for (mine, a), (theirs, b) in zip(got, wanted, strict=True):
        ties = [s for _, s in wanted if abs(s - b) < 4e-6]
        assert mine == theirs or len(ties) > 1 or abs(a - wanted[-1][1]) < 4e-6


def found(library: Library, query: np.ndarray, k: int = 5, **how: object) -> list:
    return [(hit.case.id, hit.similarity) for hit in library.search(query, k, **how)]


def filled(folder: Path, count: int = 40, **how: int) -> dict[str, NewCase]:
    cases = [film(i) for i in range(count)]
    with opened(folder, **how) as library:
        assert all(added.new for added in library.add_many(cases))
        library.search(cases[0].embedding)
    return {short(case): case for case in cases}
