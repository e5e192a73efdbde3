"""Reads what the sentences of a report claim: finding, polarity, side, zone, degree, size.

This module knows grammar (negation and its scope, hedges, history, what a place belongs to);
the words for findings and places come as data from the vocabulary of a body part. It follows
NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029) with clauses added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.chest.vocabulary import (
    FINDINGS,
    NORMALS,
    PLACES,
    Finding,
    Normal,
    Place,
    finding_named,
)
from assistant.cues import CUES, DEGREES, NEGATORS, SCALE, Cue, Degree
from assistant.phrases import Hit, index_of, scan, tokens
from assistant.types import Assertion, Polarity

_UNITS = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
          "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0, "centimetre": 10.0,
          "centimetres": 10.0}  # fmt: skip
_CUE_GAP, _PHRASE_GAP = 2, 5  # words that a "~" may stand for
_LONGEST_CLAUSE = 200  # events; no sentence has as many, and the work grows with its square
_SPLITS = frozenset(("comma", "and", "or", "with", "link", "turn"))
# "5 cm above the carina" is where a thing lies, not how large it is.
_DISTANCE = frozenset(("above", "below", "from", "proximal", "distal", "cranial", "caudal"))


@dataclass(frozen=True, slots=True)
class _Size:
    mm: float


@dataclass(slots=True)
class _Mention:
    """A finding or a statement of normality as its clause fills it in."""

    hit: Hit
    polarity: Polarity = "present"
    skipped: bool = False
    places: list[Place] = field(default_factory=list)
    degree: str | None = None
    mm: float | None = None


_MEANINGS = index_of((*FINDINGS, *NORMALS, *PLACES, *DEGREES))
_GRAMMAR = index_of(CUES)


def assertions(text: str) -> tuple[Assertion, ...]:
    """Return every claim about a finding that a sentence, or a longer text, makes.

    In the order of the text; spans are characters of `text` and cover the finding's name.
    Degrees are on one scale (mild is small, severe is large), sizes in millimetres. Mentions
    that are history or a condition are left out. Never raises; () where nothing is claimed.
    """
    words, spans = tokens(text)
    hits = scan(words, _MEANINGS, _PHRASE_GAP)
    if not hits:
        return ()
    if not _UNITS.keys().isdisjoint(words):
        hits += _sizes(words)
    # At one place the finding comes before the cue: its own "no" must not negate it.
    events = sorted(hits + scan(words, _GRAMMAR, _CUE_GAP), key=_by_start)
    found: list[Assertion] = []
    clause: list[Hit | _Mention] = []
    for event in events:
        ends = isinstance(event.entry, Cue) and event.entry.kind == "stop"
        if ends or len(clause) == _LONGEST_CLAUSE:
            found += _read_clause(clause, spans)
            clause = []
        if isinstance(event.entry, Finding | Normal):
            clause.append(_Mention(event))
        elif not ends:
            clause.append(event)
    found += _read_clause(clause, spans)
    return tuple(found)


def _by_start(hit: Hit) -> int:
    return hit.start


def _sizes(words: Sequence[str]) -> list[Hit]:
    """Sizes with a unit; of "12 x 8 mm" the larger."""
    hits = []
    for i, word in enumerate(words):
        if word not in _UNITS or (i + 1 < len(words) and words[i + 1] in _DISTANCE):
            continue
        numbers = []
        j = i - 1
        while j >= 0 and (words[j][0].isdecimal() or words[j] in ("x", "by", "to")):
            if words[j][0].isdecimal():
                numbers.append(float(words[j]))
            j -= 1
        if numbers:
            hits.append(Hit(j + 1, i + 1, _Size(round(max(numbers) * _UNITS[word], 3))))
    return hits


def _read_clause(
    clause: Sequence[Hit | _Mention], spans: Sequence[tuple[int, int]]
) -> list[Assertion]:
    mentions = [event for event in clause if isinstance(event, _Mention)]
    if not mentions:
        return []
    _judge(clause)
    _place(clause, mentions)
    return [
        claim for mention in mentions if not mention.skipped for claim in _claims(mention, spans)
    ]


def _judge(clause: Sequence[Hit | _Mention]) -> None:
    """Set the polarity of every mention of a clause, reading left to right."""
    no = maybe = past = said = False  # said: the negated list is followed by its verb
    seen: list[_Mention] = []  # since the last change of subject
    new = 0  # mentions since the negation
    still = any(_kind(event) == "still" for event in clause)
    for i, event in enumerate(clause):
        if isinstance(event, _Mention):
            if isinstance(event.hit.entry, Normal):
                no = False  # a statement of its own
            own = not event.hit.wording.isdisjoint(NEGATORS)
            event.polarity = "absent" if no and not own else "uncertain" if maybe else "present"
            event.skipped = past and not still
            seen.append(event)
            new += 1
            continue
        kind = _kind(event)
        if kind in ("no", "no_after", "maybe", "maybe_after"):
            polarity: Polarity = "absent" if kind.startswith("no") else "uncertain"
            back = kind.endswith("after") and bool(seen)
            for mention in seen if back else _around(event, seen):
                _turn(mention, polarity)
            if not back:
                no, maybe = no or polarity == "absent", maybe or polarity == "uncertain"
                said, new = False, 0
        elif kind == "past":
            past = True
        elif kind == "verb":
            said = said or (no and new > 0)
        elif kind == "turn":
            no = maybe = past = False
            seen = []
        elif kind in ("comma", "and"):
            ends = _describes_next(clause, i) and not _list_goes_on(clause, i)
            no = no and not said and not ends
            maybe, past = maybe and not ends, past and not ends
        elif kind == "with":
            no, maybe = no and new == 0, maybe and new == 0


def _kind(event: Hit | _Mention) -> str:
    return event.entry.kind if isinstance(event, Hit) and isinstance(event.entry, Cue) else ""


def _around(cue: Hit, mentions: Sequence[_Mention]) -> list[_Mention]:
    """The mentions in whose gap a cue stands: "the heart is not enlarged"."""
    return [m for m in mentions if m.hit.start < cue.start < m.hit.end]


def _turn(mention: _Mention, polarity: Polarity) -> None:
    if isinstance(mention.hit.entry, Normal):
        # "Not clear" denies the denial but does not say what was seen.
        mention.skipped = mention.skipped or polarity == "absent"
    elif polarity == "absent" and mention.hit.wording.isdisjoint(NEGATORS):
        mention.polarity, mention.skipped = "absent", False
    elif polarity == "uncertain" and mention.polarity == "present":
        mention.polarity = "uncertain"


def _list_goes_on(clause: Sequence[Hit | _Mention], at: int) -> bool:
    """Whether an "or" is still to come: "no effusion, large nodule or pneumothorax"."""
    return any(_kind(event) == "or" for event in clause[at + 1 :])


def _describes_next(clause: Sequence[Hit | _Mention], at: int) -> bool:
    """Whether a place or a degree follows, as where a new claim begins."""
    following = clause[at + 1] if at + 1 < len(clause) else None
    if not isinstance(following, Hit) or not isinstance(following.entry, Place | Degree):
        return False
    return _names_finding(clause[at + 2 :])


def _place(clause: Sequence[Hit | _Mention], mentions: Sequence[_Mention]) -> None:
    """Give every place, degree and size of a clause to the mention it belongs to."""
    pieces: list[list[Hit | _Mention]] = [[]]
    joints: list[str] = []
    for event in clause:
        kind = _kind(event)
        if kind in _SPLITS or (kind == "maybe" and _names_finding(pieces[-1])):
            pieces.append([])
            joints.append(kind)
        elif not kind:
            pieces[-1].append(event)
    joints.append("")
    for number, piece in enumerate(pieces):
        own = [event for event in piece if isinstance(event, _Mention)]
        after = pieces[number + 1] if joints[number] in ("and", "or") else []
        for event in piece:
            if isinstance(event, _Mention):
                continue
            owner = next((m for m in mentions if m.hit.start <= event.start < m.hit.end), None)
            if owner is None and own:
                owner = min(own, key=lambda m, e=event: _distance(m, e))
            elif owner is None and not isinstance(event.entry, Degree):
                owner = _neighbour(event, after, mentions)
            if owner is not None:
                _attach(owner, event)


def _names_finding(piece: Sequence[Hit | _Mention]) -> bool:
    return any(isinstance(event, _Mention) for event in piece)


def _distance(mention: _Mention, event: Hit) -> tuple[int, bool]:
    """Words in between; of two as near, the one that follows, as adjectives come first."""
    before = mention.hit.start < event.start
    gap = event.start - mention.hit.end if before else mention.hit.start - event.end
    return gap, before


def _neighbour(
    event: Hit, after: Sequence[Hit | _Mention], mentions: Sequence[_Mention]
) -> _Mention | None:
    """Whose place it is where its own part of the clause names no finding."""
    if after and isinstance(after[0], Hit) and isinstance(after[0].entry, Place):
        for other in after:  # "right and left effusions"
            if isinstance(other, _Mention):
                return other
    earlier = [m for m in mentions if m.hit.end <= event.start]
    return earlier[-1] if earlier else mentions[0]


def _attach(mention: _Mention, event: Hit) -> None:
    entry = event.entry
    if isinstance(entry, Place):
        mention.places.append(entry)
    elif isinstance(entry, _Size):
        mention.mm = max(entry.mm, mention.mm or 0.0)
    elif isinstance(entry, Degree) and not (mention.degree and event.end == mention.hit.end):
        # Where it ends the name, another tells more: "the heart is mildly large".
        mention.degree = max(entry.value, mention.degree or "small", key=SCALE.index)


def _claims(mention: _Mention, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
    """One assertion a finding and place."""
    entry, hit = mention.hit.entry, mention.hit
    span = (spans[hit.start][0], spans[hit.end - 1][1])
    if isinstance(entry, Normal):
        keys, polarity = entry.denies, "uncertain" if mention.polarity == "uncertain" else "absent"
    elif isinstance(entry, Finding):
        keys, polarity = (entry.key,), mention.polarity
    else:
        return []
    made = []
    for key in keys:
        finding = finding_named(key)
        places = _places(mention.places) if finding.sided or finding.zoned else [(None, None)]
        for side, zone in dict.fromkeys(
            (side if finding.sided else None, zone if finding.zoned else None)
            for side, zone in places
        ):
            made.append(Assertion(key, polarity, side, zone, mention.degree, mention.mm, span))
    return made


def _places(places: Sequence[Place]) -> list[tuple[str | None, str | None]]:
    """The (side, zone) pairs that a list of places names."""
    flat = [word for place in places for word in (place.side, place.zone) if word]
    zones = list(dict.fromkeys(place.zone for place in places if place.zone))
    sides = set(flat) - set(zones)
    # "right upper and left lower": each side has a zone of its own.
    if len(flat) == 4 and [w in zones for w in flat] == [False, True, False, True]:
        pairs = [(flat[0], flat[1]), (flat[2], flat[3])]
        if len(sides) == 2 and "bilateral" not in sides:
            return list(pairs)
    side = "bilateral" if len(sides) > 1 else next(iter(sides), None)
    return [(side, zone) for zone in zones or [None]]
