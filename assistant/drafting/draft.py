"""Writes the drafts of a batch of films and gathers the evidence that they are checked against.

Nothing is judged here: `assistant.evidence.rules` judges, with the risk model of
`assistant.evidence.risk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.backbones.protocols import Backbone, Encoded, Sampling
from assistant.chest.vocabulary import NORMAL
from assistant.claims import is_among, split_sides
from assistant.drafting.studies import read_priors
from assistant.errors import SettingsError
from assistant.evidence.collect import EvidenceSources, gather_sources
from assistant.gate import GatedStudy
from assistant.labeller.labeller import find_assertions
from assistant.labeller.summary import probe_summary, similar_summaries
from assistant.prompts import report_request
from assistant.types import Assertion, GeneratedText, Neighbour, OnText, ProbeOutput, Study

TEMPERATURE = 0.7  # of the sampled drafts: with less they agree on every error
MAX_SAMPLES = 16
REDRAWS = 6  # further drafts of a film whose best draft contradicts the probe's summary
ROUNDS = 3  # rounds of redrawing, at most
TEMPERATURE_STEP = 0.2  # a round: at the same temperature a writer repeats what it insists on


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """Options of drafting."""

    neighbours: int = 5  # similar cases at most
    seed: int = 0
    exclude: Sequence[str] = ()  # ids of cases that are never used
    use_adapter: bool = True
    samples: int | None = None  # further drafts of each film; None: as many as the risk model needs
    floor: float | None = None  # lowest similarity of a similar case; None: the risk model's
    correct: bool = False  # correct a film that is turned, mirrored or inverted
    anyway: bool = False  # write about a film that the gate refuses, too
    on_text: OnText | None = None  # called with the text so far of a batch's first film

    def __post_init__(self) -> None:
        if self.neighbours < 0:
            raise SettingsError(f"neighbours = {self.neighbours} must be 0 or more.")
        if self.samples is not None and not 0 <= self.samples <= MAX_SAMPLES:
            raise SettingsError(f"samples = {self.samples} must be 0 to {MAX_SAMPLES}.")


@dataclass(frozen=True, slots=True, eq=False)
class WrittenDraft:
    """One film's draft before it is judged, with the evidence sources for it."""

    study: Study
    encoded: Encoded
    neighbours: tuple[Neighbour, ...]
    request: str
    generation: GeneratedText
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
    """Write each study's draft greedily, and draw `samples` further drafts of it.

    `task` names the adapter; None means the base alone. Only the adapter's prompt holds similar
    cases: it alone has learnt to use precedent without copying it. `on_text` is called with the
    first film's text while it is written, and with the best text so far while further drafts are
    drawn; what it raises goes through.
    """
    studies, encoded = [item.study for item in gated], [item.encoded for item in gated]
    # Only a writer that was trained with the probe's summary gets it in its prompt.
    findings = None if backbone.instructed else backbone.probe_encoded(encoded)
    probe_outputs = _probe_outputs(backbone, encoded)
    priors = read_priors(backbone, [item.prior for item in gated])
    summaries = [""] * len(studies) if findings is None else [probe_summary(f) for f in findings]
    requests = [
        report_request(study.indication, similar_summaries(similar) if task else (), summary)
        for study, similar, summary in zip(studies, neighbours, summaries, strict=True)
    ]
    tasks = [task] * len(studies)
    texts = backbone.write(encoded, requests, Sampling(seed=seed), tasks, on_text)
    if task:
        known = [item.gate.answer != "warn" for item in gated]
        texts = _redraw_inconsistent(
            backbone, encoded, requests, summaries, texts, known, task, seed, on_text
        )
    sample_texts: list[GeneratedText] = []
    if samples:
        sample_texts = backbone.write(
            [film for film in encoded for _ in range(samples)],
            [request for request in requests for _ in range(samples)],
            Sampling(seed=seed, temperature=TEMPERATURE),
            tasks * samples,
            _report_best(texts, on_text),
        )
    return [
        WrittenDraft(
            study=item.study,
            encoded=item.encoded,
            neighbours=similar,
            request=request,
            generation=text,
            sources=gather_sources(
                probe_output,
                similar,
                sample_texts[i * samples : (i + 1) * samples],
                item.study,
                item.gate,
                prior,
            ),
        )
        for i, (item, similar, request, text, probe_output, prior) in enumerate(
            zip(gated, neighbours, requests, texts, probe_outputs, priors, strict=True)
        )
    ]


def _redraw_inconsistent(
    backbone: Backbone,
    encoded: Sequence[Encoded],
    requests: Sequence[str],
    summaries: Sequence[str],
    drafts: Sequence[GeneratedText],
    known: Sequence[bool],
    task: str,
    seed: int,
    on_text: OnText | None,
) -> list[GeneratedText]:
    """Replace each draft that contradicts its probe summary by the best of further drafts.

    A film that is not `known` to the backbone is left with its draft once a round gives no better
    one: there the writer contradicts the probe whatever it draws.
    """
    probe_claims = [find_assertions(summary) if summary else None for summary in summaries]
    best = list(drafts)
    on_best = _report_best(best, on_text)
    inconsistent = [
        i
        for i, claims in enumerate(probe_claims)
        if claims is not None and count_mismatches(claims, find_assertions(best[i].text))
    ]
    for attempt in range(ROUNDS):
        redrawn = backbone.write(
            [encoded[i] for i in inconsistent for _ in range(REDRAWS)],
            [requests[i] for i in inconsistent for _ in range(REDRAWS)],
            Sampling(seed=seed + attempt, temperature=TEMPERATURE + attempt * TEMPERATURE_STEP),
            [task] * (REDRAWS * len(inconsistent)),
            on_best,
        )
        hopeful = []
        for position, i in enumerate(inconsistent):
            candidates = [best[i], *redrawn[position * REDRAWS : (position + 1) * REDRAWS]]
            claims = probe_claims[i] or ()
            # The first of those with the fewest mismatches: the greedy draft where none is better.
            mismatches = [count_mismatches(claims, find_assertions(c.text)) for c in candidates]
            chosen = mismatches.index(min(mismatches))
            best[i] = candidates[chosen]
            if mismatches[chosen] and (known[i] or chosen):
                hopeful.append(i)
        if on_best and inconsistent:
            on_best("")
        inconsistent = hopeful
    return best


def _report_best(best: Sequence[GeneratedText], on_text: OnText | None) -> OnText | None:
    """A callback that passes on the first film's best text, whatever else is being written."""
    return None if on_text is None else lambda _: on_text(best[0].text)


def count_mismatches(probe_claims: Sequence[Assertion], text_claims: Sequence[Assertion]) -> int:
    """How many of the probe's findings a text lacks or denies, plus how many it adds to them."""
    # Each side by itself: a summary's "bilateral" is not met by a text about one side.
    stated = [
        part
        for claim in text_claims
        if claim.polarity == "present" and claim.finding != NORMAL
        for part in split_sides(claim)
    ]
    expected = [
        part for claim in probe_claims if claim.finding != NORMAL for part in split_sides(claim)
    ]
    # A finding may be asserted in one sentence and denied in another.
    denied = {(claim.finding, claim.side) for claim in text_claims if claim.polarity == "absent"}
    lacking = sum(
        not is_among(claim, stated) or not denied.isdisjoint(_denials_of(claim))
        for claim in expected
    )
    return lacking + sum(not is_among(claim, expected) for claim in stated)


def _denials_of(claim: Assertion) -> set[tuple[str, str | None]]:
    """Finding and side of the denials that a claim does not go with."""
    return {(claim.finding, side) for side in (None, claim.side)}


def _probe_outputs(backbone: Backbone, encoded: Sequence[Encoded]) -> list[ProbeOutput | None]:
    outputs = backbone.probe_details(encoded)
    return [None] * len(encoded) if outputs is None else [*outputs]
