"""Example cases of a card: paintings and films, and reports beside their reference.

The results alone decide which are shown: pictures in their order, reports by their score. A
picture is shown only if it is a PNG data URL.
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
    """A picture with the label in its corner."""

    picture: str
    label: str


@dataclass(frozen=True, slots=True)
class PictureExample:
    """Pictures side by side: a painting and its nearest film, or a film and its synthetic copy."""

    pictures: tuple[ExamplePicture, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class CardSentence:
    """A sentence of a draft with its verdict and risk."""

    text: Markup
    verdict: str  # empty where it is no error
    risk: str


@dataclass(frozen=True, slots=True)
class ReportExample:
    """A draft beside its reference, with the errors marked."""

    name: str
    rank: str
    picture: str
    reference: Markup
    draft: tuple[CardSentence, ...]
    omissions: tuple[str, ...]
    fabrications: tuple[str, ...]


def select_picture_examples(cases: Sequence[CardCase]) -> tuple[tuple[PictureExample, ...], int]:
    """Return the first cases with pictures of each part, reports excluded, and the total."""
    by_part: dict[str, list[PictureExample]] = {}
    for number, case in enumerate(cases):
        if not _is_report(case) and (pictures := _pictures_of(case)):
            examples = by_part.setdefault(str(case.get("part", "")), [])
            examples.append(PictureExample(pictures, _caption_of(number, case)))
    first = [example for examples in by_part.values() for example in examples[:PICTURES]]
    return tuple(first), sum(map(len, by_part.values()))


def _pictures_of(case: CardCase) -> tuple[ExamplePicture, ...]:
    """The pictures of a case: film or painting (`picture`, `nearest`), or a pair with its error."""
    painted = bool(case.get("prompt") or case.get("nearest"))
    keys = {
        "picture": "synthetic" if painted else "film",
        "nearest": "nearest film",
        "film": "film",
        "made": "synthetic",
        "error": "error map",
    }
    pictures = (ExamplePicture(_valid_png_of(case.get(key)), label) for key, label in keys.items())
    return tuple(picture for picture in pictures if picture.picture)


def _caption_of(number: int, case: CardCase) -> str:
    caption = str(case.get("prompt") or case.get("draft") or _name_case(number, case))
    similarity = case.get("similarity")
    return (
        f"{caption} (similarity {format_value(similarity)})"
        if isinstance(similarity, int | float)
        else caption
    )


def select_report_examples(cases: Sequence[CardCase]) -> tuple[tuple[ReportExample, ...], int]:
    """Return the best and the worst reports by their score, best first, and the total.

    A higher composite is better; reports of one score stand in their order.
    """
    scored = [
        (number, case)
        for number, case in enumerate(cases)
        if _is_report(case) and _score_of(case) is not None
    ]
    scored.sort(key=lambda pair: -(_score_of(pair[1]) or 0.0))
    best_count = min(EXTREMES, math.ceil(len(scored) / 2))
    examples = [_example_of(*pair, "among the best") for pair in scored[:best_count]]
    examples += [_example_of(*pair, "among the worst") for pair in scored[best_count:][-EXTREMES:]]
    return tuple(examples), len(scored)


def composite_scores_of(cases: Iterable[CardCase]) -> list[float | None]:
    """The composite score of each report; none where no case has one."""
    scores = [_score_of(case) for case in cases if "composite" in case]
    return scores if any(score is not None for score in scores) else []


def _example_of(number: int, case: CardCase, rank: str) -> ReportExample:
    omissions, fabrications = (
        _list_errors(case.get("omissions")),
        _list_errors(case.get("fabrications")),
    )
    sentences = case.get("sentences") or [{"text": case["draft"]}]
    return ReportExample(
        name=_name_case(number, case),
        rank=f"composite {format_value(_score_of(case) or 0.0)}, {rank}",
        picture=_valid_png_of(case.get("picture")),
        reference=_mark_phrases(str(case["reference"]), omissions),
        draft=tuple(_format_sentence(sentence, fabrications) for sentence in sentences),
        omissions=omissions,
        fabrications=fabrications,
    )


def _format_sentence(sentence: Mapping[str, Any], fabrications: Sequence[str]) -> CardSentence:
    verdict, risk = str(sentence.get("verdict") or ""), sentence.get("risk")
    return CardSentence(
        text=_mark_phrases(str(sentence.get("text", "")), fabrications),
        verdict="" if verdict in UNMARKED else verdict,
        risk=f"risk {risk:.0%}" if isinstance(risk, int | float) else "",
    )


def _mark_phrases(text: str, phrases: Sequence[str]) -> Markup:
    """Return the text with every phrase marked that is in it word for word."""
    longest_first = sorted({phrase.strip() for phrase in phrases} - {""}, key=len, reverse=True)
    if not longest_first:
        return escape(text)
    pattern = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")", re.IGNORECASE)
    # Every second piece of a split by one group is a match.
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if index % 2 else piece
        for index, piece in enumerate(pattern.split(text))
    )


def _is_report(case: CardCase) -> bool:
    return bool(case.get("reference")) and case.get("draft") is not None


def _score_of(case: CardCase) -> float | None:
    score = case.get("composite")
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        return None
    return float(score)


def _name_case(number: int, case: CardCase) -> str:
    return f"Case {case.get('case', number)}"


def _list_errors(errors: Any) -> tuple[str, ...]:
    """Return errors as text, from a string, strings, or claims as finding, side and more."""
    if not isinstance(errors, Sequence | Mapping):
        return ()
    if isinstance(errors, str):
        return (errors,) if errors else ()
    return tuple(_format_claim(error) for error in errors)


def _format_claim(claim: Any) -> str:
    if isinstance(claim, Mapping):
        claim = list(claim.values())
    if isinstance(claim, Sequence) and not isinstance(claim, str):
        return " ".join(str(word) for word in claim if word is not None)
    return str(claim)


def _valid_png_of(picture: Any) -> str:
    """The picture if it is a PNG that may be shown; empty for anything else."""
    return picture if isinstance(picture, str) and PNG.fullmatch(picture) else ""
