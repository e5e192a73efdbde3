"""What an answer claims of a film, and whether it goes with what is read in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES, each_side, sides_agree
from assistant.chest.question_words import NUMBERS, POSITIONS
from assistant.chest.vocabulary import NORMAL
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

COUNTS = {words.lower(): number for number, words in NUMBERS.items()}
PLACES = {words.lower(): place for place, words in POSITIONS.items()}
MORE = {"larger.": 1, "unchanged.": 0, "smaller.": -1}
CHANGES = {*MORE, "new.", "resolved."}


def claims_of_answer(question: str, answer: str) -> tuple[Assertion, ...]:
    """What question and answer together claim of the film, in the forms that answers have.

    () where that cannot be told: of what is no finding, of "No." to a question that was put in the
    negative, or to one about a degree or a change, which leaves open what else is there. Spans are
    characters of the answer, all of them where the finding is named in the question alone.
    """
    if own := find_assertions(answer):
        return own
    said, span = _normalise(answer), (0, len(answer))
    asked = [
        replace(a, span=span, measurement_mm=None)
        for a in find_assertions(question)
        if a.finding != NORMAL
    ]
    yes_or_no = said.startswith(("yes", "no."))
    if not asked or (yes_or_no and any(a.polarity == "absent" for a in asked)):
        return ()
    if said.startswith("no."):
        if any(a.degree or a.comparison or a.side == BOTH for a in asked):
            return ()
        return tuple(replace(a, polarity="absent") for a in asked)
    if len({a.finding for a in asked}) != 1:
        return ()
    about = replace(asked[0], polarity="present")
    if len(asked) > 1:
        about = Assertion(about.finding, span=span)
    if not said.startswith("yes"):  # "small, moderate or large?" asks for one of them
        about = replace(about, degree=None, comparison=None)
    return _describe_finding(about, said)


def _describe_finding(about: Assertion, said: str) -> tuple[Assertion, ...]:
    """A finding that is there as an answer describes it; () where it does not describe it."""
    if said in CHANGES:
        change = said.rstrip(".")
        polarity = "absent" if change == "resolved" else "present"
        return (replace(about, polarity=polarity, comparison=change),)
    if said in COUNTS or said in PLACES:
        return (about,)
    told = _read_description(said)
    if not told.places and told.degree is None and not said.startswith("yes"):
        return ()
    if set(told.places) == {(side, None) for side in SIDES}:
        told = replace(told, places=((BOTH, None),))
    return tuple(
        replace(
            about,
            side=side or about.side,
            zone=zone or about.zone,
            degree=told.degree or about.degree,
        )
        for side, zone in told.places or ((None, None),)
    )


@dataclass(frozen=True, slots=True)
class _AnswerDescription:
    """What an answer says of a finding that is there."""

    places: tuple[tuple[str | None, str | None], ...]  # (side, zone) in the order of the text
    degree: str | None


def _read_description(said: str) -> _AnswerDescription:
    words = said.replace(",", " ").replace(".", " ").split()
    places: list[tuple[str | None, str | None]] = []
    side: str | None = None
    for word in words:
        if word == "both":
            places += [(one, None) for one in SIDES]
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


def _normalise(text: str) -> str:
    return " ".join(text.lower().split())


def is_consistent(
    question: str, answer: str, read: Sequence[Assertion], prior: Sequence[Assertion]
) -> bool:
    """Whether an answer is not at odds with what is read in the film.

    Of a question about several findings, or none, every answer goes with any reading.
    """
    asked = [a for a in find_assertions(question) if a.finding != NORMAL]
    if len({(a.finding, a.side) for a in asked}) != 1:
        return True
    about = asked[0]
    there = _claims_about(read, about)
    said = _normalise(answer)
    if said.startswith("no.") or "does not show" in said:
        return not there
    if said in CHANGES:
        return _change_fits(said, _claims_about(prior, about), there)
    if not there:
        return False
    return _description_fits(said, about, there)


def _claims_about(claims: Sequence[Assertion], about: Assertion) -> list[Assertion]:
    return [
        c
        for c in claims
        if c.finding == about.finding
        and c.polarity == "present"
        and sides_agree(about.side, c.side)
    ]


def _change_fits(said: str, before: Sequence[Assertion], now: Sequence[Assertion]) -> bool:
    if said == "new.":
        return bool(now) and not before
    if said == "resolved.":
        return bool(before) and not now
    if not (before and now):
        return False
    degrees = [{c.degree for c in claims} for claims in (before, now)]
    if any(len(found) != 1 or not found <= set(DEGREES) for found in degrees):
        return True
    was, is_now = (DEGREES.index(next(iter(found))) for found in degrees)
    return (is_now > was) - (is_now < was) == MORE[said]


def _description_fits(said: str, about: Assertion, there: Sequence[Assertion]) -> bool:
    """Whether sides, zones, degree, number or position are those of what is there."""
    if said in COUNTS:
        return COUNTS[said] == len(there)
    if said in PLACES:
        return PLACES[said] == (there[0].degree or PLACES[said])
    told = _read_description(said)
    sides = {side for side, _ in told.places if side}
    known = {side for c in there for side in each_side(c.side)}
    if sides and about.side is None and None not in known and sides != known:
        return False
    zones, held = {zone for _, zone in told.places if zone}, {c.zone for c in there}
    if zones and None not in held and zones != held:
        return False
    degrees = {c.degree for c in there}
    return told.degree is None or None in degrees or told.degree in degrees
