"""Reads what the sentences of a report claim: finding, polarity, place, degree, size, change.

This module knows grammar (negation and its scope, hedges, history, which finding a place belongs
to); the words for findings and places are data from the vocabulary of a body part. It follows
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
from assistant.labeller.comparisons import mark_changes
from assistant.labeller.cues import CUES, DEGREE_CUES, NEGATORS, Cue, Degree
from assistant.labeller.matcher import PhraseMatch, index_of, scan, tokenise
from assistant.labeller.mentions import (
    SPLITS,
    Mention,
    describes_next,
    kind_of,
    list_goes_on,
    mentions_around,
    names_finding,
)
from assistant.types import Assertion, Polarity

_UNITS = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
          "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0, "centimetre": 10.0,
          "centimetres": 10.0}  # fmt: skip
_CUE_GAP, _PHRASE_GAP = 2, 5  # most words that a "~" may stand for
_LONGEST_CLAUSE = 200  # events; no sentence has as many, and the work grows with its square
# "5 cm above the carina" is a distance, not a size.
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
    words, spans = tokenise(text)
    matches = scan(words, _MEANINGS, _PHRASE_GAP)
    if not matches:
        return ()
    if not _UNITS.keys().isdisjoint(words):
        matches += _find_sizes(words)
    # At the same word the finding sorts before the cue: its own "no" must not negate it.
    events = sorted(matches + scan(words, _GRAMMAR, _CUE_GAP), key=_start_of)
    assertions: list[Assertion] = []
    clause: list[PhraseMatch | Mention] = []
    for event in events:
        ends = isinstance(event.entry, Cue) and event.entry.kind == "stop"
        if ends or len(clause) == _LONGEST_CLAUSE:
            assertions += _read_clause(clause, spans)
            clause = []
        if isinstance(event.entry, Finding | Normal):
            clause.append(Mention(event))
        elif not ends:
            clause.append(event)
    assertions += _read_clause(clause, spans)
    return tuple(assertions)


def _start_of(match: PhraseMatch) -> int:
    return match.start


def _find_sizes(words: Sequence[str]) -> list[PhraseMatch]:
    """Find sizes with a unit; the larger of "12 x 8 mm", the last of "from 12 to 8 mm"."""
    matches = []
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
            matches.append(PhraseMatch(j + 1, i + 1, _Size(round(max(numbers) * _UNITS[word], 3))))
    return matches


def _read_clause(
    clause: Sequence[PhraseMatch | Mention], spans: Sequence[tuple[int, int]]
) -> list[Assertion]:
    mentions = [event for event in clause if isinstance(event, Mention)]
    if not mentions:
        return []
    _set_polarities(clause)
    mark_changes(clause)
    _assign_attributes(clause, mentions)
    return [
        claim
        for mention in mentions
        if not mention.skipped
        for claim in _assertions_of(mention, spans)
    ]


def _set_polarities(clause: Sequence[PhraseMatch | Mention]) -> None:
    """Set the polarity of every mention of a clause, reading left to right."""
    negated = hedged = historical = False
    list_closed = False  # the negated list is followed by its verb
    hedged_to_end = False  # hedged to the end of the clause
    mentions: list[Mention] = []  # since the last change of subject
    mentions_since = 0  # mentions since the negation
    still_present = any(kind_of(event) == "still" for event in clause)
    for i, event in enumerate(clause):
        if isinstance(event, Mention):
            if isinstance(event.match.entry, Normal):
                negated = False  # a statement of its own
            has_own_negator = not event.match.wording.isdisjoint(NEGATORS)
            event.polarity = (
                "absent"
                if negated and not has_own_negator
                else "uncertain"
                if hedged
                else "present"
            )
            event.skipped = historical and not still_present
            mentions.append(event)
            mentions_since += 1
            continue
        kind = kind_of(event)
        if kind in ("maybe_either", "condition"):
            if names_finding(clause[i + 1 :]):
                hedged, hedged_to_end = True, hedged_to_end or kind == "condition"
            elif mentions:
                _apply_polarity(mentions[-1], "uncertain")
        elif kind == "maybe_list":
            hedged = hedged_to_end = True
        elif kind in ("no", "no_after", "maybe", "maybe_after"):
            polarity: Polarity = "absent" if kind.startswith("no") else "uncertain"
            looks_back = kind.endswith("after") and bool(mentions)
            for mention in mentions if looks_back else mentions_around(event, mentions):
                _apply_polarity(mention, polarity)
            if not looks_back:
                negated, hedged = negated or polarity == "absent", hedged or polarity == "uncertain"
                list_closed, mentions_since = False, 0
        elif kind == "past":
            historical = True
        elif kind == "verb":
            list_closed = list_closed or (negated and mentions_since > 0)
        elif kind == "turn":
            negated = historical = False
            # "In the right setting, this is": no subject has been named yet.
            hedged = hedged_to_end = hedged_to_end and not mentions
            mentions = []
        elif kind in ("comma", "and"):
            ends_scope = describes_next(clause, i) and not list_goes_on(clause, i)
            negated = negated and not list_closed and not ends_scope
            hedged, historical = (
                hedged and (hedged_to_end or not ends_scope),
                historical and not ends_scope,
            )
        elif kind == "with":
            negated, hedged = negated and mentions_since == 0, hedged and mentions_since == 0


def _apply_polarity(mention: Mention, polarity: Polarity) -> None:
    if isinstance(mention.match.entry, Normal):
        # "Not clear" denies the denial but does not say what was seen.
        mention.skipped = mention.skipped or polarity == "absent"
    elif polarity == "absent" and mention.match.wording.isdisjoint(NEGATORS):
        mention.polarity, mention.skipped = "absent", False
    elif polarity == "uncertain" and mention.polarity == "present":
        mention.polarity = "uncertain"


def _assign_attributes(
    clause: Sequence[PhraseMatch | Mention], mentions: Sequence[Mention]
) -> None:
    """Give every place, degree and size of a clause to the mention it belongs to."""
    parts: list[list[PhraseMatch | Mention]] = [[]]
    joints: list[str] = []
    for event in clause:
        kind = kind_of(event)
        if kind in SPLITS or (kind == "maybe" and names_finding(parts[-1])):
            parts.append([])
            joints.append(kind)
        elif not kind:
            parts[-1].append(event)
    joints.append("")
    for number, part in enumerate(parts):
        part_mentions = [event for event in part if isinstance(event, Mention)]
        next_part = parts[number + 1] if joints[number] in ("and", "or") else []
        for event in part:
            if isinstance(event, Mention) or _is_degree_of_change(event, mentions):
                continue
            owner = next((m for m in mentions if m.match.start <= event.start < m.match.end), None)
            if owner is None and part_mentions:
                owner = min(part_mentions, key=lambda m, e=event: _distance(m, e))
            elif owner is None and not isinstance(event.entry, Degree):
                owner = _find_owner(event, next_part, mentions)
            if owner is not None:
                _attach(owner, event)


def _is_degree_of_change(event: PhraseMatch, mentions: Sequence[Mention]) -> bool:
    """Return whether a degree tells how much has changed: "slightly improved edema"."""
    cues = [m.changed_by for m in mentions if m.changed_by is not None]
    return any(cue.start <= event.start < cue.end for cue in cues)


def _distance(mention: Mention, event: PhraseMatch) -> tuple[int, bool]:
    """Return a sort key: the words in between, then a mention after the event before one ahead."""
    before = mention.match.start < event.start
    gap = event.start - mention.match.end if before else mention.match.start - event.end
    return gap, before


def _find_owner(
    event: PhraseMatch, next_part: Sequence[PhraseMatch | Mention], mentions: Sequence[Mention]
) -> Mention | None:
    """Return the mention of a place whose own part of the clause names no finding."""
    if (
        next_part
        and isinstance(next_part[0], PhraseMatch)
        and isinstance(next_part[0].entry, Place)
    ):
        for other in next_part:  # "right and left effusions"
            if isinstance(other, Mention):
                return other
    earlier = [m for m in mentions if m.match.end <= event.start]
    return earlier[-1] if earlier else mentions[0]


def _attach(mention: Mention, event: PhraseMatch) -> None:
    entry = event.entry
    if isinstance(entry, Place):
        mention.places.append(entry)
    elif isinstance(entry, _Size):
        mention.mm = max(entry.mm, mention.mm or 0.0)
    elif isinstance(entry, Degree) and not (mention.degree and event.end == mention.match.end):
        # A degree that ends the name gives way to another: "the heart is mildly large".
        mention.degree = max(entry.value, mention.degree or SMALL, key=DEGREES.index)


def _assertions_of(mention: Mention, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
    """Return one assertion for each finding and place of a mention."""
    entry, match = mention.match.entry, mention.match
    span = (spans[match.start][0], spans[match.end - 1][1])
    if isinstance(entry, Normal):
        keys, polarity = entry.denies, "uncertain" if mention.polarity == "uncertain" else "absent"
    elif isinstance(entry, Finding):
        keys, polarity = (entry.key,), mention.polarity
    else:
        return []
    change = _change_of(mention, polarity)
    assertions = []
    for key in keys:
        finding = finding_named(key)
        places = _pair_places(mention.places) if finding.sided or finding.zoned else [(None, None)]
        for side, zone in dict.fromkeys(
            (side if finding.sided else None, zone if finding.zoned else None)
            for side, zone in places
        ):
            assertions.append(
                Assertion(key, polarity, side, zone, mention.degree, mention.mm, span, change)
            )
    return assertions


def _change_of(mention: Mention, polarity: Polarity) -> str | None:
    """Return the change if it fits the polarity: what is absent resolved, or was normal before."""
    if polarity == "absent":
        possible = ("unchanged",) if isinstance(mention.match.entry, Normal) else ("resolved",)
        return mention.change if mention.change in possible else None
    return mention.change if mention.change != "resolved" else None


def _pair_places(places: Sequence[Place]) -> list[tuple[str | None, str | None]]:
    """Return the (side, zone) pairs that a list of places names."""
    words = [word for place in places for word in (place.side, place.zone) if word]
    zones = list(dict.fromkeys(place.zone for place in places if place.zone))
    sides = set(words) - set(zones)
    # "right upper and left lower": each side has a zone of its own.
    if len(words) == 4 and [w in zones for w in words] == [False, True, False, True]:
        pairs = [(words[0], words[1]), (words[2], words[3])]
        if len(sides) == 2 and BOTH not in sides:
            return list(pairs)
    side = BOTH if len(sides) > 1 else next(iter(sides), None)
    return [(side, zone) for zone in zones or [None]]
