"""An answer to a question about one film, held against what the probe reads in it.

As a draft is drawn again that says otherwise than it was told, so is an answer: of the first and
some others the first is taken that goes with the reading. Whether it does is asked of the forms
that answers have; an answer of another form goes with any reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.backbones.base import Encoded, Sampling, Written
from assistant.backbones.janus import JanusBackbone
from assistant.chest.vocabulary import NORMAL
from assistant.findings import assertions
from assistant.question_words import NUMBERS, POSITIONS, SCALE, SIDES, ZONES
from assistant.types import Assertion

DRAWS = 6  # further answers where the first goes against the reading
WARMTH = 0.7  # their temperature
COUNTS = {words.lower(): number for number, words in NUMBERS.items()}
PLACES = {words.lower(): place for place, words in POSITIONS.items()}
MORE = {"larger.": 1, "unchanged.": 0, "smaller.": -1}
Claims = Sequence[Assertion]


def write_answer(
    backbone: JanusBackbone,
    encoded: Encoded,
    request: str,
    question: str,
    read: Claims | None,
    prior: Claims,
    seed: int,
) -> Written:
    """Answer a request with the adapter "answer", going with what is `read` where that is known.

    `prior` is what the report of an earlier film asserts.
    """
    written = backbone.write([encoded], [request], Sampling(seed=seed), ["answer"])[0]
    if read is None or goes_with(question, written.text, read, prior):
        return written
    drawn = backbone.write(
        [encoded] * DRAWS,
        [request] * DRAWS,
        Sampling(seed=seed, temperature=WARMTH),
        ["answer"] * DRAWS,
    )
    fitting = (one for one in drawn if goes_with(question, one.text, read, prior))
    return next(fitting, written)


def goes_with(question: str, answer: str, read: Claims, prior: Claims) -> bool:
    """Whether an answer is not at odds with what is read in the film.

    Of a question about several findings, or none, every answer goes with any reading.
    """
    asked = [a for a in assertions(question) if a.finding != NORMAL]
    if len({(a.finding, a.side) for a in asked}) != 1:
        return True
    about = asked[0]
    there = _of(read, about)
    said = " ".join(answer.lower().split())
    if said.startswith("no.") or "does not show" in said:
        return not there
    if said in MORE or said in ("new.", "resolved."):
        return _change_fits(said, _of(prior, about), there)
    if not there:
        return False
    return _description_fits(said, about, there)


def _of(claims: Claims, about: Assertion) -> list[Assertion]:
    return [
        c
        for c in claims
        if c.finding == about.finding and c.polarity == "present" and about.side_fits(c)
    ]


def _change_fits(said: str, before: Claims, now: Claims) -> bool:
    if said == "new.":
        return bool(now) and not before
    if said == "resolved.":
        return bool(before) and not now
    if not (before and now):
        return False
    degrees = [{c.degree for c in claims} for claims in (before, now)]
    if any(len(found) != 1 or not found <= set(SCALE) for found in degrees):
        return True
    was, is_now = (SCALE.index(next(iter(found))) for found in degrees)
    return (is_now > was) - (is_now < was) == MORE[said]


def _description_fits(said: str, about: Assertion, there: Claims) -> bool:
    """Whether sides, zones, degree, number or position are those of what is there."""
    if said in COUNTS:
        return COUNTS[said] == len(there)
    if said in PLACES:
        return PLACES[said] == (there[0].degree or PLACES[said])
    words = said.replace(",", " ").replace(".", " ").split()
    sides = {word for word in words if word in SIDES} | (set(SIDES) if "both" in words else set())
    known = {side for c in there for side in (SIDES if c.side == "bilateral" else (c.side,))}
    if sides and about.side is None and None not in known and sides != known:
        return False
    zones, held = {word for word in words if word in ZONES}, {c.zone for c in there}
    if zones and None not in held and zones != held:
        return False
    degrees, degree = {c.degree for c in there}, next((w for w in words if w in SCALE), None)
    return degree is None or None in degrees or degree in degrees
