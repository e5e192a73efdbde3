"""Questions about a film whose truth is known, each with the one answer that is right.

For training and for measuring: answers are short and of one form each, so that they are right or
wrong letter by letter. This module knows when a question makes sense; its words are in
`assistant.chest.question_words`, the names of findings in the vocabulary. It reads no report and
no film.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES, each_side
from assistant.chest.question_words import (
    ASKED,
    BEYOND,
    COMPARISON,
    COUNT,
    COUNTED,
    DEGREE,
    DEVICE,
    GRADED,
    LASTING,
    MEASURED,
    NOT_SHOWN,
    NUMBERS,
    PLACE,
    POSITIONS,
    PRESENCE,
    SIDE,
    SIZE,
    THINGS,
    TIP,
    phrase_question,
    with_article,
)
from assistant.chest.vocabulary import DEVICES, NORMAL, TUBE, finding_named
from assistant.labeller.summary import summarise
from assistant.types import Assertion

KINDS = ("presence", "side", "place", "size", "count", "device", "comparison", "not_shown")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its only right answer."""

    kind: str  # one of KINDS
    question: str
    answer: str
    prior: str = ""  # what the earlier film showed, as `precedent.summarise` says it


@dataclass(frozen=True, slots=True)
class _Instance:
    side: str | None
    zone: str | None
    degree: str | None


@dataclass(frozen=True, slots=True)
class _FilmTruth:
    """What is known of one film."""

    there: Mapping[str, tuple[_Instance, ...]]  # in the order given
    denied: frozenset[tuple[str, str | None]]
    doubtful: frozenset[str]  # findings that are only possible: nothing is asked of them
    complete: bool

    def absent(self, finding: str, side: str | None = None) -> bool:
        """Whether a finding, or a finding on a side, is certainly not there."""
        if finding in self.doubtful:
            return False
        found = self.there.get(finding, ())
        if any(side is None or i.side in (None, side) for i in found):
            return False
        return self.complete or (finding, None) in self.denied or (finding, side) in self.denied


def ask_about(
    rng: np.random.Generator,
    present: Sequence[Assertion],
    prior: Sequence[Assertion] | None,
    split: str,
    positions: Mapping[str, str] | None = None,
    *,
    complete: bool = True,
) -> list[Question]:
    """Ask one question of each kind that a film gives rise to, with a few whose answer is no.

    `present` is what the film shows, findings and devices alike, and what is old or harmless
    too: whatever is not among it is taken as absent. `prior` is the same of an earlier film,
    None where there is none; `positions` says of a device where its tip lies, one of POSITIONS.
    With `complete` False, `present` is what a report asserts, which may leave things out: then
    only what it denies is absent, and nothing is counted. The same generator state gives the
    same questions; the split "test" knows one phrasing more.
    """
    film = _known(present, complete)
    then = None if prior is None else _known(prior, complete)
    asker = _Asker(rng, film, split == "test")
    asked = [
        *asker.presence(),
        *asker.side(),
        *asker.place(),
        *asker.size(),
        *asker.count(),
        *asker.device(positions or {}),
        *asker.not_shown(),
    ]
    if then is not None and prior is not None:
        asked += asker.comparison(then, summarise(prior))
    return [asked[i] for i in rng.permutation(len(asked))]


def _known(claims: Sequence[Assertion], complete: bool) -> _FilmTruth:
    there: dict[str, list[_Instance]] = {}
    for a in claims:
        if a.polarity == "present" and a.finding != NORMAL:
            for side in each_side(a.side):
                there.setdefault(a.finding, []).append(_Instance(side, a.zone, a.degree))
    denied = frozenset(
        (a.finding, side)
        for a in claims
        if a.polarity == "absent"
        for side in ((None,) if a.side in (None, BOTH) else (a.side,))
    )
    doubtful = frozenset(a.finding for a in claims if a.polarity == "uncertain")
    sure = {key: tuple(found) for key, found in there.items() if key not in doubtful}
    return _FilmTruth(sure, denied, doubtful, complete)


class _Asker:
    """Draws phrasings and subjects for one film."""

    def __init__(self, rng: np.random.Generator, film: _FilmTruth, test: bool) -> None:
        self._rng, self._film, self._test = rng, film, test
        self._findings = [key for key in film.there if key not in DEVICES]
        self._devices = [key for key in film.there if key in DEVICES]

    def _one(self, of: Sequence) -> Iterator:
        """One of a list, or nothing where it is empty."""
        if of:
            yield of[int(self._rng.integers(len(of)))]

    def _say(self, phrases: Sequence[str], finding: str, side: str = "") -> str:
        known = phrases if self._test else phrases[:-1]
        return phrase_question(known[int(self._rng.integers(len(known)))], finding, side)

    def presence(self) -> Iterator[Question]:
        """Is it there, and on which side."""
        for finding in self._one(self._findings):
            sides = _sides(self._film.there[finding])
            side = next(self._one(sides), "") if self._rng.random() < 0.3 else ""
            yes = f"Yes, on the {side}." if side else _yes(sides)
            yield Question("presence", self._say(PRESENCE, finding, side), yes)
        missing = [key for key in ASKED if self._film.absent(key)]
        for at in self._rng.permutation(len(missing))[:2]:
            yield Question("presence", self._say(PRESENCE, missing[at]), "No.")
        for finding, side in self._one(self._other_sides(self._findings)):
            yield Question("presence", self._say(PRESENCE, finding, side), "No.")

    def side(self) -> Iterator[Question]:
        """Right, left or both."""
        sided = {key: _sides(found) for key, found in self._film.there.items()}
        for finding in self._one([key for key, sides in sided.items() if sides]):
            sides = sided[finding]
            answer = "Both sides." if len(sides) == 2 else f"{sides[0].capitalize()}."
            yield Question("side", self._say(SIDE, finding), answer)

    def place(self) -> Iterator[Question]:
        """The zones of the lungs."""
        places = {key: _places(key, found) for key, found in self._film.there.items()}
        for finding in self._one([key for key, words in places.items() if words]):
            yield Question("place", self._say(PLACE, finding), places[finding])

    def size(self) -> Iterator[Question]:
        """How large; of one side where the two differ or both are there."""
        sizes = [
            (finding, side, degree)
            for finding, found in self._film.there.items()
            if finding not in DEVICES
            for side, degree in _degrees(found)
        ]
        for finding, side, degree in self._one(sizes):
            table = SIZE if finding in MEASURED else DEGREE
            yield Question("size", self._say(table, finding, side), f"{degree.capitalize()}.")

    def count(self) -> Iterator[Question]:
        """How many nodules."""
        number = len(self._film.there.get(COUNTED, ()))
        if self._film.complete and number in NUMBERS:
            yield Question("count", self._say(COUNT, COUNTED), NUMBERS[number])

    def device(self, positions: Mapping[str, str]) -> Iterator[Question]:
        """Tubes, lines and wires, and whether a tube lies where it should."""
        for finding in self._one(self._devices):
            yield Question("device", self._say(DEVICE, finding), "Yes.")
        for finding in self._one([key for key in DEVICES if self._film.absent(key)]):
            yield Question("device", self._say(DEVICE, finding), "No.")
        for finding in self._one([key for key in self._devices if key in positions]):
            yield Question("device", self._say(TIP, finding), POSITIONS[positions[finding]])

    def comparison(self, then: _FilmTruth, prior: str) -> Iterator[Question]:
        """What has changed since the earlier film."""
        keys = [k for k in dict.fromkeys((*self._film.there, *then.there)) if k not in DEVICES]
        changes = [
            (finding, side, change)
            for finding in keys
            if finding not in LASTING
            for side in (SIDES if finding_named(finding).sided else (None,))
            if (change := _change(then, self._film, finding, side))
        ]
        for finding, side, change in self._one(changes):
            yield Question("comparison", self._say(COMPARISON, finding, side or ""), change, prior)

    def not_shown(self) -> Iterator[Question]:
        """Questions that take something for granted which the film does not show."""
        for finding, side, table in self._one(list(self._presupposed())):
            thing = with_article(finding, side)
            yield Question(
                "not_shown", self._say(table, finding, side), NOT_SHOWN.format(thing=thing)
            )
        for thing in self._one(THINGS if self._rng.random() < 0.5 else ()):
            known = BEYOND if self._test else BEYOND[:-1]
            question = known[int(self._rng.integers(len(known)))].format(thing=thing)
            yield Question("not_shown", question, NOT_SHOWN.format(thing=thing))

    def _presupposed(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for key in (*ASKED, *DEVICES):
            finding = finding_named(key)
            if self._film.absent(key):
                if finding.sided:
                    yield key, "", SIDE
                if finding.zoned and finding.sided:
                    yield key, "", PLACE
                if key in GRADED:
                    yield key, "", SIZE if key in MEASURED else DEGREE
                if key == COUNTED:
                    yield key, "", COUNT
                if key == TUBE:
                    yield key, "", TIP
        for key, side in self._other_sides(GRADED):
            yield key, side, SIZE

    def _other_sides(self, findings: Sequence[str]) -> list[tuple[str, str]]:
        """Findings with the side on which they are not: the hard ones to deny."""
        return [
            (key, side)
            for key in findings
            if key in self._film.there and finding_named(key).sided
            for side in SIDES
            if self._film.absent(key, side)
        ]


def _sides(found: Sequence[_Instance]) -> list[str]:
    return [side for side in SIDES if any(i.side == side for i in found)]


def _yes(sides: Sequence[str]) -> str:
    if len(sides) == 2:
        return "Yes, on both sides."
    return f"Yes, on the {sides[0]}." if sides else "Yes."


def _places(finding: str, found: Sequence[_Instance]) -> str:
    """ "Right upper zone and left lower zone."; empty where a place is not known."""
    pairs = {(i.side, i.zone) for i in found if i.zone}
    if finding_named(finding).sided:
        sides = _sides(found)
        if not sides or {side for side, _ in pairs} != set(sides):
            return ""
        words = [f"{s} {z} zone" for s in SIDES for z in ZONES if (s, z) in pairs]
    else:
        words = [f"{z} zones" for z in ZONES if (None, z) in pairs]
    text = " and ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _degrees(found: Sequence[_Instance]) -> Iterator[tuple[str, str]]:
    """(side or nothing, degree) of which one can ask without being asked which one is meant."""
    sides = _sides(found)
    for side in sides if len(sides) == 2 else ["", *sides]:
        degrees = {i.degree for i in found if i.degree in DEGREES and side in ("", i.side)}
        if len(degrees) == 1:
            yield side, str(degrees.pop())


def _distinct(film: _FilmTruth, finding: str, side: str | None) -> list[_Instance]:
    """What is known of a finding on a side; what a report says again, and vaguer, is no other."""
    listed = [i for i in film.there.get(finding, ()) if i.side == side]
    if film.complete:
        return listed
    found = set(listed)
    return [i for i in found if not any(o != i and _covers(o, i) for o in found)]


def _covers(other: _Instance, instance: _Instance) -> bool:
    """Whether another says all that one says, or more."""
    pairs = ((instance.zone, other.zone), (instance.degree, other.degree))
    return all(ours in (None, theirs) for ours, theirs in pairs)


def _change(then: _FilmTruth, now: _FilmTruth, finding: str, side: str | None) -> str:
    """How a finding on a side has changed; empty where it was never there or nobody can say."""
    before, after = _distinct(then, finding, side), _distinct(now, finding, side)
    if after and not before:
        return "New." if then.absent(finding, side) else ""
    if before and not after:
        return "Resolved." if now.absent(finding, side) else ""
    if len(before) != 1 or len(after) != 1:
        # Of several one cannot say which is meant, unless all are as they were.
        same = bool(before) and sorted(map(repr, before)) == sorted(map(repr, after))
        return "Unchanged." if same and now.complete else ""
    was, now_is = before[0].degree, after[0].degree
    if was in DEGREES and now_is in DEGREES:
        step = DEGREES.index(now_is) - DEGREES.index(was)
        return "Larger." if step > 0 else "Smaller." if step < 0 else "Unchanged."
    # Without a degree only a truth that is complete tells that nothing has changed.
    same = now.complete and before == after
    return "Unchanged." if same else ""
