"""Finds many phrases in a text at once: a small phrase language, an index, a scan.

This module knows neither medicine nor grammar. A phrase is lower-case words in which `a|b` is
either word, `a?` (or `a|b?`) may be missing, and gaps stand for a few words in between:

- `~` for words that belong to the same noun: it ends at a comma and at words that join another
  noun ("by", "with", "an"), except at "and" or a comma that joins a second predicate;
- `~~` for words of a list of nouns, until its verb;
- `~=` as `~`, and the words in between belong to the phrase.

A text is split into words once (`assistant.labeller.tokens`), and every word is looked up in an
index of the phrases that begin with it, so the cost grows with the text and hardly with the
phrases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.labeller.tokens import STOPS

_VERBS = frozenset(("is", "are", "was", "were", "be", "been", "appears", "appear", "remains",
                    "remain", "has", "have"))  # fmt: skip
_JOINS = frozenset((",", "and"))
# They join another noun, which is not what the phrase is about.
_LEAVES = frozenset((
    "by", "with", "due", "because", "given", "from", "secondary", "near", "behind", "adjacent",
    "overlying", "obscured", "obscuring", "a", "an", "which", "that", "while", "where", "despite",
    "without",
))  # fmt: skip
# They may follow a predicate, and no noun.
_AFTER = _LEAVES | frozenset((
    "in", "on", "at", "or", "since", "compared", "when", "as", "to", "again", "for", "than", "but",
))  # fmt: skip
_NO_GAP, _OF_NOUN, _OF_LIST, _COVERED = range(4)
_GAPS = {"~": _OF_NOUN, "~~": _OF_LIST, "~=": _COVERED}


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
    gap: int  # the kind of gap before it


@dataclass(frozen=True, slots=True)
class _Phrase:
    parts: tuple[_Part, ...]
    entry: Entry
    wording: frozenset[str]
    needs: frozenset[str]  # one of these words is in every text that holds the phrase


@dataclass(slots=True)
class _Candidates:
    """The phrases that may begin with a word, in the order of their entries."""

    whatever_follows: list[_Phrase]
    by_next: dict[str, list[_Phrase]]  # those and the phrases that this word may continue


PhraseIndex = dict[str, _Candidates]


def index_of(entries: Iterable[Entry]) -> PhraseIndex:
    """Return the phrases of all entries by each word that may come first, and the next."""
    begins: dict[str, list[tuple[_Phrase, frozenset[str] | None]]] = {}
    for entry in entries:
        for text in entry.phrases:
            phrase = _parse_phrase(text, entry)
            for number, part in enumerate(phrase.parts):
                following = _words_after(phrase.parts, number)
                for word in part.words:
                    begins.setdefault(word, []).append((phrase, following))
                if not part.optional:
                    break
    index: PhraseIndex = {}
    for word, pairs in begins.items():
        seconds = frozenset().union(*(following for _, following in pairs if following))
        index[word] = _Candidates(
            [phrase for phrase, following in pairs if following is None],
            {
                second: [p for p, following in pairs if following is None or second in following]
                for second in seconds
            },
        )
    return index


def _words_after(parts: Sequence[_Part], number: int) -> frozenset[str] | None:
    """Return the words that must follow a part; None where any may: a gap, or the phrase's end."""
    words: frozenset[str] = frozenset()
    for part in parts[number + 1 :]:
        if part.gap:
            return None
        words |= part.words
        if not part.optional:
            return words
    return None


def words_of(entries: Iterable[Entry]) -> frozenset[str]:
    """Return every word that the phrases of some entries may hold."""
    phrases = (_parse_phrase(text, entry) for entry in entries for text in entry.phrases)
    return frozenset(word for phrase in phrases for word in phrase.wording)


def _parse_phrase(text: str, entry: Entry) -> _Phrase:
    parts, gap = [], _NO_GAP
    for word in text.split():
        if word in _GAPS:
            gap = _GAPS[word]
            continue
        words = frozenset(word.removesuffix("?").split("|"))
        parts.append(_Part(words, word.endswith("?"), gap))
        gap = _NO_GAP
    needs = [part.words for part in parts if not part.optional][-1:] or [parts[0].words]
    wording = frozenset().union(*(part.words for part in parts))
    return _Phrase(tuple(parts), entry, wording, needs[0])


def scan(words: Sequence[str], index: PhraseIndex, gap: int) -> list[PhraseMatch]:
    """Return the best phrase at every word, left to right, `~` being at most `gap` words.

    Matches do not overlap, except in or after a gap: a phrase with a gap covers only the words
    before the gap, so that phrases in the gap are found too.
    """
    matches = []
    next_free = 0
    all_words = frozenset(words)
    last = len(words) - 1
    for i in [i for i, word in enumerate(words) if word in index]:
        if i < next_free:
            continue
        candidates = index[words[i]]
        phrases = candidates.whatever_follows
        if i < last:
            phrases = candidates.by_next.get(words[i + 1], phrases)
        best = None
        for phrase in phrases:
            if phrase.needs.isdisjoint(all_words):
                continue
            single = len(phrase.parts) == 1
            fit = (i + 1, i + 1, 1) if single else _match_parts(phrase.parts, 0, words, i, gap)
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
        if part.gap and number > first:
            for j in _words_of_gap(words, at, gap, part.gap):
                if words[j] in part.words:
                    rest = _match_parts(parts, number, words, j, gap)
                    if rest is not None:
                        blocked = rest[1] if part.gap == _COVERED else at
                        return rest[0], blocked, words_matched + rest[2]
            if part.optional:
                continue
            return None
        if at < len(words) and words[at] in part.words:
            at += 1
            words_matched += 1
        elif not part.optional:
            return None
    return (at, at, words_matched) if words_matched else None


def _words_of_gap(words: Sequence[str], at: int, most: int, kind: int) -> Iterable[int]:
    """Yield the words at which a gap may end, the nearest first."""
    verb = joined = False
    for j in range(at, min(at + most + 1, len(words))):
        word = words[j]
        if not joined or kind == _OF_LIST or _ends_noun(words, j):
            yield j
        if word in STOPS or (kind != _OF_LIST and word in _LEAVES):
            return
        if word in _VERBS:
            verb = True
        elif word in _JOINS:
            if (kind != _OF_LIST and not verb) or (word == "," and kind != _OF_LIST):
                return
            joined = verb
        elif joined and not word.endswith("ly"):
            return


def _ends_noun(words: Sequence[str], at: int) -> bool:
    """Return whether no noun follows: "stable and enlarged", not "normal and enlarged nodes"."""
    following = words[at + 1] if at + 1 < len(words) else "."
    return following in STOPS or following in _VERBS or following in _JOINS or following in _AFTER
