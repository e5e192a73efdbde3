"""What can be measured for and against one claim of a draft, as numbers in [0, 1].

A signal near 1 speaks for the claim, one near 0 against it; None says that it could not be taken,
which is neither. What the numbers mean together is the matter of `assistant.evidence.risk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from assistant.chest.places import BOTH, LARGE, LEFT, MODERATE, RIGHT, SIDES, SMALL
from assistant.claims import denies, same_place, says
from assistant.types import Assertion, Gate, GeneratedText, LabelProbability, Neighbour, ProbeOutput


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of one claim, each in [0, 1] or None."""

    probe: float | None = None  # a head on the encoder: is it so in this film?
    steady: float | None = None  # whether that head says the same of the film moved a little
    region: float | None = None  # the strongest patch of the finding where it is claimed
    agreement: float | None = None  # share of other drafts of the same film that say the same
    neighbours: float | None = None  # share of the similar cases, by likeness, that agree
    confidence: float | None = None  # of the writer, in the words that carry the claim
    known: float | None = None  # how near the film lies to what the backbone was made with


SIGNALS = tuple(field.name for field in fields(Signals))


def probe_signal(claim: Assertion, look: ProbeOutput) -> float | None:
    """The probability that a claim is true by the probe; None where it has no label for it."""
    labels = [c for c in look.chances if c.finding == claim.finding]
    plain = [c for c in labels if not c.degrees and same_place(claim, c.side, c.zone)]
    if not plain:
        return None
    if claim.polarity == "absent":
        return 1 - max(c.probability for c in plain)
    return _on_all_sides(
        claim, [(c.side, c.probability * _degree(claim, c, labels)) for c in plain]
    )


def steadiness_signal(claim: Assertion, look: ProbeOutput) -> float | None:
    """1 where the probe says the same however the film is moved, less where it wavers."""
    found = [
        c for c in look.chances
        if c.finding == claim.finding and not c.degrees and same_place(claim, c.side, c.zone)
    ]  # fmt: skip
    return 1 - max(c.spread for c in found) if found else None


def _degree(claim: Assertion, label: LabelProbability, labels: Iterable[LabelProbability]) -> float:
    """The probability of the claimed degree, where one is claimed and the probe tells degrees."""
    place = (label.side, label.zone)
    graded = {c.degrees: c.probability for c in labels if c.degrees and (c.side, c.zone) == place}
    more = graded.get((MODERATE, LARGE))
    most = graded.get((LARGE,))
    if more is None or most is None:
        return 1.0
    known = {SMALL: 1 - more, MODERATE: more * (1 - most), LARGE: min(more, most)}
    return known.get(claim.degree or "", 1.0)


def _on_all_sides(claim: Assertion, found: Sequence[tuple[str | None, float]]) -> float:
    """The best of what was found; where both sides are claimed, of the weaker side."""
    if claim.side != BOTH or not any(side for side, _ in found):
        return max(value for _, value in found)
    return min(max((v for s, v in found if s == side), default=0.0) for side in SIDES)


def region_signal(claim: Assertion, look: ProbeOutput) -> float | None:
    """The strongest patch of the finding on the claimed side; its absence, for a denial."""
    places = look.places.get(claim.finding)
    if places is None:
        return None
    half = places.shape[1] // 2
    # The patient's right lies on the left of the film.
    parts = {RIGHT: places[:, :half], LEFT: places[:, half:]}
    if claim.polarity == "absent":
        return 1 - float(parts.get(claim.side or "", places).max())
    if claim.side == BOTH:
        return float(min(part.max() for part in parts.values()))
    return float(parts.get(claim.side or "", places).max())


def known_signal(gate: Gate | None) -> float | None:
    """Half where the gate begins to warn of a film, and less the further off it lies."""
    if gate is None or gate.distance is None or not gate.limit:
        return None
    return 1 / (1 + (gate.distance / gate.limit) ** 2)


def agreement_signal(claim: Assertion, drafts: Sequence[Sequence[Assertion]]) -> float | None:
    """The share of drafts whose claims hold this one; a denial also holds where none is made."""
    if not drafts:
        return None
    return float(np.mean([_holds(draft, claim) for draft in drafts]))


def neighbours_signal(
    claim: Assertion, neighbours: Sequence[tuple[Neighbour, Sequence[Assertion]]]
) -> float | None:
    """The share of the similar cases that hold a claim, each weighed by its likeness."""
    weights = np.array([max(n.similarity, 0.0) for n, _ in neighbours])
    if not weights.sum() > 0:
        return None
    holds = [_holds(claims, claim) for _, claims in neighbours]
    return float(weights @ np.array(holds, float) / weights.sum())


def _holds(claims: Sequence[Assertion], claim: Assertion) -> bool:
    if claim.polarity == "absent":
        return not denies(claims, claim)
    return says(claims, claim)


def confidence_signal(written: GeneratedText, start: int, stop: int) -> float | None:
    """The least probable of the tokens that wrote characters `start` to `stop`."""
    logs = [
        log
        for (begin, end), log in zip(written.spans, written.log_probabilities, strict=True)
        if begin < stop and end > start
    ]
    return float(np.exp(min(logs))) if logs else None
