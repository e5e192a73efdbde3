"""Makes questions about a film whose truth is known, each with its only right answer.

They are for training and for evaluation: answers are short and in fixed forms, so that they are
right or wrong letter by letter. This module knows when a question makes sense; its words are in
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
from assistant.claims import covers
from assistant.labeller.summary import summarise
from assistant.types import Assertion

KINDS = ("presence", "side", "place", "size", "count", "device", "comparison", "not_shown")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its only right answer."""

    kind: str  # one of KINDS
    question: str
    answer: str
    prior: str = ""  # what the earlier film showed, by `assistant.labeller.summary.summarise`


@dataclass(frozen=True, slots=True)
class _Instance:
    side: str | None
    zone: str | None
    degree: str | None


@dataclass(frozen=True, slots=True)
class _FilmTruth:
    """What is known to be true of one film."""

    present: Mapping[str, tuple[_Instance, ...]]  # in the order given
    denied: frozenset[tuple[str, str | None]]
    doubtful: frozenset[str]  # uncertain findings, about which nothing is asked
    complete: bool

    def is_absent(self, finding: str, side: str | None = None) -> bool:
        """Return whether a finding, or a finding on a side, is certainly absent."""
        if finding in self.doubtful:
            return False
        instances = self.present.get(finding, ())
        if any(side is None or i.side in (None, side) for i in instances):
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
    """Ask one question of each kind that fits a film, and a few whose answer is no.

    `present` is all that the film shows, findings and devices, old or harmless ones too; anything
    else is taken as absent. `prior` is the same for an earlier film, None where there is none;
    `positions` gives the position of a device's tip, one of POSITIONS. With `complete` False,
    `present` is what a report asserts, which may leave things out: then only what it denies is
    absent, and nothing is counted. The same generator state gives the same questions; the split
    "test" uses one more phrasing.
    """
    film = _film_truth(present, complete)
    prior_truth = None if prior is None else _film_truth(prior, complete)
    asker = _Asker(rng, film, split == "test")
    questions = [
        *asker.ask_presence(),
        *asker.ask_side(),
        *asker.ask_place(),
        *asker.ask_size(),
        *asker.ask_count(),
        *asker.ask_device(positions or {}),
        *asker.ask_not_shown(),
    ]
    if prior_truth is not None and prior is not None:
        questions += asker.ask_comparison(prior_truth, summarise(prior))
    return [questions[i] for i in rng.permutation(len(questions))]


def _film_truth(claims: Sequence[Assertion], complete: bool) -> _FilmTruth:
    present: dict[str, list[_Instance]] = {}
    for a in claims:
        if a.polarity == "present" and a.finding != NORMAL:
            for side in each_side(a.side):
                present.setdefault(a.finding, []).append(_Instance(side, a.zone, a.degree))
    denied = frozenset(
        (a.finding, side)
        for a in claims
        if a.polarity == "absent"
        for side in ((None,) if a.side in (None, BOTH) else (a.side,))
    )
    doubtful = frozenset(a.finding for a in claims if a.polarity == "uncertain")
    sure = {key: tuple(found) for key, found in present.items() if key not in doubtful}
    return _FilmTruth(sure, denied, doubtful, complete)


class _Asker:
    """Draws phrasings and subjects for one film."""

    def __init__(self, rng: np.random.Generator, film: _FilmTruth, test: bool) -> None:
        self._rng, self._film, self._test = rng, film, test
        self._findings = [key for key in film.present if key not in DEVICES]
        self._devices = [key for key in film.present if key in DEVICES]

    def _draw_from(self, items: Sequence) -> Iterator:
        """Yield one item drawn from a list, or nothing where it is empty."""
        if items:
            yield items[int(self._rng.integers(len(items)))]

    def _phrase(self, phrases: Sequence[str], finding: str, side: str = "") -> str:
        templates = phrases if self._test else phrases[:-1]
        return phrase_question(templates[int(self._rng.integers(len(templates)))], finding, side)

    def ask_presence(self) -> Iterator[Question]:
        """Ask whether a finding is present, and on which side."""
        for finding in self._draw_from(self._findings):
            sides = _sides_of(self._film.present[finding])
            side = next(self._draw_from(sides), "") if self._rng.random() < 0.3 else ""
            yes = f"Yes, on the {side}." if side else _answer_yes(sides)
            yield Question("presence", self._phrase(PRESENCE, finding, side), yes)
        denied = sorted({key for key, _ in self._film.denied} - {NORMAL, *ASKED})
        missing = [key for key in (*ASKED, *denied) if self._film.is_absent(key)]
        for at in self._rng.permutation(len(missing))[:2]:
            yield Question("presence", self._phrase(PRESENCE, missing[at]), "No.")
        for finding, side in self._draw_from(self._other_sides(self._findings)):
            yield Question("presence", self._phrase(PRESENCE, finding, side), "No.")

    def ask_side(self) -> Iterator[Question]:
        """Ask for the side: right, left or both."""
        sided = {key: _sides_of(found) for key, found in self._film.present.items()}
        for finding in self._draw_from([key for key, sides in sided.items() if sides]):
            sides = sided[finding]
            answer = "Both sides." if len(sides) == 2 else f"{sides[0].capitalize()}."
            yield Question("side", self._phrase(SIDE, finding), answer)

    def ask_place(self) -> Iterator[Question]:
        """Ask for the zones of the lungs."""
        places = {key: _describe_zones(key, found) for key, found in self._film.present.items()}
        for finding in self._draw_from([key for key, words in places.items() if words]):
            yield Question("place", self._phrase(PLACE, finding), places[finding])

    def ask_size(self) -> Iterator[Question]:
        """Ask for size or degree; of one side where both are present."""
        sizes = [
            (finding, side, degree)
            for finding, found in self._film.present.items()
            if finding not in DEVICES
            for side, degree in _single_degrees(found)
        ]
        for finding, side, degree in self._draw_from(sizes):
            table = SIZE if finding in MEASURED else DEGREE
            yield Question("size", self._phrase(table, finding, side), f"{degree.capitalize()}.")

    def ask_count(self) -> Iterator[Question]:
        """Ask how many nodules there are."""
        number = len(self._film.present.get(COUNTED, ()))
        if self._film.complete and number in NUMBERS:
            yield Question("count", self._phrase(COUNT, COUNTED), NUMBERS[number])

    def ask_device(self, positions: Mapping[str, str]) -> Iterator[Question]:
        """Ask for tubes, lines and wires, and for the position of a tube's tip."""
        for finding in self._draw_from(self._devices):
            yield Question("device", self._phrase(DEVICE, finding), "Yes.")
        for finding in self._draw_from([key for key in DEVICES if self._film.is_absent(key)]):
            yield Question("device", self._phrase(DEVICE, finding), "No.")
        for finding in self._draw_from([key for key in self._devices if key in positions]):
            yield Question("device", self._phrase(TIP, finding), POSITIONS[positions[finding]])

    def ask_comparison(self, prior_truth: _FilmTruth, prior_summary: str) -> Iterator[Question]:
        """Ask what has changed since the earlier film."""
        keys = [
            k
            for k in dict.fromkeys((*self._film.present, *prior_truth.present))
            if k not in DEVICES
        ]
        changes = [
            (finding, side, change)
            for finding in keys
            if finding not in LASTING
            for side in (SIDES if finding_named(finding).sided else (None,))
            if (change := _describe_change(prior_truth, self._film, finding, side))
        ]
        for finding, side, change in self._draw_from(changes):
            yield Question(
                "comparison", self._phrase(COMPARISON, finding, side or ""), change, prior_summary
            )

    def ask_not_shown(self) -> Iterator[Question]:
        """Ask questions with a false premise: about something that the film does not show."""
        for finding, side, table in self._draw_from(list(self._false_premises())):
            thing = with_article(finding, side)
            yield Question(
                "not_shown", self._phrase(table, finding, side), NOT_SHOWN.format(thing=thing)
            )
        for thing in self._draw_from(THINGS if self._rng.random() < 0.5 else ()):
            templates = BEYOND if self._test else BEYOND[:-1]
            question = templates[int(self._rng.integers(len(templates)))].format(thing=thing)
            yield Question("not_shown", question, NOT_SHOWN.format(thing=thing))

    def _false_premises(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for key in (*ASKED, *DEVICES):
            finding = finding_named(key)
            if self._film.is_absent(key):
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
        """Return present findings with the side on which they are absent: the hard denials."""
        return [
            (key, side)
            for key in findings
            if key in self._film.present and finding_named(key).sided
            for side in SIDES
            if self._film.is_absent(key, side)
        ]


def _sides_of(instances: Sequence[_Instance]) -> list[str]:
    return [side for side in SIDES if any(i.side == side for i in instances)]


def _answer_yes(sides: Sequence[str]) -> str:
    if len(sides) == 2:
        return "Yes, on both sides."
    return f"Yes, on the {sides[0]}." if sides else "Yes."


def _describe_zones(finding: str, instances: Sequence[_Instance]) -> str:
    """Return "Right upper zone and left lower zone."; empty where a zone is not known."""
    pairs = {(i.side, i.zone) for i in instances if i.zone}
    if finding_named(finding).sided:
        sides = _sides_of(instances)
        if not sides or {side for side, _ in pairs} != set(sides):
            return ""
        words = [f"{s} {z} zone" for s in SIDES for z in ZONES if (s, z) in pairs]
    else:
        words = [f"{z} zones" for z in ZONES if (None, z) in pairs]
    text = " and ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _single_degrees(instances: Sequence[_Instance]) -> Iterator[tuple[str, str]]:
    """Yield (side or "", degree) where there is one degree only, so a question is unambiguous."""
    sides = _sides_of(instances)
    for side in sides if len(sides) == 2 else ["", *sides]:
        degrees = {i.degree for i in instances if i.degree in DEGREES and side in ("", i.side)}
        if len(degrees) == 1:
            yield side, str(degrees.pop())


def _distinct_instances(film: _FilmTruth, finding: str, side: str | None) -> list[_Instance]:
    """Return the instances of a finding on a side, without a report's vaguer repetitions."""
    on_side = [i for i in film.present.get(finding, ()) if i.side == side]
    if film.complete:
        return on_side
    instances = set(on_side)
    return [
        i
        for i in instances
        if not any(o != i and covers((o.zone, o.degree), (i.zone, i.degree)) for o in instances)
    ]


def _describe_change(
    prior_truth: _FilmTruth, truth: _FilmTruth, finding: str, side: str | None
) -> str:
    """Return how a finding on a side has changed; empty where it was never present or unknown."""
    before, after = (
        _distinct_instances(prior_truth, finding, side),
        _distinct_instances(truth, finding, side),
    )
    if after and not before:
        return "New." if prior_truth.is_absent(finding, side) else ""
    if before and not after:
        return "Resolved." if truth.is_absent(finding, side) else ""
    if len(before) != 1 or len(after) != 1:
        # With several instances only "unchanged" is clear, where all are as before.
        unchanged = bool(before) and sorted(map(repr, before)) == sorted(map(repr, after))
        return "Unchanged." if unchanged and truth.complete else ""
    degree_before, degree_now = before[0].degree, after[0].degree
    if degree_before in DEGREES and degree_now in DEGREES:
        step = DEGREES.index(degree_now) - DEGREES.index(degree_before)
        return "Larger." if step > 0 else "Smaller." if step < 0 else "Unchanged."
    # Without a degree only a complete truth tells that nothing has changed.
    unchanged = truth.complete and before == after
    return "Unchanged." if unchanged else ""
