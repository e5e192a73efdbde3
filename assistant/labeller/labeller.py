"""Reads what the sentences of a report claim: finding, polarity, place, degree, size, change.

This module takes a text apart into clauses, and puts what they say together; the words for findings
and places are data from the vocabulary of a body part, and the other modules of this folder read
polarity, attributes and changes. It follows NegEx (Chapman et al. 2001,
doi:10.1006/jbin.2001.1029) with clauses, sections and tables added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant.chest.vocabulary import (
    FINDINGS,
    GENERIC,
    HINTS,
    LOOKALIKES,
    NORMALS,
    PLACES,
    Finding,
    Hint,
    Normal,
    finding_named,
)
from assistant.labeller.attributes import assign_attributes, find_sizes, pair_places
from assistant.labeller.comparisons import mark_changes
from assistant.labeller.cues import ADVERBIALS, CUES, DEGREE_CUES, Cue
from assistant.labeller.matcher import PhraseMatch, index_of, scan, words_of
from assistant.labeller.mentions import Mention, kind_of
from assistant.labeller.polarity import mark_polarities
from assistant.labeller.sections import silent_sections
from assistant.labeller.tables import Piece, split_tables
from assistant.labeller.tokens import ASKED, STOPS, tokenise
from assistant.types import Assertion, Polarity

_CUE_GAP, _PHRASE_GAP = 2, 5  # most words that a "~" may stand for
_LONGEST_CLAUSE = 200  # events; no sentence has as many, and the work grows with its square
_LONGEST_LABEL = 6  # words before the colon of a value
_MEANINGS = index_of((*FINDINGS, *HINTS, *NORMALS, *LOOKALIKES, *PLACES, *DEGREE_CUES))
_GRAMMAR = index_of(CUES)
_KNOWN_WORDS = words_of((*FINDINGS, *HINTS, *NORMALS, *PLACES))
_PAST_VERBS = frozenset(("was", "were"))
_DEFINITE = frozenset(("the", "this", "these", "known"))
_ENGLISH = ("", "en", "eng", "english")


def reads_language(language: str) -> bool:
    """Whether reports in a language are read: English, or where none is stated.

    `language` is a name or a tag of BCP 47, such as `en-GB`.
    """
    return language.strip().casefold().split("-")[0] in _ENGLISH


def find_assertions(text: str, *, advice: bool = False) -> tuple[Assertion, ...]:
    """Return every claim about a finding that a sentence, or a longer text, makes.

    In the order of the text; spans are characters of `text` and cover the finding's name.
    Degrees are on one scale (mild is small, severe is large), sizes in millimetres, changes
    against an earlier film as `Assertion` lists them. Mentions that are history or a condition
    are left out, and so are the sections for these; of advice (`advice`: all of the text is)
    only what it takes for granted counts ("CT of the nodule"). Tables are read by their cells.
    Never raises; () where nothing is claimed.
    """
    if "|" not in text and "\t" not in text:
        return tuple(_read_text(text, advice=advice))
    assertions: list[Assertion] = []
    for part in split_tables(text, _names_finding):
        if isinstance(part, Piece):
            assertions += [
                replace(a, span=part.place(a.span[0], a.span[1]))
                for a in _read_text(part.text, advice=advice)
            ]
        else:
            start, end = part
            assertions += [
                replace(a, span=(a.span[0] + start, a.span[1] + start))
                for a in _read_text(text[start:end], advice=advice)
            ]
    return tuple(assertions)


def _names_finding(text: str) -> bool:
    return any(
        isinstance(match.entry, Finding | Hint | Normal)
        for match in scan(tokenise(text)[0], _MEANINGS, _PHRASE_GAP)
    )


def _read_text(text: str, *, advice: bool) -> list[Assertion]:
    words, spans = tokenise(text, _KNOWN_WORDS)
    if advice:
        _keep_definite(words, 0, len(words))
    elif ":" in words:
        _silence_sections(text, words, spans)
    matches = scan(words, _MEANINGS, _PHRASE_GAP)
    if not matches:
        return []
    matches += find_sizes(words)
    # At the same word the finding sorts before the cue: its own "no" must not negate it.
    events = sorted(matches + _find_cues(words), key=_start_of)
    assertions: list[Assertion] = []
    clause: list[PhraseMatch | Mention] = []
    was = False
    for event in events:
        ends = isinstance(event.entry, Cue) and event.entry.kind == "stop"
        if (
            ends
            or len(clause) == _LONGEST_CLAUSE
            or (words[event.start] == "," and _parts_values(event, clause, words))
        ):
            asked = words[event.start] == ASKED
            assertions += _read_clause(clause, event.start, spans, asked=asked, was=was)
            was = words[event.end - 1] in _PAST_VERBS
            clause = []
        if isinstance(event.entry, Finding | Hint | Normal):
            if not _is_named_already(event, clause):
                clause.append(Mention(event))
        elif not ends:
            clause.append(event)
    assertions += _read_clause(clause, len(words), spans, asked=False, was=was)
    return assertions


def _silence_sections(text: str, words: list[str], spans: Sequence[tuple[int, int]]) -> None:
    """Blot out the words of the sections that claim nothing, in place."""
    i = 0
    for start, end, kind in silent_sections(text):
        while i < len(words) and spans[i][0] < start:
            i += 1
        first = i
        while i < len(words) and spans[i][0] < end:
            i += 1
        if kind == "advice":
            _keep_definite(words, first, i)
        else:
            words[first:i] = ["."] * (i - first)


def _keep_definite(words: list[str], start: int, end: int) -> None:
    """Blot out all words of advice but those of what it takes for granted: "the nodule"."""
    definite = False
    for i in range(start, end):
        word = words[i]
        if word in _DEFINITE:
            definite = True
        elif word in STOPS or word in ADVERBIALS:
            definite = False
        if not definite or word in _DEFINITE:
            words[i] = "."


def _find_cues(words: Sequence[str]) -> list[PhraseMatch]:
    """Find the words of grammar; those within another phrase of grammar are part of it."""
    cues = []
    covered = 0
    for cue in scan(words, _GRAMMAR, _CUE_GAP):
        if cue.start >= covered:
            cues.append(cue)
            covered = cue.end
    return cues


def _parts_values(
    event: PhraseMatch, clause: Sequence[PhraseMatch | Mention], words: Sequence[str]
) -> bool:
    """Return whether a comma parts two values: "effusion: small, pneumothorax: none"."""
    if not any(kind_of(e) == "colon" for e in clause):
        return False
    for word in words[event.end : event.end + _LONGEST_LABEL]:
        if word == ":" or word in STOPS:
            return word == ":"
    return False


def _is_named_already(event: PhraseMatch, clause: Sequence[PhraseMatch | Mention]) -> bool:
    """Return whether a name is part of the name before it: "PICC tip in the SVC"."""
    last = next((other for other in reversed(clause) if isinstance(other, Mention)), None)
    if last is None or not isinstance(event.entry, Finding):
        return False
    if event.entry.key in GENERIC:
        return event.start < last.match.end
    return clause[-1] is last and last.match.entry is event.entry and event.start <= last.match.end


def _start_of(match: PhraseMatch) -> int:
    return match.start


def _read_clause(
    clause: Sequence[PhraseMatch | Mention],
    end: int,
    spans: Sequence[tuple[int, int]],
    *,
    asked: bool,
    was: bool,
) -> list[Assertion]:
    mentions = [event for event in clause if isinstance(event, Mention)]
    if not mentions:
        return []
    mark_polarities(clause, end, asked=asked, was=was)
    mark_changes(clause)
    assign_attributes(clause, mentions)
    return [
        claim
        for mention in mentions
        if not mention.skipped
        for claim in _assertions_of(mention, spans)
    ]


def _assertions_of(mention: Mention, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
    """Return one assertion for each finding and place of a mention."""
    entry, match = mention.match.entry, mention.match
    span = (spans[match.start][0], spans[match.end - 1][1])
    if isinstance(entry, Normal):
        keys, polarity = entry.denies, "uncertain" if mention.polarity == "uncertain" else "absent"
    elif isinstance(entry, Finding | Hint):
        keys, polarity = (entry.key,), mention.polarity
    else:
        return []
    change = _change_of(mention, polarity)
    assertions = []
    for key in keys:
        finding = finding_named(key)
        places = pair_places(mention.places) if finding.sided or finding.zoned else [(None, None)]
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
    if isinstance(mention.match.entry, Normal) and mention.match.entry.change:
        return mention.match.entry.change
    if polarity == "absent":
        possible = ("unchanged",) if isinstance(mention.match.entry, Normal) else ("resolved",)
        return mention.change if mention.change in possible else None
    return mention.change if mention.change != "resolved" else None
