"""What a backbone writes of a batch of films, and all that its sentences are checked against.

Nothing is judged here: `assistant.evidence.rules` does, with the risk model of
`assistant.evidence.risk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.backbones.protocols import Backbone, Encoded, Sampling
from assistant.chest.vocabulary import NORMAL
from assistant.claims import is_among
from assistant.errors import SettingsError
from assistant.evidence.collect import EvidenceSources, gather_sources
from assistant.gate import GatedStudy
from assistant.labeller.labeller import find_assertions
from assistant.labeller.summary import probe_summary, similar_summaries
from assistant.prompts import report_request
from assistant.types import Assertion, GeneratedText, Neighbour, OnText, ProbeOutput, Study

WARMTH = 0.7  # the temperature of the other drafts: with less they agree on every error
SAMPLES_MOST = 16
DRAWS = 6  # further drafts of a film whose best says otherwise than it was told
TURNS = 3  # times that such drafts are drawn, at most
WARMER = 0.2  # a time: what a writer insists on, it repeats at the same temperature


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """How to draft."""

    neighbours: int = 5  # similar cases at most
    seed: int = 0
    exclude: Sequence[str] = ()  # cases that are never among them
    use_adapter: bool = True
    samples: int | None = None  # other drafts of each film; None: as many as the risk takes
    floor: float | None = None  # likeness of a similar case at least; None: what the risk found
    correct: bool = False  # put a film right that the gate says lies wrongly
    anyway: bool = False  # write about a film that the gate refuses, too
    on_text: OnText | None = None  # hears what is written of the first film of a batch

    def __post_init__(self) -> None:
        if self.neighbours < 0:
            raise SettingsError(f"neighbours = {self.neighbours} must be 0 or more.")
        if self.samples is not None and not 0 <= self.samples <= SAMPLES_MOST:
            raise SettingsError(f"samples = {self.samples} must be 0 to {SAMPLES_MOST}.")


@dataclass(frozen=True, slots=True, eq=False)
class WrittenDraft:
    """One film's draft as it was written."""

    study: Study
    encoded: Encoded
    neighbours: tuple[Neighbour, ...]
    request: str
    written: GeneratedText
    sources: EvidenceSources


def write_drafts(
    backbone: Backbone,
    gated: Sequence[GatedStudy],
    neighbours: Sequence[tuple[Neighbour, ...]],
    *,
    task: str | None,
    seed: int,
    samples: int,
    on_text: OnText | None = None,
) -> list[WrittenDraft]:
    """Write each admitted study's draft, greedily, and `samples` others of it that are drawn.

    `task` names the adapter, None the base alone. Only the adapter is told of similar cases: it
    alone has learnt to use precedent without copying it. `told` hears the first film's text
    while it is written, and the best so far while others are; what it raises goes through.
    """
    studies, encoded = [one.study for one in gated], [one.encoded for one in gated]
    # What a probe reads is told to a writer that has learnt to be told.
    read = None if backbone.instructed else backbone.probe_encoded(encoded)
    looks = _probe_outputs(backbone, encoded)
    readings = [""] * len(studies) if read is None else [probe_summary(seen) for seen in read]
    requests = [
        report_request(study.indication, similar_summaries(cited) if task else (), reading)
        for study, cited, reading in zip(studies, neighbours, readings, strict=True)
    ]
    tasks = [task] * len(studies)
    written = backbone.write(encoded, requests, Sampling(seed=seed), tasks, on_text)
    if task:
        written = _redraw_inconsistent(
            backbone, encoded, requests, readings, written, task, seed, on_text
        )
    others: list[GeneratedText] = []
    if samples:
        others = backbone.write(
            [code for code in encoded for _ in range(samples)],
            [request for request in requests for _ in range(samples)],
            Sampling(seed=seed, temperature=WARMTH),
            tasks * samples,
            _report_best(written, on_text),
        )
    return [
        WrittenDraft(
            study=one.study,
            encoded=one.encoded,
            neighbours=cited,
            request=request,
            written=text,
            sources=gather_sources(
                look, cited, others[i * samples : (i + 1) * samples], one.study, one.gate
            ),
        )
        for i, (one, cited, request, text, look) in enumerate(
            zip(gated, neighbours, requests, written, looks, strict=True)
        )
    ]


def _redraw_inconsistent(
    backbone: Backbone,
    encoded: Sequence[Encoded],
    requests: Sequence[str],
    readings: Sequence[str],
    written: Sequence[GeneratedText],
    task: str,
    seed: int,
    on_text: OnText | None,
) -> list[GeneratedText]:
    """The drafts, those that say otherwise than they were told replaced by the best of others."""
    given = [find_assertions(reading) if reading else None for reading in readings]
    best = list(written)
    still = _report_best(best, on_text)
    for turn in range(TURNS):
        slipped = [
            i
            for i, g in enumerate(given)
            if g is not None and count_mismatches(g, find_assertions(best[i].text))
        ]
        drawn = backbone.write(
            [encoded[i] for i in slipped for _ in range(DRAWS)],
            [requests[i] for i in slipped for _ in range(DRAWS)],
            Sampling(seed=seed + turn, temperature=WARMTH + turn * WARMER),
            [task] * (DRAWS * len(slipped)),
            still,
        )
        for at, i in enumerate(slipped):
            mine = [best[i], *drawn[at * DRAWS : (at + 1) * DRAWS]]
            # The first of the least wrong: the greedy draft where none is better.
            best[i] = min(
                mine, key=lambda one: count_mismatches(given[i] or (), find_assertions(one.text))
            )
        if still and slipped:
            still("")
    return best


def _report_best(best: Sequence[GeneratedText], on_text: OnText | None) -> OnText | None:
    """Tells the first film's best text so far, whatever else is being written."""
    return None if on_text is None else lambda _: on_text(best[0].text)


def count_mismatches(told: Sequence[Assertion], said: Sequence[Assertion]) -> int:
    """How many findings a text lacks of those it was told, and has that it was not told."""
    there = [claim for claim in said if claim.polarity == "present" and claim.finding != NORMAL]
    known = [claim for claim in told if claim.finding != NORMAL]
    lacking = sum(not is_among(claim, there) for claim in known)
    return lacking + sum(not is_among(claim, known) for claim in there)


def _probe_outputs(backbone: Backbone, encoded: Sequence[Encoded]) -> list[ProbeOutput | None]:
    looks = backbone.probe_details(encoded)
    return [None] * len(encoded) if looks is None else [*looks]
