"""Finds many phrases in a text at once: words, a small phrase language, an index, a scan.

This module knows neither medicine nor grammar. A phrase is lower-case words in which `a|b` is
either word, `a?` (or `a|b?`) may be missing and `~` stands for a few words in between; hyphens
in a text count as spaces. A text is split into words once and every word looked up in an index
of the phrases that begin with it, so that the cost grows with the text, hardly with the phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

ABBREVIATIONS = frozenset(("approx", "cf", "dr", "e", "fig", "g", "mr", "mrs", "st", "vs"))
# No phrase reaches over these.
STOPS = frozenset((".", ";", "but", "however", "although", "though", "except"))

_TOKEN = re.compile(
    r"\d+(?:\.\d+)?|[^\W\d_]+(?:'t\b)?|[;:,!?/]|\.(?![a-z\d])"
    # A line end ends a sentence only where the next line starts like one: reports are wrapped.
    r"|\n(?=[ \t]*(?:[-*\u2022\n]|\d{1,2}[.)]|[A-Z]))"
)


class Entry(Protocol):
    """Whatever has phrases can be looked for."""

    @property
    def phrases(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class PhraseMatch:
    """One phrase found in a text."""

    start: int  # first word
    end: int  # one past the last word
    entry: object  # what the phrase belongs to
    wording: frozenset[str] = frozenset()  # the words its phrase may be made of


@dataclass(frozen=True, slots=True)
class _Part:
    words: frozenset[str]
    optional: bool
    after_gap: bool


@dataclass(frozen=True, slots=True)
class _Phrase:
    parts: tuple[_Part, ...]
    entry: Entry
    wording: frozenset[str]


Index = dict[str, list[_Phrase]]


def index_of(entries: Iterable[Entry]) -> Index:
    """Return the phrases of all entries by each word that may come first."""
    index: Index = {}
    for entry in entries:
        for text in entry.phrases:
            phrase = _phrase(text, entry)
            for part in phrase.parts:
                for word in part.words:
                    index.setdefault(word, []).append(phrase)
                if not part.optional:
                    break
    return index


def _phrase(text: str, entry: Entry) -> _Phrase:
    parts, gap = [], False
    for word in text.split():
        if word == "~":
            gap = True
            continue
        words = frozenset(word.removesuffix("?").split("|"))
        parts.append(_Part(words, word.endswith("?"), gap))
        gap = False
    return _Phrase(tuple(parts), entry, frozenset().union(*(part.words for part in parts)))


def tokens(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the lower-case words of a text and their places in it; never raises.

    Punctuation counts as words, and every end of a sentence becomes a full stop.
    """
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for match in _TOKEN.finditer(text.replace("\u2019", "'")):
        word = match.group().lower()
        if word in ".!?\n":
            if word == "." and words and words[-1] in ABBREVIATIONS:
                continue
            word = "."
        words.append(word)
        spans.append(match.span())
    return words, spans


def scan(words: Sequence[str], index: Index, gap: int) -> list[PhraseMatch]:
    """Return the best phrase at every word, left to right, `~` being at most `gap` words.

    Hits do not overlap, but for what lies in or after a gap: a phrase with a gap hides only the
    words before it, so that the words in the gap can be found too.
    """
    hits = []
    free = 0
    for i, word in enumerate(words):
        phrases = index.get(word)
        if phrases is None or i < free:
            continue
        best = None
        for phrase in phrases:
            fit = _fit(phrase.parts, 0, words, i, gap)
            if fit is None:
                continue
            end, solid, matched = fit
            # More than one word first, then what lies closer together, then what says more.
            rank = (matched > 1, matched - (end - i), matched)
            if best is None or rank > best[0]:
                best = (rank, PhraseMatch(i, end, phrase.entry, phrase.wording), solid)
        if best is not None:
            hits.append(best[1])
            free = best[2]
    return hits


def _fit(
    parts: Sequence[_Part], first: int, words: Sequence[str], at: int, gap: int
) -> tuple[int, int, int] | None:
    """Match parts[first:] at a word: the end, the end of the part before a gap, words matched."""
    matched = 0
    for number in range(first, len(parts)):
        part = parts[number]
        if part.after_gap and number > first:
            for j in range(at, min(at + gap + 1, len(words))):
                if words[j] in part.words:
                    rest = _fit(parts, number, words, j, gap)
                    if rest is not None:
                        return rest[0], at, matched + rest[2]
                if words[j] in STOPS:
                    break
            return None
        if at < len(words) and words[at] in part.words:
            at += 1
            matched += 1
        elif not part.optional:
            return None
    return (at, at, matched) if matched else None
