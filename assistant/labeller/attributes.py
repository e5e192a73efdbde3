"""Gives the places, degrees and sizes of a clause to the findings that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.chest.places import BOTH, DEGREES, SMALL
from assistant.chest.vocabulary import Place
from assistant.labeller.cues import Degree
from assistant.labeller.matcher import PhraseMatch
from assistant.labeller.mentions import SPLITS, Mention, kind_of, names_finding

_UNITS = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
          "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0, "centimetre": 10.0,
          "centimetres": 10.0}  # fmt: skip
# "5 cm above the carina" is a distance, not a size.
_DISTANCE = frozenset(("above", "below", "from", "proximal", "distal", "cranial", "caudal"))
# "From 12 mm" and "previously measured 12 mm" are sizes on another film.
_EARLIER = frozenset(("from", "previously", "formerly"))


@dataclass(frozen=True, slots=True)
class _Size:
    mm: float


def find_sizes(words: Sequence[str]) -> list[PhraseMatch]:
    """Find sizes with a unit; the larger of "12 x 8 mm", the last of "from 12 to 8 mm"."""
    matches: list[PhraseMatch] = []
    if _UNITS.keys().isdisjoint(words):
        return matches
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


def assign_attributes(clause: Sequence[PhraseMatch | Mention], mentions: Sequence[Mention]) -> None:
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


def pair_places(places: Sequence[Place]) -> list[tuple[str | None, str | None]]:
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
