"""Collects the evidence for and against each sentence of a draft, as numbers and in words.

Only this film supports a finding in it: the probe, and the region where the finding lights up.
Similar cases are precedent and other drafts are opinion. Both change the risk and are shown, but
neither makes a sentence supported (rule 1 of the rules of evidence).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.places import RIGHT, SIDES
from assistant.chest.vocabulary import NORMAL
from assistant.claims import asserts, denies, is_same_place, name_of, split_sides
from assistant.evidence.signals import (
    Signals,
    agreement_signal,
    confidence_signal,
    expected_degree,
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
NEUTRAL = 0.5  # a signal at or above it supports the claim, one below it contradicts it
SAME_DEGREE = 0.1  # degrees lie from 1 (small) to 3 (large)
BOX_SHARE = 0.5  # share of the strongest patch from which a patch belongs to the finding's box
SIMILARITY_DROP = 0.25  # a case this much less similar than the nearest one is left out


@dataclass(frozen=True, slots=True)
class PriorReading:
    """What the probe reads in an earlier film."""

    probe: ProbeOutput
    claims: tuple[Assertion, ...]  # what it finds present


@dataclass(frozen=True, slots=True)
class EvidenceSources:
    """Everything that the sentences about one film are checked against."""

    probe: ProbeOutput | None = None  # None: the backbone has no probe
    neighbours: tuple[tuple[Neighbour, tuple[Assertion, ...]], ...] = ()
    sample_claims: tuple[tuple[Assertion, ...], ...] = ()  # of other drafts of the film
    gate: Gate | None = None
    prior_claims: tuple[Assertion, ...] | None = None  # of the earlier report; None: none given
    edge_mm: float | None = None  # longer edge of the film; None: its pixel spacing is not known
    film_shape: tuple[int, int] = (1, 1)  # height, width in pixels; boxes are parts of these
    prior_film: PriorReading | None = None  # None: no earlier film, or no probe
    has_prior: bool = False  # whether there is an earlier film or report to compare with

    @property
    def all_prior_claims(self) -> tuple[Assertion, ...] | None:
        """What the earlier report asserts, and what is read in the earlier film; None for neither.

        A finding that the report names is the report's to describe.
        """
        if self.prior_film is None:
            return self.prior_claims
        reported = self.prior_claims or ()
        named = {claim.finding for claim in reported}
        read = [claim for claim in self.prior_film.claims if claim.finding not in named]
        return (*reported, *read) or (Assertion(NORMAL),)


def gather_sources(
    probe: ProbeOutput | None,
    neighbours: Sequence[Neighbour],
    samples: Iterable[GeneratedText] = (),
    study: Study | None = None,
    gate: Gate | None = None,
    prior_film: PriorReading | None = None,
) -> EvidenceSources:
    """Gather what one film's sentences are checked against.

    Neighbours are left out once their similarity falls too far below that of the nearest.
    """
    similar = [n for n in neighbours if n.similarity >= neighbours[0].similarity - SIMILARITY_DROP]
    return EvidenceSources(
        probe,
        tuple((n, case_assertions(n)) for n in similar),
        tuple(find_assertions(sample.text) for sample in samples),
        gate,
        *_study_sources(study),
        prior_film=prior_film,
        has_prior=study is not None and _has_prior(study),
    )


def _has_prior(study: Study) -> bool:
    return bool(study.prior_report.strip() or (study.prior and study.prior.films))


def _study_sources(
    study: Study | None,
) -> tuple[tuple[Assertion, ...] | None, float | None, tuple[int, int]]:
    """Return the claims of the earlier report, the longer edge of the film in mm, its shape."""
    if study is None:
        return None, None, (1, 1)
    prior = find_assertions(study.prior_report) if study.prior_report.strip() else None
    shape, spacing = study.films[0].pixels.shape, study.films[0].spacing_mm
    edge = max(n * mm for n, mm in zip(shape, spacing, strict=True)) if spacing else None
    return prior, edge, shape


def signals_of(
    parsed: ParsedSentence, generated: GeneratedText, sources: EvidenceSources
) -> tuple[tuple[Assertion, Signals], ...]:
    """Return each claim of a sentence with its signals."""
    signals = []
    for claim in parsed.assertions:
        probe, (start, stop) = sources.probe, claim.span
        signals.append(
            (
                claim,
                Signals(
                    probe=None if probe is None else probe_signal(claim, probe),
                    steady=None if probe is None else steadiness_signal(claim, probe),
                    region=None if probe is None else region_signal(claim, probe),
                    agreement=agreement_signal(claim, sources.sample_claims),
                    neighbours=neighbours_signal(claim, sources.neighbours),
                    confidence=confidence_signal(
                        generated, parsed.start + start, parsed.start + stop
                    ),
                    known=known_signal(sources.gate),
                ),
            )
        )
    return tuple(signals)


def evidence_of(
    claims: Sequence[tuple[Assertion, Signals]], sources: EvidenceSources
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Return a sentence's evidence in words, and the ids of similar cases that assert all of it."""
    own = [e for claim, signals in claims for e in _film_evidence(claim, signals, sources)]
    similar, citations = _neighbour_evidence([claim for claim, _ in claims], sources)
    return (*own, *similar), citations


def _film_evidence(claim: Assertion, signals: Signals, sources: EvidenceSources) -> list[Evidence]:
    name = name_of(claim)
    evidence = []
    if signals.probe is not None:
        words = f"Probe {signals.probe:.2f} for {name}."
        evidence.append(Evidence("probe", signals.probe, _stance(signals.probe), "film", words))
    if sources.probe is not None and claim.polarity != "absent":
        evidence += _region_evidence(claim, sources.probe, sources.film_shape)
    evidence += _measurement_evidence(claim, sources) + _prior_evidence(claim, sources)
    if signals.agreement is not None:
        count = len(sources.sample_claims)
        words = f"{round(signals.agreement * count)} of {count} other drafts agree on {name}."
        stance = _stance(signals.agreement)
        evidence.append(Evidence("agreement", signals.agreement, stance, "drafts", words))
    return evidence


def _region_evidence(
    claim: Assertion, probe: ProbeOutput, shape: tuple[int, int]
) -> list[Evidence]:
    """Return where the finding lights up, one entry a side where both sides are claimed."""
    evidence = []
    for part in split_sides(claim):
        value = region_signal(part, probe)
        if value is not None:
            words = f"Strongest place of {name_of(part)} {value:.2f}."
            box = box_of(part, probe, shape)
            evidence.append(Evidence("region", value, _stance(value), "film", words, box))
    return evidence


def _measurement_evidence(claim: Assertion, sources: EvidenceSources) -> list[Evidence]:
    """Return the film's measurements of the claimed finding; lengths only where mm are known."""
    evidence = []
    for measurement in sources.probe.measurements if sources.probe else ():
        target = measurement.target
        if target.finding != claim.finding or not is_same_place(claim, target.side, None):
            continue
        if target.length and (sources.edge_mm is None or claim.polarity == "absent"):
            continue
        of_side = f" of the {target.side}" if target.side else ""
        words = f"Measured {target.name}{of_side}: {describe_size(measurement, sources.edge_mm)}."
        value = 1 - measurement.beyond if claim.polarity == "absent" else measurement.beyond
        evidence.append(Evidence("measurement", value, _stance(value), "film", words))
    return evidence


def describe_size(measurement: Measurement, edge_mm: float | None) -> str:
    """Format a measurement, "40 mm, give or take 8 mm"; empty for a length without known mm."""
    if measurement.target.length and edge_mm is None:
        return ""
    scale, form, unit = (edge_mm, ".0f", " mm") if measurement.target.length else (1.0, ".2f", "")
    value, error = ((scale or 1.0) * x for x in (measurement.value, measurement.target.error))
    return f"{value:{form}}{unit}, give or take {error:{form}}{unit}"


def _prior_evidence(claim: Assertion, sources: EvidenceSources) -> list[Evidence]:
    """Return whether the earlier report and film fit a claim of change; empty without either."""
    if claim.comparison is None:
        return []
    plain = Assertion(claim.finding, side=claim.side, zone=claim.zone)
    name, is_new, evidence = name_of(plain), claim.comparison == "new", []
    if sources.prior_claims is not None:
        asserted_before = asserts(sources.prior_claims, plain)
        value = float(asserted_before != is_new)
        verb = "asserts" if asserted_before else "does not assert"
        words = f"The earlier report {verb} {name}."
        evidence.append(Evidence("prior", value, _stance(value), "prior", words))
    if sources.prior_film is not None:
        before = probe_signal(plain, sources.prior_film.probe)
        if before is not None:
            value = 1 - before if is_new else before
            words = f"In the earlier film: probe {before:.2f} for {name}."
            evidence.append(Evidence("prior", value, _stance(value), "prior film", words))
        if sources.probe is not None and (before is None or before >= NEUTRAL):
            evidence += _growth_evidence(claim, sources.probe, sources.prior_film.probe)
    return evidence


def _growth_evidence(claim: Assertion, now: ProbeOutput, before: ProbeOutput) -> list[Evidence]:
    """Return whether the finding's degree in both films fits a claim of growth.

    Empty where the degrees are unknown, or too near to each other to tell growth from noise.
    """
    sign = {"larger": 1.0, "smaller": -1.0}.get(claim.comparison or "")
    degrees = [expected_degree(claim, probe) for probe in (before, now)]
    if sign is None or None in degrees:
        return []
    first, second = (float(degree or 0.0) for degree in degrees)
    if abs(second - first) < SAME_DEGREE:
        return []
    value = 0.5 + sign * (second - first) / 4  # degrees lie from 1 to 3
    words = f"Its degree by the probe, 1 small to 3 large: {first:.1f} before, {second:.1f} now."
    return [Evidence("prior", value, _stance(value), "prior film", words)]


def _stance(value: float) -> Stance:
    return "supports" if value >= NEUTRAL else "contradicts"


def box_of(
    claim: Assertion, probe: ProbeOutput, shape: tuple[int, int] = (1, 1)
) -> tuple[float, float, float, float] | None:
    """Return the box where a finding lights up on the claimed side, as parts of the film in [0, 1].

    The box (left, top, right, bottom) holds the patches joined to the strongest one that are at
    least half as strong; None where the probe has no patch map for the finding.
    """
    patch_map = probe.patch_maps.get(claim.finding)
    if patch_map is None:
        return None
    from scipy import ndimage  # not needed to import this module

    edge = patch_map.shape[1]
    claimed_side = patch_map.copy()
    if claim.side in SIDES:  # the patient's right lies on the left of the film
        other_half = slice(edge // 2, None) if claim.side == RIGHT else slice(None, edge // 2)
        claimed_side[:, other_half] = 0
    regions = np.zeros(claimed_side.shape, np.int32)
    ndimage.label(claimed_side >= BOX_SHARE * claimed_side.max(), output=regions)
    peak = np.unravel_index(int(claimed_side.argmax()), claimed_side.shape)
    rows, columns = np.nonzero(regions == regions[peak])
    (left, right), (top, bottom) = (
        _square_to_film(int(at.min()) / edge, (int(at.max()) + 1) / edge, length / max(shape))
        for at, length in ((columns, shape[1]), (rows, shape[0]))
    )
    return left, top, right, bottom


def _square_to_film(start: float, stop: float, share: float) -> tuple[float, float]:
    """Convert parts of the encoder's square into parts of the film, which fills `share` of it."""
    low, high = (min(max((at - 0.5) / share + 0.5, 0.0), 1.0) for at in (start, stop))
    return low, high


def _neighbour_evidence(
    claims: Sequence[Assertion], sources: EvidenceSources
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Return the evidence from similar cases; a case is cited only if it supports every claim."""
    evidence: list[Evidence] = []
    citations: list[str] = []
    verb: dict[Stance, str] = {
        "supports": "asserts the same",
        "contradicts": "says otherwise",
        "silent": "is silent",
    }
    for neighbour, neighbour_claims in sources.neighbours if claims else ():
        stance: Stance = "silent"
        if all(asserts(neighbour_claims, claim) for claim in claims):
            stance = "supports"
            citations.append(neighbour.case)
        elif any(denies(neighbour_claims, claim) for claim in claims):
            stance = "contradicts"
        words = (
            f"Similar case {neighbour.case} {verb[stance]} (similarity {neighbour.similarity:.2f})."
        )
        value = max(0.0, neighbour.similarity)
        evidence.append(Evidence("neighbour", value, stance, neighbour.case, words))
    return tuple(evidence), tuple(citations)
