"""Example cases of a card: paintings and films, and reports held against their reference.

Which are shown is fixed by the results alone: pictures in their order, reports by their score. A
picture is shown only if it is a PNG that travels in the page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from evals.results import format_value

PICTURES, EXTREMES = 12, 4  # at most: pictures of a part, and of the best and the worst reports
PNG = re.compile(r"data:image/png;base64,iVBORw0KGgo[A-Za-z0-9+/]+={0,2}")
UNMARKED = ("supported", "unchecked")  # verdicts that are no error
CardCase = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExamplePicture:
    """A picture with the word that stands in its corner."""

    picture: str
    word: str


@dataclass(frozen=True, slots=True)
class PictureExample:
    """Pictures side by side: a painting and the film nearest to it, or a film made anew."""

    shots: tuple[ExamplePicture, ...]
    words: str


@dataclass(frozen=True, slots=True)
class CardSentence:
    """A sentence of a draft with what is told beside it."""

    text: Markup
    verdict: str  # empty where it is no error
    risk: str


@dataclass(frozen=True, slots=True)
class Example:
    """A draft beside its reference, with the errors marked."""

    name: str
    rank: str
    picture: str
    reference: Markup
    draft: tuple[CardSentence, ...]
    omissions: tuple[str, ...]
    fabrications: tuple[str, ...]


def picture_examples(cases: Sequence[CardCase]) -> tuple[tuple[PictureExample, ...], int]:
    """The first of each part's cases with pictures, but for reports, and how many there are."""
    found: dict[str, list[PictureExample]] = {}
    for number, case in enumerate(cases):
        if not _is_report(case) and (shots := _shots(case)):
            part = found.setdefault(str(case.get("part", "")), [])
            part.append(PictureExample(shots, _words_of(number, case)))
    first = [one for part in found.values() for one in part[:PICTURES]]
    return tuple(first), sum(map(len, found.values()))


def _shots(case: CardCase) -> tuple[ExamplePicture, ...]:
    """What a case shows: a film or a painting (`picture`, `nearest`), or a pair with its error."""
    painted = bool(case.get("prompt") or case.get("nearest"))
    keys = {
        "picture": "synthetic" if painted else "film",
        "nearest": "nearest film",
        "film": "film",
        "made": "synthetic",
        "error": "error map",
    }
    shots = (ExamplePicture(_png(case.get(key)), word) for key, word in keys.items())
    return tuple(shot for shot in shots if shot.picture)


def _words_of(number: int, case: CardCase) -> str:
    words = str(case.get("prompt") or case.get("draft") or _named(number, case))
    alike = case.get("similarity")
    return (
        f"{words} (similarity {format_value(alike)})" if isinstance(alike, int | float) else words
    )


def examples_of(cases: Sequence[CardCase]) -> tuple[tuple[Example, ...], int]:
    """The best and the worst reports by their score, best first, and how many there are.

    A higher composite is better; reports of one score stand in their order.
    """
    scored = [
        (number, case)
        for number, case in enumerate(cases)
        if _is_report(case) and _score(case) is not None
    ]
    scored.sort(key=lambda pair: -(_score(pair[1]) or 0.0))
    half = min(EXTREMES, math.ceil(len(scored) / 2))
    told = [_example(*pair, "among the best") for pair in scored[:half]]
    told += [_example(*pair, "among the worst") for pair in scored[half:][-EXTREMES:]]
    return tuple(told), len(scored)


def scores_of(cases: Iterable[CardCase]) -> list[float | None]:
    """The composite score of each report; none where no case has one."""
    told = [_score(case) for case in cases if "composite" in case]
    return told if any(score is not None for score in told) else []


def _example(number: int, case: CardCase, rank: str) -> Example:
    omissions, fabrications = _list(case.get("omissions")), _list(case.get("fabrications"))
    sentences = case.get("sentences") or [{"text": case["draft"]}]
    return Example(
        name=_named(number, case),
        rank=f"composite {format_value(_score(case) or 0.0)}, {rank}",
        picture=_png(case.get("picture")),
        reference=_marked(str(case["reference"]), omissions),
        draft=tuple(_said(sentence, fabrications) for sentence in sentences),
        omissions=omissions,
        fabrications=fabrications,
    )


def _said(sentence: Mapping[str, Any], fabrications: Sequence[str]) -> CardSentence:
    verdict, risk = str(sentence.get("verdict") or ""), sentence.get("risk")
    return CardSentence(
        text=_marked(str(sentence.get("text", "")), fabrications),
        verdict="" if verdict in UNMARKED else verdict,
        risk=f"risk {risk:.0%}" if isinstance(risk, int | float) else "",
    )


def _marked(text: str, phrases: Sequence[str]) -> Markup:
    """The text with the phrases marked that stand in it word for word."""
    told = sorted({phrase.strip() for phrase in phrases} - {""}, key=len, reverse=True)
    if not told:
        return escape(text)
    pattern = re.compile("(" + "|".join(map(re.escape, told)) + ")", re.IGNORECASE)
    # Every second piece of a split by one group is a match.
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if at % 2 else piece
        for at, piece in enumerate(pattern.split(text))
    )


def _is_report(case: CardCase) -> bool:
    return bool(case.get("reference")) and case.get("draft") is not None


def _score(case: CardCase) -> float | None:
    score = case.get("composite")
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        return None
    return float(score)


def _named(number: int, case: CardCase) -> str:
    return f"Case {case.get('case', number)}"


def _list(told: Any) -> tuple[str, ...]:
    """Errors as words, from a string, strings, or claims as finding, side and more."""
    if not isinstance(told, Sequence | Mapping):
        return ()
    if isinstance(told, str):
        return (told,) if told else ()
    return tuple(_words(one) for one in told)


def _words(claim: Any) -> str:
    if isinstance(claim, Mapping):
        claim = list(claim.values())
    if isinstance(claim, Sequence) and not isinstance(claim, str):
        return " ".join(str(word) for word in claim if word is not None)
    return str(claim)


def _png(picture: Any) -> str:
    """A picture that may be shown; empty for anything else."""
    return picture if isinstance(picture, str) and PNG.fullmatch(picture) else ""
