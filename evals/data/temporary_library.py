"""A temporary library of films with their reports, for one measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant import Assistant
from assistant.intake.png import preview
from assistant.iterables import batched
from assistant.types import Film
from retrieval import Library, NewCase


def new_cases(
    assistant: Assistant, reported_films: Iterable[tuple[Film, str]]
) -> Iterator[NewCase]:
    """Embed films with their reports, block by block, as cases of a library."""
    for block in batched(reported_films):
        codes = assistant.backbone.encode([film for film, _ in block])
        for (film, report), code in zip(block, codes, strict=True):
            yield NewCase(film.sha256, preview(film.pixels), code.embedding, report=report)


@contextmanager
def temporary_library(assistant: Assistant, cases: Iterable[NewCase]) -> Iterator[Library]:
    """Open a library of these cases in a temporary folder, which is deleted at the end."""
    backbone = assistant.backbone
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(
            Path(folder) / "library", encoder=backbone.encoder_id, dim=backbone.dim
        ) as library,
    ):
        for _ in library.add_many(cases):
            pass
        yield library
