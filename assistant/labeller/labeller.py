"""Reads what the sentences of a report claim: finding, polarity, place, degree, size, change.

This module knows grammar (negation and its scope, hedges, history, what a place belongs to);
the words for findings and places come as data from the vocabulary of a body part. It follows
NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029) with clauses added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.chest.places import BOTH, DEGREES, SMALL
from assistant.chest.vocabulary import (
    FINDINGS,
    NORMALS,
    PLACES,
    Finding,
    Normal,
    Place,
    finding_named,
)
from assistant.labeller.comparisons import compare
from assistant.labeller.cues import CUES, DEGREE_CUES, NEGATORS, Cue, Degree
from assistant.labeller.matcher import PhraseMatch, index_of, scan, tokens
from assistant.labeller.mentions import (
    SPLITS,
    Mention,
    around,
    describes_next,
    kind_of,
    list_goes_on,
    names_finding,
)
from assistant.types import Assertion, Polarity

_UNITS = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
          "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0, "centimetre": 10.0,
          "centimetres": 10.0}  # fmt: skip
_CUE_GAP, _PHRASE_GAP = 2, 5  # words that a "~" may stand for
_LONGEST_CLAUSE = 200  # events; no sentence has as many, and the work grows with its square
# "5 cm above the carina" is where a thing lies, not how large it is.
_DISTANCE = frozenset(("above", "below", "from", "proximal", "distal", "cranial", "caudal"))
# "From 12 mm" and "previously measured 12 mm" are sizes on another film.
_EARLIER = frozenset(("from", "previously", "formerly"))


@dataclass(frozen=True, slots=True)
class _Size:
    mm: float


_MEANINGS = index_of((*FINDINGS, *NORMALS, *PLACES, *DEGREE_CUES))
_GRAMMAR = index_of(CUES)


def find_assertions(text: str) -> tuple[Assertion, ...]:
    """Return every claim about a finding that a sentence, or a longer text, makes.

    In the order of the text; spans are characters of `text` and cover the finding's name.
    Degrees are on one scale (mild is small, severe is large), sizes in millimetres, changes
    against an earlier film as `Assertion` lists them. Mentions that are history or a condition
    are left out. Never raises; () where nothing is claimed.
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
    clause: list[PhraseMatch | Mention] = []
    for event in events:
        ends = isinstance(event.entry, Cue) and event.entry.kind == "stop"
        if ends or len(clause) == _LONGEST_CLAUSE:
            found += _read_clause(clause, spans)
            clause = []
        if isinstance(event.entry, Finding | Normal):
            clause.append(Mention(event))
        elif not ends:
            clause.append(event)
    found += _read_clause(clause, spans)
    return tuple(found)


def _by_start(hit: PhraseMatch) -> int:
    return hit.start


def _sizes(words: Sequence[str]) -> list[PhraseMatch]:
    """Sizes with a unit; of "12 x 8 mm" the larger, of "from 12 to 8 mm" the one of now."""
    hits = []
    for i, word in enumerate(words):
        if word not in _UNITS or (i + 1 < len(words) and words[i + 1] in _DISTANCE):
            continue
        numbers: list[float] = []
        j = i - 1
        while j >= 0 and (words[j][0].isdecimal() or words[j] in ("x", "by", "to")):
            if words[j][0].isdecimal():
                numbers.append(float(words[j]))
            j -= 1
        k = j - 1 if j > 0 and words[j] in ("measured", "measuring") else j
        if k >= 0 and words[k] in _EARLIER:
            numbers = numbers[:1] if "to" in words[j + 1 : i] else []
        if numbers:
            hits.append(PhraseMatch(j + 1, i + 1, _Size(round(max(numbers) * _UNITS[word], 3))))
    return hits


def _read_clause(
    clause: Sequence[PhraseMatch | Mention], spans: Sequence[tuple[int, int]]
) -> list[Assertion]:
    mentions = [event for event in clause if isinstance(event, Mention)]
    if not mentions:
        return []
    _judge(clause)
    compare(clause)
    _place(clause, mentions)
    return [
        claim for mention in mentions if not mention.skipped for claim in _claims(mention, spans)
    ]


def _judge(clause: Sequence[PhraseMatch | Mention]) -> None:
    """Set the polarity of every mention of a clause, reading left to right."""
    no = maybe = past = False
    said = False  # the negated list is followed by its verb
    listed = False  # hedged to the end of the clause
    seen: list[Mention] = []  # since the last change of subject
    new = 0  # mentions since the negation
    still = any(kind_of(event) == "still" for event in clause)
    for i, event in enumerate(clause):
        if isinstance(event, Mention):
            if isinstance(event.hit.entry, Normal):
                no = False  # a statement of its own
            own = not event.hit.wording.isdisjoint(NEGATORS)
            event.polarity = "absent" if no and not own else "uncertain" if maybe else "present"
            event.skipped = past and not still
            seen.append(event)
            new += 1
            continue
        kind = kind_of(event)
        if kind in ("maybe_either", "condition"):
            if names_finding(clause[i + 1 :]):
                maybe, listed = True, listed or kind == "condition"
            elif seen:
                _turn(seen[-1], "uncertain")
        elif kind == "maybe_list":
            maybe = listed = True
        elif kind in ("no", "no_after", "maybe", "maybe_after"):
            polarity: Polarity = "absent" if kind.startswith("no") else "uncertain"
            back = kind.endswith("after") and bool(seen)
            for mention in seen if back else around(event, seen):
                _turn(mention, polarity)
            if not back:
                no, maybe = no or polarity == "absent", maybe or polarity == "uncertain"
                said, new = False, 0
        elif kind == "past":
            past = True
        elif kind == "verb":
            said = said or (no and new > 0)
        elif kind == "turn":
            no = past = False
            # "In the right setting, this is": no subject has been named yet.
            maybe = listed = listed and not seen
            seen = []
        elif kind in ("comma", "and"):
            ends = describes_next(clause, i) and not list_goes_on(clause, i)
            no = no and not said and not ends
            maybe, past = maybe and (listed or not ends), past and not ends
        elif kind == "with":
            no, maybe = no and new == 0, maybe and new == 0


def _turn(mention: Mention, polarity: Polarity) -> None:
    if isinstance(mention.hit.entry, Normal):
        # "Not clear" denies the denial but does not say what was seen.
        mention.skipped = mention.skipped or polarity == "absent"
    elif polarity == "absent" and mention.hit.wording.isdisjoint(NEGATORS):
        mention.polarity, mention.skipped = "absent", False
    elif polarity == "uncertain" and mention.polarity == "present":
        mention.polarity = "uncertain"


def _place(clause: Sequence[PhraseMatch | Mention], mentions: Sequence[Mention]) -> None:
    """Give every place, degree and size of a clause to the mention it belongs to."""
    pieces: list[list[PhraseMatch | Mention]] = [[]]
    joints: list[str] = []
    for event in clause:
        kind = kind_of(event)
        if kind in SPLITS or (kind == "maybe" and names_finding(pieces[-1])):
            pieces.append([])
            joints.append(kind)
        elif not kind:
            pieces[-1].append(event)
    joints.append("")
    for number, piece in enumerate(pieces):
        own = [event for event in piece if isinstance(event, Mention)]
        after = pieces[number + 1] if joints[number] in ("and", "or") else []
        for event in piece:
            if isinstance(event, Mention) or _tells_change(event, mentions):
                continue
            owner = next((m for m in mentions if m.hit.start <= event.start < m.hit.end), None)
            if owner is None and own:
                owner = min(own, key=lambda m, e=event: _distance(m, e))
            elif owner is None and not isinstance(event.entry, Degree):
                owner = _neighbour(event, after, mentions)
            if owner is not None:
                _attach(owner, event)


def _tells_change(event: PhraseMatch, mentions: Sequence[Mention]) -> bool:
    """Whether a degree tells how much has changed: "slightly improved edema"."""
    cues = [m.changed_by for m in mentions if m.changed_by is not None]
    return any(cue.start <= event.start < cue.end for cue in cues)


def _distance(mention: Mention, event: PhraseMatch) -> tuple[int, bool]:
    """Words in between; of two as near, the one that follows, as adjectives come first."""
    before = mention.hit.start < event.start
    gap = event.start - mention.hit.end if before else mention.hit.start - event.end
    return gap, before


def _neighbour(
    event: PhraseMatch, after: Sequence[PhraseMatch | Mention], mentions: Sequence[Mention]
) -> Mention | None:
    """Whose place it is where its own part of the clause names no finding."""
    if after and isinstance(after[0], PhraseMatch) and isinstance(after[0].entry, Place):
        for other in after:  # "right and left effusions"
            if isinstance(other, Mention):
                return other
    earlier = [m for m in mentions if m.hit.end <= event.start]
    return earlier[-1] if earlier else mentions[0]


def _attach(mention: Mention, event: PhraseMatch) -> None:
    entry = event.entry
    if isinstance(entry, Place):
        mention.places.append(entry)
    elif isinstance(entry, _Size):
        mention.mm = max(entry.mm, mention.mm or 0.0)
    elif isinstance(entry, Degree) and not (mention.degree and event.end == mention.hit.end):
        # Where it ends the name, another tells more: "the heart is mildly large".
        mention.degree = max(entry.value, mention.degree or SMALL, key=DEGREES.index)


def _claims(mention: Mention, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
    """One assertion a finding and place."""
    entry, hit = mention.hit.entry, mention.hit
    span = (spans[hit.start][0], spans[hit.end - 1][1])
    if isinstance(entry, Normal):
        keys, polarity = entry.denies, "uncertain" if mention.polarity == "uncertain" else "absent"
    elif isinstance(entry, Finding):
        keys, polarity = (entry.key,), mention.polarity
    else:
        return []
    change = _change(mention, polarity)
    made = []
    for key in keys:
        finding = finding_named(key)
        places = _places(mention.places) if finding.sided or finding.zoned else [(None, None)]
        for side, zone in dict.fromkeys(
            (side if finding.sided else None, zone if finding.zoned else None)
            for side, zone in places
        ):
            made.append(
                Assertion(key, polarity, side, zone, mention.degree, mention.mm, span, change)
            )
    return made


def _change(mention: Mention, polarity: Polarity) -> str | None:
    """The change that goes with a polarity: what is absent has resolved, or was normal before."""
    if polarity == "absent":
        fits = ("unchanged",) if isinstance(mention.hit.entry, Normal) else ("resolved",)
        return mention.change if mention.change in fits else None
    return mention.change if mention.change != "resolved" else None


def _places(places: Sequence[Place]) -> list[tuple[str | None, str | None]]:
    """The (side, zone) pairs that a list of places names."""
    flat = [word for place in places for word in (place.side, place.zone) if word]
    zones = list(dict.fromkeys(place.zone for place in places if place.zone))
    sides = set(flat) - set(zones)
    # "right upper and left lower": each side has a zone of its own.
    if len(flat) == 4 and [w in zones for w in flat] == [False, True, False, True]:
        pairs = [(flat[0], flat[1]), (flat[2], flat[3])]
        if len(sides) == 2 and BOTH not in sides:
            return list(pairs)
    side = BOTH if len(sides) > 1 else next(iter(sides), None)
    return [(side, zone) for zone in zones or [None]]
