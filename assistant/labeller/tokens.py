"""Splits the text of a report, as people and machines write it, into words with their places in it.

This module knows spelling alone: ends of sentences without a space, line ends that wrap and line
ends that part, words broken over two lines, ligatures, decimal commas, blackouts, HTML, and the
marks that stand for words (w/o, (-), ?). It knows neither medicine nor grammar.
"""

from __future__ import annotations

import re
from collections.abc import Container

ABBREVIATIONS = frozenset(("approx", "cf", "dr", "e", "fig", "g", "i", "mr", "mrs", "st", "vs"))
# An end of a sentence is a full stop; ASKED is the end of a question.
ASKED, QUERY, MINUS, PLUS = "<asked>", "<query>", "<minus>", "<plus>"
# No phrase reaches over these.
STOPS = frozenset((".", ";", ASKED, "but", "however", "although", "though", "except"))
BLACKOUT = "xxxx"  # stands for any word

_LONGEST_SENTENCE = 40  # words that tell whether marks stand before or after their words
_UNIT = r"[ -]{0,2}(?:cm|mm|centim|millim|x\b|by\b|\u00d7)"
_TOKEN = re.compile(
    # One letter of a level of the spine and its number: T12 is no size.
    r"[CLTSclts]\d{1,2}(?!\w|\.\d)"
    # Words; "non-" belongs to the word that it describes, a break over two lines may.
    r"|(?:[Nn][Oo][Nn](?:[-\u2010\u2011\u2013]\s?|[ ]))?[^\W\d_]+"
    r"(?:(?=[-'/\u00ad\u2010])(?:(?:\u00ad\n?|[-\u2010]\r?\n[ \t]{0,8})[^\W\d_]+|'t\b"
    r"|/[oO](?:ut)?\b|/[lL]\b|/(?=[ ])))?"
    r"|(?<![\w(])\d{1,2}\)(?=[ ]|[A-Za-z]{2})"  # the number of an item: "2) small effusion"
    rf"|\d+(?:\.\d+|,\d{{1,2}}(?={_UNIT}))?"
    r"|\.{4,}|\.|[;:,!/=|\u2022]|\?+"
    # A line end ends a sentence only where the next line starts like one: reports are wrapped.
    r"|(?:\r\n?|\n)(?=[ \t\r]{0,40}(?:[-*\u2022\n|]|\d{1,2}[.)]|[A-Z]))"
    r"|\[\*\*[^\[\]\n]{0,80}\*\*\]|_{2,}|\([-\u2013\u2212+]\)|(?<!\w)[-\u2212+]ve\b"
    r"|</?[A-Za-z][A-Za-z0-9]{0,9}(?:\s[^<>\n]{0,80})?/?>|&(?:[a-z]{2,6}|\#\d{1,5});"
)
_WORDS = {
    "neg": "negative", "w/o": "without", "w/out": "without", "w/": "with", "b/l": "bilat",
    "=": ":", "!": ".", "\u2022": ".", "&bull;": ".",
    "\n": ".", "\r": ".", "\r\n": ".", "|": ".", "+ve": "positive",
}  # fmt: skip
_ANSWERS = frozenset(("no", "none", "negative", "nil", "absent", "yes", "positive", "present"))
_FORMATTING = frozenset(("b", "i", "u", "em", "strong", "span", "font", "sup", "sub", "a"))
# "R. effusion" is one noun; after a capital letter a full stop may end the sentence.
_CUT_SHORT = frozenset(("r", "l", "rt", "lt", "bilat", "neg", "pos", "mod", "sm", "lg", "w"))


def tokenise(
    text: str, known: Container[str] = frozenset()
) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the lower-case words of a text and their character spans in it; never raises.

    Punctuation counts as words, and every end of a sentence becomes a full stop (`ASKED` after a
    question). A word broken over two lines is joined where the whole is a `known` word.
    """
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for match in _TOKEN.finditer(text.replace("\u2019", "'")):
        written = match.group()
        if written.isalpha():
            words.append(written.casefold())
            spans.append(match.span())
            continue
        for word, start, end in _read_token(text, written, match.start(), words, known):
            words.append(word)
            spans.append((start, end))
    if ASKED in words:
        _join_answers(words)
    return words, spans


def _join_answers(words: list[str]) -> None:
    """Make a question and its answer of one word a statement: "effusion? none" as "effusion: none".

    In place, so that the spans stay as they are.
    """
    for i in range(len(words) - 1):
        ends = i + 2 == len(words) or words[i + 2] in (".", ",", ";")
        if words[i] == ASKED and words[i + 1] in _ANSWERS and ends:
            words[i] = ":"


def _read_token(
    text: str, written: str, start: int, words: list[str], known: Container[str]
) -> list[tuple[str, int, int]]:
    """Return the words of a word that is not letters alone, with their spans."""
    end = start + len(written)
    first = written[0]
    if written[:2] == "..":  # the dots between a name and its value
        return [(":", start, end)]
    if written == ".":
        last = words[-1] if words and start and text[start - 1].isalnum() else ""
        return [(".", start, end)] if ends_sentence(text, start, last) else []
    if first == "?":
        if (start == 0 or text[start - 1] in " \t\n(,:;/-") and _is_word_next(text, end):
            return [(".", start, start), (QUERY, start, end)]
        return [(ASKED, start, end)]
    if first.isalpha():
        return _read_word(written, start, known)
    if first.isdecimal():
        if written.endswith(")"):
            return [(".", start, end)]
        return [(written.replace(",", "."), start, end)]
    if first in "[_":
        return [(BLACKOUT, start, end)]
    if first == "(":
        return _read_mark(text, PLUS if "+" in written else MINUS, start, words)
    if written[1:] == "ve" and written not in _WORDS:
        return [("negative", start, end)]
    if first == "<":
        name = re.sub(r"\W+", " ", written).split(maxsplit=1)[0].lower()
        wraps = name == "br" and text[end : end + 8].lstrip()[:1].islower()
        goes_on = wraps or name in _FORMATTING or _goes_on_after_colon(text, end, words)
        return [] if goes_on else [(".", start, end)]
    if first in "\r\n" and _goes_on_after_colon(text, end, words):
        return []  # "heart:" and its value on the next line
    return (
        []
        if first == "&" and written not in _WORDS
        else [(_WORDS.get(written, written), start, end)]
    )


def _read_mark(text: str, mark: str, start: int, words: list[str]) -> list[tuple[str, int, int]]:
    """Return (-) or (+) as a mark before its word, or as the value of the word before it."""
    end = start + len("(-)")
    recent = words[-_LONGEST_SENTENCE:]
    stops = [i for i, word in enumerate(recent) if word in STOPS]
    sentence = [word for word in recent[stops[-1] + 1 if stops else 0 :] if word != ","]
    begins = not sentence or MINUS in sentence or PLUS in sentence
    if begins or (sentence[-1] == ":" and _is_word_next(text, end)):
        return [(mark, start, end)]
    value = [(mark, start, end), (".", end, end)]
    return value if sentence[-1] == ":" else [(":", start, start), *value]


def _read_word(written: str, start: int, known: Container[str]) -> list[tuple[str, int, int]]:
    """Return a word with a mark in it as the words that it stands for."""
    word, end = written.casefold(), start + len(written)
    if word in _WORDS:
        return [(_WORDS[word], start, end)]
    if word.endswith("/"):
        return [(word[:-1], start, end - 1), ("/", end - 1, end)]
    if "/" in word:
        at = word.index("/")
        letters = [(word[:at], start, start + at), ("/", start + at, start + at + 1)]
        return [*letters, (word[at + 1 :], start + at + 1, end)]
    pieces = [(m.group(), start + m.start(), start + m.end()) for m in _PIECE.finditer(written)]
    whole = "".join(piece for piece, _, _ in pieces).casefold()
    if (
        len(pieces) == 1
        or pieces[0][0].casefold() == "non"
        or "\u00ad" in written
        or whole in known
    ):
        return [(whole, start, end)]
    return [(piece.casefold(), a, b) for piece, a, b in pieces]


_PIECE = re.compile(r"[^\W_]+(?:'t)?")


def ends_sentence(text: str, at: int, last: str) -> bool:
    """Return whether the full stop at a place ends a sentence, with or without a space after it.

    `last` is the lower-case word or number that stands right before it, empty where none does.
    """
    following = text[at + 1 : at + 2]
    if following.isalnum():
        if last[:1].isdecimal():
            return following.isalpha()
        return len(last) >= 3 or (len(last) == 2 and following.isupper())
    if last in ABBREVIATIONS:
        return False
    return not (last in _CUT_SHORT and text[at + 1 : at + 3].strip()[:1].islower())


def _goes_on_after_colon(text: str, at: int, words: list[str]) -> bool:
    """Return whether a line that ends with a colon is followed by a line that is not empty."""
    rest = text[at : at + 40].lstrip(" \t\r")
    return bool(words) and words[-1] == ":" and rest[:1].isalpha()


def _is_word_next(text: str, at: int) -> bool:
    return text[at : at + 2].lstrip(" ")[:1].isalpha()
