"""Computes the signals for and against one claim of a draft, as numbers in [0, 1].

A signal near 1 supports the claim, one near 0 contradicts it; None means that it could not be
computed, which is neither. `assistant.evidence.risk` combines the signals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from assistant.chest.places import BOTH, LARGE, LEFT, MODERATE, RIGHT, SIDES, SMALL
from assistant.claims import asserts, denies, is_same_place
from assistant.types import Assertion, Gate, GeneratedText, LabelProbability, Neighbour, ProbeOutput


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of one claim, each in [0, 1] or None."""

    probe: float | None = None  # probability of the claim by the probe on the encoder
    steady: float | None = None  # how little that probability changes as the film is shifted
    region: float | None = None  # strongest patch of the finding on the claimed side
    agreement: float | None = None  # share of other drafts of the same film that agree
    neighbours: float | None = None  # share of the similar cases that agree, weighted by similarity
    confidence: float | None = None  # of the writer, in the tokens that carry the claim
    known: float | None = None  # how close the film is to the backbone's training films


_ABOVE = ((MODERATE, LARGE), (LARGE,))  # the degrees of labels above small, above moderate
SIGNALS = tuple(field.name for field in fields(Signals))


def probe_signal(claim: Assertion, probe: ProbeOutput) -> float | None:
    """Return the probe's probability that a claim is true; None where it has no label for it."""
    labels = [c for c in probe.labels if c.finding == claim.finding]
    matching = _labels_at(claim, labels)
    if not matching:
        return None
    if claim.polarity == "absent":
        return 1 - max(c.probability for c in matching)
    return _combine_sides(
        claim, [(c.side, c.probability * _degree_probability(claim, c, labels)) for c in matching]
    )


def _labels_at(claim: Assertion, labels: Iterable[LabelProbability]) -> list[LabelProbability]:
    """The labels of a claim's place, without degrees.

    A label without a side or zone does not speak for a claim that has one, if others have it: the
    finding may be elsewhere.
    """
    chosen = [c for c in labels if not c.degrees and is_same_place(claim, c.side, c.zone)]
    if claim.side:
        chosen = [c for c in chosen if c.side] or chosen
    if claim.zone:
        chosen = [c for c in chosen if c.zone] or chosen
    return chosen


def steadiness_signal(claim: Assertion, probe: ProbeOutput) -> float | None:
    """Return 1 where the probe's probability is the same in all shifts of the film, less if not."""
    labels = _labels_at(claim, [c for c in probe.labels if c.finding == claim.finding])
    return 1 - max(c.spread for c in labels) if labels else None


def _degree_probability(
    claim: Assertion, label: LabelProbability, labels: Iterable[LabelProbability]
) -> float:
    """Return the probability of the claimed degree; 1 without one or where the probe has none."""
    place = (label.side, label.zone)
    graded = {c.degrees: c.probability for c in labels if c.degrees and (c.side, c.zone) == place}
    above_small = graded.get((MODERATE, LARGE))
    above_moderate = graded.get((LARGE,))
    if above_small is None or above_moderate is None:
        return 1.0
    by_degree = {
        SMALL: 1 - above_small,
        MODERATE: above_small * (1 - above_moderate),
        LARGE: min(above_small, above_moderate),
    }
    return by_degree.get(claim.degree or "", 1.0)


def expected_degree(claim: Assertion, probe: ProbeOutput) -> float | None:
    """Return the probe's mean degree of a finding, 1 (small) to 3 (large), where it has degrees.

    It is that of the claimed place where the finding is likeliest; None where no label has degrees.
    """
    labels = [c for c in probe.labels if c.finding == claim.finding]
    places = _labels_at(claim, labels)
    for place in sorted(places, key=lambda c: -c.probability):
        graded = [c for c in labels if c.degrees and (c.side, c.zone) == (place.side, place.zone)]
        chances = [c.probability for c in graded if c.degrees in _ABOVE]
        if len(chances) == len(_ABOVE):
            return 1 + sum(chances)
    return None


def _combine_sides(claim: Assertion, values: Sequence[tuple[str | None, float]]) -> float:
    """Return the highest value; where both sides are claimed, that of the weaker side."""
    if claim.side != BOTH or not any(side for side, _ in values):
        return max(value for _, value in values)
    return min(max((v for s, v in values if s == side), default=0.0) for side in SIDES)


def region_signal(claim: Assertion, probe: ProbeOutput) -> float | None:
    """Return the strongest patch of the finding on the claimed side; 1 minus it for a denial."""
    patch_map = probe.patch_maps.get(claim.finding)
    if patch_map is None:
        return None
    half = patch_map.shape[1] // 2
    # The patient's right lies on the left of the film.
    halves = {RIGHT: patch_map[:, :half], LEFT: patch_map[:, half:]}
    if claim.polarity == "absent":
        return 1 - float(halves.get(claim.side or "", patch_map).max())
    if claim.side == BOTH:
        return float(min(part.max() for part in halves.values()))
    return float(halves.get(claim.side or "", patch_map).max())


def known_signal(gate: Gate | None) -> float | None:
    """Return 0.5 at the distance where the gate begins to warn, less for films further away."""
    if gate is None or gate.distance is None or not gate.limit:
        return None
    return 1 / (1 + (gate.distance / gate.limit) ** 2)


def agreement_signal(claim: Assertion, drafts: Sequence[Sequence[Assertion]]) -> float | None:
    """Return the share of drafts that agree with a claim; silence agrees with a denial."""
    if not drafts:
        return None
    return float(np.mean([_holds(draft, claim) for draft in drafts]))


def neighbours_signal(
    claim: Assertion, neighbours: Sequence[tuple[Neighbour, Sequence[Assertion]]]
) -> float | None:
    """Return the share of the similar cases that agree with a claim, weighted by similarity."""
    weights = np.array([max(n.similarity, 0.0) for n, _ in neighbours])
    if not weights.sum() > 0:
        return None
    holds = [_holds(claims, claim) for _, claims in neighbours]
    return float(weights @ np.array(holds, float) / weights.sum())


def _holds(claims: Sequence[Assertion], claim: Assertion) -> bool:
    """Return whether claims agree with a claim; they agree with a denial unless they deny it."""
    if claim.polarity == "absent":
        return not denies(claims, claim)
    return asserts(claims, claim)


def confidence_signal(generated: GeneratedText, start: int, stop: int) -> float | None:
    """Return the lowest probability of the tokens that wrote characters `start` to `stop`."""
    logs = [
        log
        for (begin, end), log in zip(generated.spans, generated.log_probabilities, strict=True)
        if begin < stop and end > start
    ]
    return float(np.exp(min(logs))) if logs else None
