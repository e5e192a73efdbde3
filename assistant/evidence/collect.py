"""What speaks for and against each sentence of a draft, in numbers and in words.

A finding in this film is supported by this film alone: by the probe, by where the finding lights
up. A similar case is precedent and other drafts are opinion: both move the risk and are shown,
and neither makes a sentence supported (rule 1 of the rules of evidence).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.places import RIGHT, SIDES
from assistant.claims import denies, name_of, one_sided, same_place, says
from assistant.evidence.signals import (
    Signals,
    agreement_signal,
    confidence_signal,
    known_signal,
    neighbours_signal,
    probe_signal,
    region_signal,
    steadiness_signal,
)
from assistant.labeller.labeller import find_assertions
from assistant.labeller.sentences import ParsedSentence
from assistant.labeller.summary import case_assertions
from assistant.types import (
    Assertion,
    Evidence,
    Gate,
    GeneratedText,
    Measurement,
    Neighbour,
    ProbeOutput,
    Stance,
    Study,
)

UNCHECKED = "No calibrated check of the film exists for this backbone."
EVEN = 0.5  # of a signal: over it the film speaks for the claim, under it against
LIT = 0.5  # of the strongest patch: from here on a patch belongs to the finding's box
FALLS_OFF = 0.25  # a similar case so much less alike than the nearest is no longer similar


@dataclass(frozen=True, slots=True)
class EvidenceSources:
    """What one film's sentences are checked against."""

    look: ProbeOutput | None = None  # None: the backbone has no probe
    neighbours: tuple[tuple[Neighbour, tuple[Assertion, ...]], ...] = ()
    samples: tuple[tuple[Assertion, ...], ...] = ()  # what other drafts of the film assert
    gate: Gate | None = None
    prior: tuple[Assertion, ...] | None = None  # what the earlier report asserts; None: none given
    edge_mm: float | None = None  # of the longer edge of the film; None: its spacing is not known
    shape: tuple[int, int] = (1, 1)  # height and width of the film, of which boxes are parts


def gather_sources(
    look: ProbeOutput | None,
    neighbours: Sequence[Neighbour],
    samples: Iterable[GeneratedText] = (),
    study: Study | None = None,
    gate: Gate | None = None,
) -> EvidenceSources:
    """The ground of one film: similar cases are cut where their likeness falls off."""
    near = [n for n in neighbours if n.similarity >= neighbours[0].similarity - FALLS_OFF]
    return EvidenceSources(
        look,
        tuple((n, case_assertions(n)) for n in near),
        tuple(find_assertions(sample.text) for sample in samples),
        gate,
        *_study_sources(study),
    )


def _study_sources(
    study: Study | None,
) -> tuple[tuple[Assertion, ...] | None, float | None, tuple[int, int]]:
    """What the earlier report asserts, the longer edge of the film in mm, and its shape."""
    if study is None:
        return None, None, (1, 1)
    prior = find_assertions(study.prior_report) if study.prior_report.strip() else None
    shape, spacing = study.films[0].pixels.shape, study.films[0].spacing_mm
    edge = max(n * mm for n, mm in zip(shape, spacing, strict=True)) if spacing else None
    return prior, edge, shape


def signals_of(
    parsed: ParsedSentence, written: GeneratedText, ground: EvidenceSources
) -> tuple[tuple[Assertion, Signals], ...]:
    """The signals of every claim of a sentence."""
    made = []
    for claim in parsed.assertions:
        look, (start, stop) = ground.look, claim.span
        made.append(
            (
                claim,
                Signals(
                    probe=None if look is None else probe_signal(claim, look),
                    steady=None if look is None else steadiness_signal(claim, look),
                    region=None if look is None else region_signal(claim, look),
                    agreement=agreement_signal(claim, ground.samples),
                    neighbours=neighbours_signal(claim, ground.neighbours),
                    confidence=confidence_signal(
                        written, parsed.start + start, parsed.start + stop
                    ),
                    known=known_signal(ground.gate),
                ),
            )
        )
    return tuple(made)


def evidence_of(
    claims: Sequence[tuple[Assertion, Signals]], ground: EvidenceSources
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """The evidence for one sentence in words, and the similar cases that assert all of it."""
    told = [e for claim, signals in claims for e in _film_evidence(claim, signals, ground)]
    near, cited = _neighbour_evidence([claim for claim, _ in claims], ground)
    return (*told, *near), cited


def _film_evidence(claim: Assertion, signals: Signals, ground: EvidenceSources) -> list[Evidence]:
    name = name_of(claim)
    made = []
    if signals.probe is not None:
        words = f"Probe {signals.probe:.2f} for {name}."
        made.append(Evidence("probe", signals.probe, _stance(signals.probe), "film", words))
    if ground.look is not None and claim.polarity != "absent":
        made += _region_evidence(claim, ground.look, ground.shape)
    made += _measurement_evidence(claim, ground) + _prior_evidence(claim, ground)
    if signals.agreement is not None:
        count = len(ground.samples)
        words = f"{round(signals.agreement * count)} of {count} other drafts agree on {name}."
        stance = _stance(signals.agreement)
        made.append(Evidence("agreement", signals.agreement, stance, "drafts", words))
    return made


def _region_evidence(claim: Assertion, look: ProbeOutput, shape: tuple[int, int]) -> list[Evidence]:
    """Where the finding lights up, side by side where both are claimed."""
    made = []
    for one in one_sided(claim):
        value = region_signal(one, look)
        if value is not None:
            words = f"Strongest place of {name_of(one)} {value:.2f}."
            box = box_of(one, look, shape)
            made.append(Evidence("region", value, _stance(value), "film", words, box))
    return made


def _measurement_evidence(claim: Assertion, ground: EvidenceSources) -> list[Evidence]:
    """What the film measures of the finding that is claimed; lengths only where a mm is known."""
    made = []
    for one in ground.look.measured if ground.look else ():
        measure = one.measure
        if measure.finding != claim.finding or not same_place(claim, measure.side, None):
            continue
        if measure.length and (ground.edge_mm is None or claim.polarity == "absent"):
            continue
        of = f" of the {measure.side}" if measure.side else ""
        words = f"Measured {measure.name}{of}: {describe_size(one, ground.edge_mm)}."
        value = 1 - one.beyond if claim.polarity == "absent" else one.beyond
        made.append(Evidence("measurement", value, _stance(value), "film", words))
    return made


def describe_size(one: Measurement, edge_mm: float | None) -> str:
    """What is measured with its error, "40 mm, give or take 8 mm"; empty for a length in no mm."""
    if one.measure.length and edge_mm is None:
        return ""
    scale, form, unit = (edge_mm, ".0f", " mm") if one.measure.length else (1.0, ".2f", "")
    value, error = ((scale or 1.0) * x for x in (one.value, one.measure.error))
    return f"{value:{form}}{unit}, give or take {error:{form}}{unit}"


def _prior_evidence(claim: Assertion, ground: EvidenceSources) -> list[Evidence]:
    """Whether the earlier report goes with a claim that compares; nothing where none was given."""
    if claim.comparison is None or ground.prior is None:
        return []
    plain = Assertion(claim.finding, side=claim.side, zone=claim.zone)
    there = says(ground.prior, plain)
    fits = there != (claim.comparison == "new")
    verb = "asserts" if there else "does not assert"
    words = f"The earlier report {verb} {name_of(plain)}."
    return [Evidence("prior", float(fits), _stance(float(fits)), "prior", words)]


def _stance(value: float) -> Stance:
    return "supports" if value >= EVEN else "contradicts"


def box_of(
    claim: Assertion, look: ProbeOutput, shape: tuple[int, int] = (1, 1)
) -> tuple[float, float, float, float] | None:
    """Where a finding lights up on the claimed side: left, top, right, bottom, parts of the film.

    The patches joined to the strongest one that are at least half as strong; None where the probe
    does not tell places for the finding.
    """
    places = look.places.get(claim.finding)
    if places is None:
        return None
    from scipy import ndimage  # not needed to import this module

    edge = places.shape[1]
    held = places.copy()
    if claim.side in SIDES:  # the patient's right lies on the left of the film
        dark = slice(edge // 2, None) if claim.side == RIGHT else slice(None, edge // 2)
        held[:, dark] = 0
    parts = np.zeros(held.shape, np.int32)
    ndimage.label(held >= LIT * held.max(), output=parts)
    peak = np.unravel_index(int(held.argmax()), held.shape)
    rows, columns = np.nonzero(parts == parts[peak])
    (left, right), (top, bottom) = (
        _of_film_edge(int(at.min()) / edge, (int(at.max()) + 1) / edge, length / max(shape))
        for at, length in ((columns, shape[1]), (rows, shape[0]))
    )
    return left, top, right, bottom


def _of_film_edge(start: float, stop: float, share: float) -> tuple[float, float]:
    """From parts of the square that an encoder sees to parts of the film, `share` of its edge."""
    low, high = (min(max((at - 0.5) / share + 0.5, 0.0), 1.0) for at in (start, stop))
    return low, high


def _neighbour_evidence(
    claims: Sequence[Assertion], ground: EvidenceSources
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Evidence from the similar cases; a case is cited only if it supports every claim."""
    evidence: list[Evidence] = []
    cited: list[str] = []
    verb: dict[Stance, str] = {
        "supports": "asserts the same",
        "contradicts": "says otherwise",
        "silent": "is silent",
    }
    for neighbour, theirs in ground.neighbours if claims else ():
        stance: Stance = "silent"
        if all(says(theirs, claim) for claim in claims):
            stance = "supports"
            cited.append(neighbour.case)
        elif any(denies(theirs, claim) for claim in claims):
            stance = "contradicts"
        words = (
            f"Similar case {neighbour.case} {verb[stance]} (similarity {neighbour.similarity:.2f})."
        )
        value = max(0.0, neighbour.similarity)
        evidence.append(Evidence("neighbour", value, stance, neighbour.case, words))
    return tuple(evidence), tuple(cited)
