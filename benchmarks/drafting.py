"""Drafts a minute, beside transformers' `generate` with one film at a time; the cost of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assistant import Assistant
from assistant.backbones.loading import load_backbone
from assistant.backbones.protocols import Sampling
from assistant.prompts import report_request
from assistant.types import Film
from benchmarks.figures import PairedFigure, seconds, time_in_turns
from benchmarks.weights import PeerCheckpoint, phantom_films, plain_janus

BATCH = 32


def figures(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Each figure of drafting; the same films and weights on both sides."""
    films, turns = phantom_films(8 if quick else 64), 1 if quick else 5
    folder = plain_janus(scratch)
    peer, plain = PeerCheckpoint.load(folder, "report"), Assistant(load_backbone(folder))
    whole = Assistant(load_backbone())
    peer.write(films[0])  # what is made at a first call is no part of it
    _draft(plain, films[:2])
    _draft(whole, films[:2])
    theirs_said = [peer.write(film).strip() for film in films]
    said = [_text(plain, film) for film in films]
    same = sum(a == b for a, b in zip(said, theirs_said, strict=True))

    def a_minute(run: float) -> float:
        return 60 * len(films) / run

    def one_by_one() -> float:
        return a_minute(seconds(lambda: [peer.write(film) for film in films]))

    bare = f"{len(films)} films, no probe, `draft_many`; the same text for {same} of {len(films)}"
    checked = "each film looked at eight times, slips drawn again, every sentence checked"
    for name, assistant, bar, note in (
        ("drafts, the text alone", plain, 5.0, bare),
        ("drafts, checked as they ship", whole, None, checked),
    ):
        ours, theirs = time_in_turns(
            lambda by=assistant: a_minute(seconds(lambda: _draft(by, films))), one_by_one, turns
        )
        yield PairedFigure(
            name=name,
            unit="drafts a minute",
            ours=ours,
            peer="transformers `generate`, a film at a time",
            theirs=theirs,
            more_is_better=True,
            bar=bar,
            note=note,
        )
    yield _samples(plain, films[: 4 if quick else 16], turns)


def _samples(assistant: Assistant, films: list[Film], turns: int) -> PairedFigure:
    """What five other drafts of each film cost beside the draft, and drawn apart."""

    def cost(samples: int) -> float:
        def run() -> None:
            for film in films:
                assistant.draft(film, neighbours=0, samples=samples)

        return seconds(run) / len(films)

    alone = [cost(0) for _ in range(turns)]
    more = [cost(5) for _ in range(turns)]
    return PairedFigure(
        name="risk with 5 sampled drafts, beyond the draft",
        unit="s a film",
        ours=tuple(b - a for a, b in zip(alone, more, strict=True)),
        peer="5 separate drafts",
        theirs=tuple(5 * a for a in alone),
        bar=2.5,
        note=f"{len(films)} films, one at a time",
    )


def _draft(assistant: Assistant, films: list[Film]) -> None:
    for _ in assistant.draft_many(films, neighbours=0, batch=BATCH):
        pass


def _text(assistant: Assistant, film: Film) -> str:
    """What the writer wrote, whatever the rules made of it."""
    backbone = assistant.backbone
    encoded = backbone.encode([film])
    return backbone.write(encoded, [report_request()], Sampling(), ["report"])[0].text.strip()
