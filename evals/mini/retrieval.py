"""Does the embedding find films that show the same? Held-out phantoms among held-out phantoms.

A film is relevant to another if both show the same findings on the same sides. Whatever is
searched goes through a library of cases, as it does for a user.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from assistant import Assistant
from assistant.chest.phantoms import Phantom
from assistant.intake.png import preview
from assistant.intake.resize import square
from assistant.iterables import batched
from assistant.types import Film, OnProgress
from evals.bootstrap import ratio
from evals.counting import FindingSide
from evals.data.phantoms import as_film, phantoms, true_findings
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, figure
from retrieval import Library, NewCase

QUERIES, LIBRARY = 300, 3000
A_QUERY = 10  # films of the library for each query, where the number of queries is told
K = 5
EDGE = 32  # of the pixel baseline's small pictures
FIRST = 100_000  # number of the library's first phantom: far from those of the other parts
NAME = "retrieval/precision@5 by same findings and side"
ILL = "retrieval/precision@5 among films with a finding"


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Precision among the five most similar, of the embedding, of pixels and of chance."""
    queries = options.films(QUERIES)
    held = LIBRARY if options.n is None else min(LIBRARY, A_QUERY * queries)
    numbers = [*range(queries), *range(FIRST, FIRST + held)]
    films: list[str] = []
    shown: list[frozenset[FindingSide]] = []
    learnt: list[np.ndarray] = []
    raw: list[np.ndarray] = []
    pictures: list[bytes] = []
    for block in batched(phantoms(options.seed, numbers, options.site)):
        read = [as_film(phantom) for phantom in block]
        coded = assistant.backbone.encode(read)
        for phantom, film, code in zip(block, read, coded, strict=True):
            films.append(film.sha256)
            shown.append(_shown(phantom))
            learnt.append(code.embedding)
            raw.append(_pixels(film))
            pictures.append(preview(film.pixels) if len(films) > queries else b"")
        on_progress(len(films), len(numbers))
    library = Counter(shown[queries:])
    asked = [i for i in range(queries) if library[shown[i]] >= K]
    search = {
        "": _found(learnt, queries, asked, films, pictures),
        "of pixels": _found(raw, queries, asked, films, pictures),
    }
    at = {film: i for i, film in enumerate(films)}
    figures: dict[str, Figure] = {}
    for kind, found in search.items():
        hits = [
            (i, sum(shown[at[case]] == shown[i] for case in cases))
            for i, cases in zip(asked, found, strict=True)
        ]
        name = f"baseline/precision@5 {kind}" if kind else NAME
        figures[name] = _precision(hits, queries)
        if not kind:
            figures[ILL] = _precision([(i, hit) for i, hit in hits if shown[i]], queries)
    by_chance = [(i, K * library[shown[i]] / held) for i in asked]
    figures["baseline/precision@5 at random"] = _precision(by_chance, queries)
    note = (
        f"library of {held}; a query is unscored where fewer than {K} films of the library "
        "show the same"
    )
    return PartResult(figures, (), {NAME: note}, f"{queries} phantoms against {held} others")


def _shown(phantom: Phantom) -> frozenset[FindingSide]:
    """What a film shows; what is faint counts, as two films that differ in it are not alike."""
    return frozenset(true_findings(phantom) | true_findings(phantom, "uncertain"))


def _pixels(film: Film) -> np.ndarray:
    """A film as the pixel baseline sees it: small, without its mean."""
    small = square(film.pixels, EDGE).ravel()
    return small - small.mean()


def _found(
    vectors: Sequence[np.ndarray],
    queries: int,
    asked: Sequence[int],
    films: Sequence[str],
    pictures: Sequence[bytes],
) -> list[list[str]]:
    """Hashes of the five most similar films of the library, for each query that is asked."""
    whole = {film[:16]: film for film in films}
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(Path(folder) / "library", encoder="eval", dim=len(vectors[0])) as library,
    ):
        cases = (NewCase(films[i], pictures[i], vectors[i]) for i in range(queries, len(films)))
        for _ in library.add_many(cases, batch=256):
            pass
        return [[whole[hit.case.id] for hit in library.search(vectors[i], K)] for i in asked]


def _precision(hits: Sequence[tuple[int, float]], queries: int) -> Figure:
    counts = np.array([[hit, K] for _, hit in hits], float).reshape(len(hits), 2)
    return figure(counts, [str(i) for i, _ in hits], ratio, unscored=queries - len(hits))
