"""Drafts a minute, beside transformers' `generate` with one film at a time; the cost of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assistant import Assistant
from assistant.backbones.loading import load_backbone
from assistant.backbones.protocols import Sampling
from assistant.prompts import report_request
from assistant.types import Film
from benchmarks.figures import PairedFigure, time_call, time_in_turns
from benchmarks.weights import PeerCheckpoint, copy_plain_janus, make_films

BATCH = 32


def measure(scratch: Path, quick: bool) -> Iterator[PairedFigure]:
    """Each figure of drafting; the same films and weights on both sides."""
    films, turns = make_films(8 if quick else 64), 1 if quick else 5
    folder = copy_plain_janus(scratch)
    peer, plain = PeerCheckpoint.load(folder, "report"), Assistant(load_backbone(folder))
    whole = Assistant(load_backbone())
    peer.write(films[0])  # what is made at a first call is no part of it
    _draft_all(plain, films[:2])
    _draft_all(whole, films[:2])
    peer_texts = [peer.write(film).strip() for film in films]
    our_texts = [_write_text(plain, film) for film in films]
    same = sum(a == b for a, b in zip(our_texts, peer_texts, strict=True))

    def drafts_a_minute(run: float) -> float:
        return 60 * len(films) / run

    def draft_by_peer() -> float:
        return drafts_a_minute(time_call(lambda: [peer.write(film) for film in films]))

    plain_note = (
        f"{len(films)} films, no probe, `draft_many`; the same text for {same} of {len(films)}"
    )
    checked_note = "each film looked at eight times, slips drawn again, every sentence checked"
    for name, assistant, bar, note in (
        ("drafts, the text alone", plain, 5.0, plain_note),
        ("drafts, checked as they ship", whole, None, checked_note),
    ):
        ours, theirs = time_in_turns(
            lambda writer=assistant: drafts_a_minute(time_call(lambda: _draft_all(writer, films))),
            draft_by_peer,
            turns,
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
    yield _sampling_cost(plain, films[: 4 if quick else 16], turns)


def _sampling_cost(assistant: Assistant, films: list[Film], turns: int) -> PairedFigure:
    """The cost of five other drafts of each film with the draft, and drawn separately."""

    def cost(samples: int) -> float:
        def run() -> None:
            for film in films:
                assistant.draft(film, neighbours=0, samples=samples)

        return time_call(run) / len(films)

    plain_costs = [cost(0) for _ in range(turns)]
    sampled_costs = [cost(5) for _ in range(turns)]
    return PairedFigure(
        name="risk with 5 sampled drafts, beyond the draft",
        unit="s a film",
        ours=tuple(b - a for a, b in zip(plain_costs, sampled_costs, strict=True)),
        peer="5 separate drafts",
        theirs=tuple(5 * a for a in plain_costs),
        bar=2.5,
        note=f"{len(films)} films, one at a time",
    )


def _draft_all(assistant: Assistant, films: list[Film]) -> None:
    for _ in assistant.draft_many(films, neighbours=0, batch=BATCH):
        pass


def _write_text(assistant: Assistant, film: Film) -> str:
    """The text that the writer generates, before any rule changes it."""
    backbone = assistant.backbone
    encoded = backbone.encode([film])
    return backbone.write(encoded, [report_request()], Sampling(), ["report"])[0].text.strip()
