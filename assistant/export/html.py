"""A draft as one page of HTML to print or to keep as PDF, with its film and its review.

The page asks for nothing: no script, no font, no other file; its policy forbids what is left.
Everything that was written elsewhere is escaped by the template.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from assistant.export.draft_json import SCHEMA
from assistant.export.wording import (
    GATE_HEADS,
    NOTICES,
    TITLES,
    correction_words,
    percent,
    review_words,
    risk_words,
)
from assistant.intake.png import preview
from assistant.types import Evidence, Film, Report, Sentence

HERE = Path(__file__).parent
EDGE = 640  # pixels of the film's longer edge: sharp at the size at which it is printed
LONG = 512  # units of the drawing along that edge, so that letters are as large on every film
TAG, LETTER = 30.0, 13.0  # height of a box's number, and width of a letter, in these units
SIGNS = {"supports": "+", "contradicts": "\u2212", "silent": "\u00b7"}
Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """Where numbered sentences have their evidence, in units of the drawing."""

    left: float
    top: float
    width: float
    height: float
    label: str
    tag: tuple[float, float, float, float]  # left, top, width, height of the number's ground
    doubtful: bool  # none of the sentences is both in the text and safe to keep


@dataclass(frozen=True, slots=True)
class PrintedFilm:
    """The film as it is shown, with its boxes."""

    url: str
    width: float  # of the drawing
    height: float
    boxes: tuple[Box, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class PrintedSentence:
    """One sentence with everything that is told of it."""

    number: int
    text: str
    section: str
    verdict: str
    mark: str  # "contradicted, 98 %"; of a supported one its risk alone
    words: str  # "contradicted, risk 98 %, withheld"
    reason: str
    shown: bool  # whether it stands in the text
    decision: str
    written: str
    review: str
    told: tuple[tuple[str, str, str], ...]  # what it says, its sign, and in words


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """All that the template tells."""

    title: str
    notice: str
    wrote: str  # whose words an edited sentence replaces
    banners: tuple[tuple[str, str], ...]
    plate: PrintedFilm | None
    indication: str
    about: tuple[tuple[str, str], ...]
    said: tuple[PrintedSentence, ...]
    tally: str
    review: str  # what was decided, in words; empty where nothing was
    removed: tuple[tuple[str, str], ...]
    cases: tuple[tuple[int, str, str, str, str], ...]
    made: tuple[tuple[str, str], ...]


def draft_page(report: Report, *, film: bool = True) -> str:
    """A report as one self-contained, printable page of HTML; without the picture if not `film`.

    The same report gives the same page.
    """
    return _template().render(page=_page(report, film))


def _page(report: Report, film: bool) -> PrintedPage:
    said = tuple(_said(number, s, report) for number, s in enumerate(report.sentences, 1))
    touched = any(s.review for s in said)
    return PrintedPage(
        title=TITLES[report.author] + (", reviewed" if touched else ""),
        notice=NOTICES[report.author],
        wrote="The backbone wrote" if report.author == "backbone" else "It was",
        banners=_banners(report),
        plate=_plate(report) if film else None,
        indication=report.study.indication,
        about=_about(report),
        said=said,
        tally=_tally(report),
        review=_decided(said) if touched else "",
        removed=report.removed,
        cases=tuple(
            (i, n.case, f"{n.similarity:.2f}", n.source, n.report or ", ".join(n.labels))
            for i, n in enumerate(report.neighbours, 1)
        ),
        made=_made(report),
    )


def _said(number: int, sentence: Sentence, report: Report) -> PrintedSentence:
    risk = "" if sentence.risk is None else percent(sentence.risk)
    # What is supported bears no other mark in the text than its risk.
    marks = (sentence.verdict if sentence.verdict != "supported" or not risk else "", risk)
    return PrintedSentence(
        number=number,
        text=" ".join(sentence.text.split()),
        section=sentence.section,
        verdict=sentence.verdict,
        mark=", ".join(mark for mark in marks if mark),
        words=risk_words(sentence, report.author),
        reason=sentence.reason,
        shown=report.shows(sentence),
        decision=sentence.decision or "",
        written=" ".join(sentence.written.split()),
        review=review_words(sentence, report.author),
        told=_told(sentence, report),
    )


def _told(sentence: Sentence, report: Report) -> tuple[tuple[str, str, str], ...]:
    """The evidence in words; the similar cases together, by their numbers."""
    told = [_line(e) for e in sentence.evidence if e.kind != "neighbour"]
    count = len(report.neighbours)
    if count and sentence.assertions:
        numbers = [i for i, n in enumerate(report.neighbours, 1) if n.case in sentence.citations]
        which = f" [{', '.join(map(str, numbers))}]" if numbers else ""
        words = f"{len(numbers)} of {count} similar cases assert the same{which}."
        told.append(("silent", SIGNS["silent"], words))  # precedent, never proof
    return tuple(told)


def _line(e: Evidence) -> tuple[str, str, str]:
    return e.says, SIGNS[e.says], e.detail or f"{e.kind} {e.value:.2f}"


def _banners(report: Report) -> tuple[tuple[str, str], ...]:
    """What a reader must be told first, each with its heading."""
    banners = []
    if report.gate.answer != "pass":
        head = GATE_HEADS[report.gate.answer]
        banners.append((head, report.abstention or report.gate.reason))
    elif report.abstention:
        banners.append(("Warning", report.abstention))
    if done := correction_words(report.study.films[0]):
        banners.append(("Corrected", done))
    if "synthetic" in report.study.films[0].flags:
        banners.append(("Synthetic", "The film was painted by a computer and is of no patient."))
    return tuple(banners)


def _about(report: Report) -> tuple[tuple[str, str], ...]:
    film = report.study.films[0]
    given = "given by a person, and only checked" if report.author == "person" else ""
    facts = (
        ("Film", film.sha256[:16]),
        ("View", film.view or "not stated"),
        ("Earlier report", "given" if report.study.prior_report.strip() else "none"),
        ("Text", given),
        ("Time", f"{report.provenance.time[:16].replace('T', ' ')} UTC"),
    )
    return tuple((name, fact) for name, fact in facts if fact)


def _tally(report: Report) -> str:
    """How many sentences were checked, and how many of these failed."""
    verdicts = [s.verdict for s in report.sentences]
    checked = len(verdicts) - verdicts.count("unchecked")
    failed = ", ".join(
        f"{verdicts.count(word)} {word}"
        for word in ("supported", "unsupported", "contradicted")
        if word in verdicts
    )
    told = f"{checked} of {len(verdicts)} sentences were checked against the film"
    return f"{told}: {failed}." if failed else f"{told}."


def _decided(said: Sequence[PrintedSentence]) -> str:
    counts = {
        "accepted": sum(s.decision == "accepted" for s in said),
        "rejected": sum(s.decision == "rejected" for s in said),
        "not decided": sum(not s.decision for s in said),
        "edited": sum(bool(s.written) for s in said),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {len(said)} sentences: {told}."


def _made(report: Report) -> tuple[tuple[str, str], ...]:
    p = report.provenance
    return (
        ("Backbone", f"{p.backbone} {p.revision}"),
        ("Adapter", p.adapter or "none"),
        ("Library", p.library),
        ("Film", report.study.films[0].sha256),
        ("Text given" if report.author == "person" else "Prompt", p.prompt_sha256),
        ("Seed", str(p.seed)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in p.versions)),
        ("Time", p.time),
        ("Form", SCHEMA),
    )


def _plate(report: Report) -> PrintedFilm:
    film = report.study.films[0]
    picture = preview(film.pixels, synthetic="synthetic" in film.flags, edge=EDGE)
    width, height = _drawing(film)
    boxes = boxes_of(report)
    caption = "Numbers are those of the sentences; broken lines are in doubt." if boxes else ""
    return PrintedFilm(
        url=f"data:image/png;base64,{base64.b64encode(picture).decode()}",
        width=width,
        height=height,
        boxes=boxes,
        caption=caption,
    )


def _drawing(film: Film) -> tuple[float, float]:
    """Width and height of the drawing that lies over a film."""
    height, width = film.pixels.shape
    return LONG * width / max(height, width), LONG * height / max(height, width)


def boxes_of(report: Report) -> tuple[Box, ...]:
    """Where the sentences have the evidence that supports them; rejected ones have none."""
    numbers: dict[tuple[float, float, float, float], list[int]] = {}
    for number, sentence in enumerate(report.sentences, 1):
        if sentence.decision != "rejected":
            for e in sentence.evidence:
                if e.box is not None and e.says == "supports":
                    numbers.setdefault(e.box, []).append(number)
    wide, high = _drawing(report.study.films[0])
    boxes: list[Box] = []
    for (left, top, right, bottom), told in numbers.items():
        place = (left * wide, top * high, (right - left) * wide, (bottom - top) * high)
        label = ", ".join(str(n) for n in dict.fromkeys(told))
        doubtful = not any(_sure(report, report.sentences[n - 1]) for n in told)
        tag = _free_tag(place, len(label) * LETTER + 10, (wide, high), [b.tag for b in boxes])
        boxes.append(Box(*place, label, tag, doubtful))
    return tuple(boxes)


def _sure(report: Report, sentence: Sentence) -> bool:
    return report.shows(sentence) and sentence.action == "keep"


def _free_tag(
    place: tuple[float, float, float, float],
    width: float,
    drawing: tuple[float, float],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float]:
    """Where a box's number stands: outside its first corner at which no other number stands."""
    left, top, w, h = place
    corners: tuple[Corner, ...] = (
        (left, top - TAG),
        (left + w - width, top - TAG),
        (left, top + h),
        (left + w - width, top + h),
    )
    tags = [
        (min(max(x, 0), drawing[0] - width), min(max(y, 0), drawing[1] - TAG), width, TAG)
        for x, y in corners
    ]
    free = (tag for tag in tags if not any(_meet(tag, other) for other in taken))
    return next(free, tags[0])


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")
