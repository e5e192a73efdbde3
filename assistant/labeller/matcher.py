"""Finds many phrases in a text at once: a tokeniser, a small phrase language, an index, a scan.

This module knows neither medicine nor grammar. A phrase is lower-case words in which `a|b` is
either word, `a?` (or `a|b?`) may be missing and `~` stands for a few words in between; hyphens
in a text count as spaces. A text is split into words once and every word is looked up in an index
of the phrases that begin with it, so the cost grows with the text and hardly with the phrases.
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
    """Anything that has phrases to search for."""

    @property
    def phrases(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class PhraseMatch:
    """One phrase found in a text."""

    start: int  # first word
    end: int  # one past the last word
    entry: object  # what the phrase belongs to
    wording: frozenset[str] = frozenset()  # all words that its phrase may hold


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


PhraseIndex = dict[str, list[_Phrase]]


def index_of(entries: Iterable[Entry]) -> PhraseIndex:
    """Return the phrases of all entries by each word that may come first."""
    index: PhraseIndex = {}
    for entry in entries:
        for text in entry.phrases:
            phrase = _parse_phrase(text, entry)
            for part in phrase.parts:
                for word in part.words:
                    index.setdefault(word, []).append(phrase)
                if not part.optional:
                    break
    return index


def _parse_phrase(text: str, entry: Entry) -> _Phrase:
    parts, gap = [], False
    for word in text.split():
        if word == "~":
            gap = True
            continue
        words = frozenset(word.removesuffix("?").split("|"))
        parts.append(_Part(words, word.endswith("?"), gap))
        gap = False
    return _Phrase(tuple(parts), entry, frozenset().union(*(part.words for part in parts)))


def tokenise(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the lower-case words of a text and their character spans in it; never raises.

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


def scan(words: Sequence[str], index: PhraseIndex, gap: int) -> list[PhraseMatch]:
    """Return the best phrase at every word, left to right, `~` being at most `gap` words.

    Matches do not overlap, except in or after a gap: a phrase with a gap covers only the words
    before the gap, so that phrases in the gap are found too.
    """
    matches = []
    next_free = 0
    for i, word in enumerate(words):
        phrases = index.get(word)
        if phrases is None or i < next_free:
            continue
        best = None
        for phrase in phrases:
            fit = _match_parts(phrase.parts, 0, words, i, gap)
            if fit is None:
                continue
            end, blocked_until, words_matched = fit
            # Prefer several words to one, then fewer words in between, then more words.
            rank = (words_matched > 1, words_matched - (end - i), words_matched)
            if best is None or rank > best[0]:
                best = (rank, PhraseMatch(i, end, phrase.entry, phrase.wording), blocked_until)
        if best is not None:
            matches.append(best[1])
            next_free = best[2]
    return matches


def _match_parts(
    parts: Sequence[_Part], first: int, words: Sequence[str], at: int, gap: int
) -> tuple[int, int, int] | None:
    """Match parts[first:] at a word: return the end, the end before the gap, the words matched."""
    words_matched = 0
    for number in range(first, len(parts)):
        part = parts[number]
        if part.after_gap and number > first:
            for j in range(at, min(at + gap + 1, len(words))):
                if words[j] in part.words:
                    rest = _match_parts(parts, number, words, j, gap)
                    if rest is not None:
                        return rest[0], at, words_matched + rest[2]
                if words[j] in STOPS:
                    break
            return None
        if at < len(words) and words[at] in part.words:
            at += 1
            words_matched += 1
        elif not part.optional:
            return None
    return (at, at, words_matched) if words_matched else None
