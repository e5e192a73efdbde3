"""Does the embedding find films with the same findings? Held-out phantoms search among others.

A film is relevant to another if both show the same findings on the same sides. Every search
goes through a library of cases, as it does for a user.
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
from evals.data.phantoms import as_film, make_phantoms, true_findings
from evals.options import SuiteOptions
from evals.results import Figure, PartResult, compute_figure
from retrieval import Library, NewCase

QUERIES, LIBRARY = 300, 3000
FILMS_PER_QUERY = 10  # films of the library for each query, where the number of queries is given
K = 5
EDGE = 32  # of the pixel baseline's small pictures
FIRST_LIBRARY_PHANTOM = (
    100_000  # number of the library's first phantom: far from those of the other parts
)
NAME = "retrieval/precision@5 by same findings and side"
WITH_FINDING = "retrieval/precision@5 among films with a finding"


def measure(assistant: Assistant, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    """Measure precision@5 of the embedding, of pixels and of chance."""
    queries = options.film_count(QUERIES)
    library_size = LIBRARY if options.n is None else min(LIBRARY, FILMS_PER_QUERY * queries)
    numbers = [*range(queries), *range(FIRST_LIBRARY_PHANTOM, FIRST_LIBRARY_PHANTOM + library_size)]
    films: list[str] = []
    findings: list[frozenset[FindingSide]] = []
    embeddings: list[np.ndarray] = []
    pixel_vectors: list[np.ndarray] = []
    pictures: list[bytes] = []
    for block in batched(make_phantoms(options.seed, numbers, options.site)):
        block_films = [as_film(phantom) for phantom in block]
        codes = assistant.backbone.encode(block_films)
        for phantom, film, code in zip(block, block_films, codes, strict=True):
            films.append(film.sha256)
            findings.append(_findings_of(phantom))
            embeddings.append(code.embedding)
            pixel_vectors.append(_pixel_vector(film))
            pictures.append(preview(film.pixels) if len(films) > queries else b"")
        on_progress(len(films), len(numbers))
    occurrences = Counter(findings[queries:])
    scored = [i for i in range(queries) if occurrences[findings[i]] >= K]
    similar_by_kind = {
        "": _search_library(embeddings, queries, scored, films, pictures),
        "of pixels": _search_library(pixel_vectors, queries, scored, films, pictures),
    }
    positions = {film: i for i, film in enumerate(films)}
    figures: dict[str, Figure] = {}
    for kind, similar in similar_by_kind.items():
        hits = [
            (i, sum(findings[positions[case]] == findings[i] for case in cases))
            for i, cases in zip(scored, similar, strict=True)
        ]
        name = f"baseline/precision@5 {kind}" if kind else NAME
        figures[name] = _precision(hits, queries)
        if not kind:
            figures[WITH_FINDING] = _precision(
                [(i, hit) for i, hit in hits if findings[i]], queries
            )
    by_chance = [(i, K * occurrences[findings[i]] / library_size) for i in scored]
    figures["baseline/precision@5 at random"] = _precision(by_chance, queries)
    note = (
        f"library of {library_size}; a query is unscored where fewer than {K} films of the library "
        "show the same"
    )
    return PartResult(
        figures, (), {NAME: note}, f"{queries} phantoms against {library_size} others"
    )


def _findings_of(phantom: Phantom) -> frozenset[FindingSide]:
    """The findings of a film, faint ones too: two films that differ in one are not alike."""
    return frozenset(true_findings(phantom) | true_findings(phantom, "uncertain"))


def _pixel_vector(film: Film) -> np.ndarray:
    """A film as the vector of the pixel baseline: small, with its mean subtracted."""
    thumbnail = square(film.pixels, EDGE).ravel()
    return thumbnail - thumbnail.mean()


def _search_library(
    vectors: Sequence[np.ndarray],
    queries: int,
    scored: Sequence[int],
    films: Sequence[str],
    pictures: Sequence[bytes],
) -> list[list[str]]:
    """Hashes of the five most similar films of the library, for each query that is scored."""
    hashes = {film[:16]: film for film in films}
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(Path(folder) / "library", encoder="eval", dim=len(vectors[0])) as library,
    ):
        cases = (NewCase(films[i], pictures[i], vectors[i]) for i in range(queries, len(films)))
        for _ in library.add_many(cases, batch=256):
            pass
        return [[hashes[hit.case.id] for hit in library.search(vectors[i], K)] for i in scored]


def _precision(hits: Sequence[tuple[int, float]], queries: int) -> Figure:
    counts = np.array([[hit, K] for _, hit in hits], float).reshape(len(hits), 2)
    return compute_figure(counts, [str(i) for i, _ in hits], ratio, unscored=queries - len(hits))
