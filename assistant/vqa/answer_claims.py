"""Reads what an answer claims of a film, and whether that is consistent with the probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES, each_side, sides_agree
from assistant.chest.question_words import NUMBERS, POSITIONS
from assistant.chest.vocabulary import NORMAL
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

COUNT_ANSWERS = {words.lower(): number for number, words in NUMBERS.items()}
POSITION_ANSWERS = {words.lower(): place for place, words in POSITIONS.items()}
CHANGE_SIGNS = {"larger.": 1, "unchanged.": 0, "smaller.": -1}
CHANGE_ANSWERS = {*CHANGE_SIGNS, "new.", "resolved."}


def claims_of_answer(question: str, answer: str) -> tuple[Assertion, ...]:
    """Return what question and answer together claim, for the fixed forms that answers have.

    () where that is unknown: for what is no finding, for "No." to a negated question, and for
    "No." to one about a degree or a change, which leaves open what is present. Spans are
    characters of the answer, all of them where only the question names the finding.
    """
    if answer_claims := find_assertions(answer):
        return answer_claims
    normalised, span = normalise_answer(answer), (0, len(answer))
    question_claims = [
        replace(a, span=span, measurement_mm=None)
        for a in find_assertions(question)
        if a.finding != NORMAL
    ]
    yes_or_no = normalised.startswith(("yes", "no."))
    if not question_claims or (yes_or_no and any(a.polarity == "absent" for a in question_claims)):
        return ()
    if normalised.startswith("no."):
        if any(a.degree or a.comparison or a.side == BOTH for a in question_claims):
            return ()
        return tuple(replace(a, polarity="absent") for a in question_claims)
    if len({a.finding for a in question_claims}) != 1:
        return ()
    claim = replace(question_claims[0], polarity="present")
    if len(question_claims) > 1:
        claim = Assertion(claim.finding, span=span)
    if not normalised.startswith("yes"):  # "small, moderate or large?" asks for one of them
        claim = replace(claim, degree=None, comparison=None)
    return _describe_finding(claim, normalised)


def _describe_finding(claim: Assertion, answer: str) -> tuple[Assertion, ...]:
    """Return a present finding as an answer describes it; () where it does not describe it."""
    if answer in CHANGE_ANSWERS:
        change = answer.rstrip(".")
        polarity = "absent" if change == "resolved" else "present"
        return (replace(claim, polarity=polarity, comparison=change),)
    if answer in COUNT_ANSWERS or answer in POSITION_ANSWERS:
        return (claim,)
    description = _read_description(answer)
    if not description.places and description.degree is None and not answer.startswith("yes"):
        return ()
    if set(description.places) == {(side, None) for side in SIDES}:
        description = replace(description, places=((BOTH, None),))
    return tuple(
        replace(
            claim,
            side=side or claim.side,
            zone=zone or claim.zone,
            degree=description.degree or claim.degree,
        )
        for side, zone in description.places or ((None, None),)
    )


@dataclass(frozen=True, slots=True)
class _AnswerDescription:
    """Where an answer says that a present finding lies, and how large it is."""

    places: tuple[tuple[str | None, str | None], ...]  # (side, zone) in the order of the text
    degree: str | None


def _read_description(answer: str) -> _AnswerDescription:
    words = answer.replace(",", " ").replace(".", " ").split()
    places: list[tuple[str | None, str | None]] = []
    side: str | None = None
    for word in words:
        if word == "both":
            places += [(s, None) for s in SIDES]
        elif word in SIDES:
            side = word
            places.append((side, None))
        elif word in ZONES:
            if (side, None) in places:
                places.remove((side, None))
            places.append((side, word))
    return _AnswerDescription(
        tuple(dict.fromkeys(places)), next((w for w in words if w in DEGREES), None)
    )


def normalise_answer(text: str) -> str:
    """Return an answer in lower case with single spaces."""
    return " ".join(text.lower().split())


def is_consistent(
    question: str, answer: str, probe_claims: Sequence[Assertion], prior_claims: Sequence[Assertion]
) -> bool:
    """Return whether an answer does not contradict the claims of probe and prior report.

    Every answer to a question about several findings, or none, is consistent.
    """
    question_claims = [a for a in find_assertions(question) if a.finding != NORMAL]
    if len({(a.finding, a.side) for a in question_claims}) != 1:
        return True
    subject = question_claims[0]
    present = _present_claims(probe_claims, subject)
    normalised = normalise_answer(answer)
    if normalised.startswith("no.") or "does not show" in normalised:
        return not present
    if normalised in CHANGE_ANSWERS:
        return _change_fits(normalised, _present_claims(prior_claims, subject), present)
    if not present:
        return False
    return _description_fits(normalised, subject, present)


def _present_claims(claims: Sequence[Assertion], subject: Assertion) -> list[Assertion]:
    return [
        c
        for c in claims
        if c.finding == subject.finding
        and c.polarity == "present"
        and sides_agree(subject.side, c.side)
    ]


def _change_fits(answer: str, before: Sequence[Assertion], now: Sequence[Assertion]) -> bool:
    if answer == "new.":
        return bool(now) and not before
    if answer == "resolved.":
        return bool(before) and not now
    if not (before and now):
        return False
    degrees = [{c.degree for c in claims} for claims in (before, now)]
    if any(len(found) != 1 or not found <= set(DEGREES) for found in degrees):
        return True
    degree_before, degree_now = (DEGREES.index(next(iter(found))) for found in degrees)
    return (degree_now > degree_before) - (degree_now < degree_before) == CHANGE_SIGNS[answer]


def _description_fits(answer: str, subject: Assertion, present: Sequence[Assertion]) -> bool:
    """Return whether sides, zones, degree, number or position are those of the present claims."""
    if answer in COUNT_ANSWERS:
        return COUNT_ANSWERS[answer] == len(present)
    if answer in POSITION_ANSWERS:
        return POSITION_ANSWERS[answer] == (present[0].degree or POSITION_ANSWERS[answer])
    description = _read_description(answer)
    sides = {side for side, _ in description.places if side}
    known_sides = {side for c in present for side in each_side(c.side)}
    if sides and subject.side is None and None not in known_sides and sides != known_sides:
        return False
    zones, known_zones = {zone for _, zone in description.places if zone}, {c.zone for c in present}
    if zones and None not in known_zones and zones != known_zones:
        return False
    degrees = {c.degree for c in present}
    return description.degree is None or None in degrees or description.degree in degrees
