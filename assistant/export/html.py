"""A draft as one page of HTML to print or to save as PDF, with its film and its review.

The page loads nothing: no script, no font, no other file; its policy forbids everything else.
The template escapes everything that comes from data.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.export.draft_json import SCHEMA
from assistant.export.templates import html_template
from assistant.export.wording import (
    GATE_HEADS,
    NOTICES,
    TITLES,
    correction_words,
    percent,
    review_words,
    risk_words,
    study_notes,
    use_words,
)
from assistant.intake.notes import notes_of
from assistant.intake.png import preview
from assistant.types import Evidence, Film, Report, Sentence

HERE = Path(__file__).parent
EDGE = 640  # pixels of the film's longer edge: sharp at the size at which it is printed
# Units of the drawing along that edge: letters are equally large on every film.
DRAWING_EDGE = 512
TAG_HEIGHT, LETTER_WIDTH = 30.0, 13.0  # of a box's number, in units of the drawing
STANCE_SIGNS = {"supports": "+", "contradicts": "\u2212", "silent": "\u00b7"}
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the film around the evidence for numbered sentences, in units of the drawing."""

    left: float
    top: float
    width: float
    height: float
    label: str
    tag: Rectangle  # left, top, width, height of the number's background
    doubtful: bool  # whether none of the sentences is both in the text and safe to keep


@dataclass(frozen=True, slots=True)
class PrintedFilm:
    """The film as the page prints it, with its boxes."""

    url: str
    width: float  # of the drawing
    height: float
    boxes: tuple[Box, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class PrintedSentence:
    """One sentence with everything that the page prints about it."""

    number: int
    text: str
    section: str
    verdict: str
    mark: str  # "contradicted, 98 %"; for a supported sentence only its risk
    judgement: str  # "contradicted, risk 98 %, withheld"
    reason: str
    in_text: bool  # whether the text holds it
    decision: str
    original: str
    review: str
    evidence: tuple[tuple[str, str, str], ...]  # stance, its sign, and the evidence in words


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """Everything that the template prints."""

    title: str
    notice: str
    original_label: str  # introduces the text that an edited sentence replaces
    banners: tuple[tuple[str, str], ...]
    film: PrintedFilm | None
    indication: str
    facts: tuple[tuple[str, str], ...]
    sentences: tuple[PrintedSentence, ...]
    check_summary: str
    review_summary: str  # the decisions in words; empty where there are none
    removed: tuple[tuple[str, str], ...]
    cases: tuple[tuple[int, str, str, str, str], ...]
    provenance: tuple[tuple[str, str], ...]


def draft_page(report: Report, *, film: bool = True) -> str:
    """A report as one self-contained, printable page of HTML; without the picture if not `film`.

    The same report gives the same page.
    """
    return html_template(HERE, "page.html.jinja").render(page=_page_of(report, film))


def _page_of(report: Report, film: bool) -> PrintedPage:
    sentences = tuple(
        _print_sentence(number, s, report) for number, s in enumerate(report.sentences, 1)
    )
    reviewed = any(s.review for s in sentences)
    return PrintedPage(
        title=TITLES[report.author] + (", reviewed" if reviewed else ""),
        notice=NOTICES[report.author],
        original_label="The backbone wrote" if report.author == "backbone" else "It was",
        banners=_banners_of(report),
        film=_print_film(report) if film else None,
        indication=report.study.indication,
        facts=_facts_of(report),
        sentences=sentences,
        check_summary=_summarise_checks(report),
        review_summary=_summarise_decisions(sentences) if reviewed else "",
        removed=report.removed,
        cases=tuple(
            (i, n.case, f"{n.similarity:.2f}", n.source, n.report or ", ".join(n.labels))
            for i, n in enumerate(report.neighbours, 1)
        ),
        provenance=_provenance_of(report),
    )


def _print_sentence(number: int, sentence: Sentence, report: Report) -> PrintedSentence:
    risk = "" if sentence.risk is None else percent(sentence.risk)
    # A supported sentence has no other mark in the text than its risk.
    marks = (sentence.verdict if sentence.verdict != "supported" or not risk else "", risk)
    return PrintedSentence(
        number=number,
        text=" ".join(sentence.text.split()),
        section=sentence.section,
        verdict=sentence.verdict,
        mark=", ".join(mark for mark in marks if mark),
        judgement=risk_words(sentence, report.author),
        reason=sentence.reason,
        in_text=report.shows(sentence),
        decision=sentence.decision or "",
        original=" ".join(sentence.written.split()),
        review=review_words(sentence, report.author),
        evidence=_evidence_of(sentence, report),
    )


def _evidence_of(sentence: Sentence, report: Report) -> tuple[tuple[str, str, str], ...]:
    """The evidence in words; the similar cases as one line with their numbers."""
    lines = [_describe_evidence(e) for e in sentence.evidence if e.kind != "neighbour"]
    count = len(report.neighbours)
    if count and sentence.assertions:
        numbers = [i for i, n in enumerate(report.neighbours, 1) if n.case in sentence.citations]
        references = f" [{', '.join(map(str, numbers))}]" if numbers else ""
        words = f"{len(numbers)} of {count} similar cases assert the same{references}."
        lines.append(("silent", STANCE_SIGNS["silent"], words))  # precedent, never proof
    return tuple(lines)


def _describe_evidence(evidence: Evidence) -> tuple[str, str, str]:
    return (
        evidence.says,
        STANCE_SIGNS[evidence.says],
        evidence.detail or f"{evidence.kind} {evidence.value:.2f}",
    )


def _banners_of(report: Report) -> tuple[tuple[str, str], ...]:
    """The warnings at the top of the page, each with its heading."""
    banners = []
    if report.gate.answer != "pass":
        head = GATE_HEADS[report.gate.answer]
        banners.append((head, report.abstention or report.gate.reason))
    elif report.abstention:
        banners.append(("Warning", report.abstention))
    if correction := correction_words(report.study.films[0]):
        banners.append(("Corrected", correction))
    notes = (*notes_of(report.study.films[0]), *study_notes(report))
    banners += [("Note", note) for note in notes]
    if "synthetic" in report.study.films[0].flags:
        banners.append(("Synthetic", "The film was painted by a computer and is of no patient."))
    return tuple(banners)


def _facts_of(report: Report) -> tuple[tuple[str, str], ...]:
    film = report.study.films[0]
    author_note = "given by a person, and only checked" if report.author == "person" else ""
    facts = (
        ("Film", film.sha256[:16]),
        ("View", film.view or "not stated"),
        ("Films", "; ".join(map(use_words, report.provenance.films))),
        ("Earlier report", "given" if report.study.prior_report.strip() else "none"),
        ("Text", author_note),
        ("Time", f"{report.provenance.time[:16].replace('T', ' ')} UTC"),
    )
    return tuple((name, fact) for name, fact in facts if fact)


def _summarise_checks(report: Report) -> str:
    """How many sentences were checked, and how many of these failed."""
    verdicts = [s.verdict for s in report.sentences]
    checked = len(verdicts) - verdicts.count("unchecked")
    failed = ", ".join(
        f"{verdicts.count(word)} {word}"
        for word in ("supported", "unsupported", "contradicted")
        if word in verdicts
    )
    summary = f"{checked} of {len(verdicts)} sentences were checked against the film"
    return f"{summary}: {failed}." if failed else f"{summary}."


def _summarise_decisions(sentences: Sequence[PrintedSentence]) -> str:
    counts = {
        "accepted": sum(s.decision == "accepted" for s in sentences),
        "rejected": sum(s.decision == "rejected" for s in sentences),
        "not decided": sum(not s.decision for s in sentences),
        "edited": sum(bool(s.original) for s in sentences),
    }
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {len(sentences)} sentences: {summary}."


def _provenance_of(report: Report) -> tuple[tuple[str, str], ...]:
    provenance = report.provenance
    return (
        ("Backbone", f"{provenance.backbone} {provenance.revision}"),
        ("Adapter", provenance.adapter or "none"),
        ("Library", provenance.library),
        ("Film", report.study.films[0].sha256),
        ("Text given" if report.author == "person" else "Prompt", provenance.prompt_sha256),
        ("Seed", str(provenance.seed)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in provenance.versions)),
        ("Time", provenance.time),
        ("Form", SCHEMA),
    )


def _print_film(report: Report) -> PrintedFilm:
    film = report.study.films[0]
    picture = preview(film.pixels, synthetic="synthetic" in film.flags, edge=EDGE)
    width, height = _drawing_size(film)
    boxes = boxes_of(report)
    caption = "Numbers are those of the sentences; broken lines are in doubt." if boxes else ""
    return PrintedFilm(
        url=f"data:image/png;base64,{base64.b64encode(picture).decode()}",
        width=width,
        height=height,
        boxes=boxes,
        caption=caption,
    )


def _drawing_size(film: Film) -> tuple[float, float]:
    """Width and height of the drawing over a film."""
    height, width = film.pixels.shape
    return DRAWING_EDGE * width / max(height, width), DRAWING_EDGE * height / max(height, width)


def boxes_of(report: Report) -> tuple[Box, ...]:
    """The boxes of the evidence that supports the sentences; rejected sentences have none."""
    sentences_of_box: dict[Rectangle, list[int]] = {}
    for number, sentence in enumerate(report.sentences, 1):
        if sentence.decision != "rejected":
            for evidence in sentence.evidence:
                if evidence.box is not None and evidence.says == "supports":
                    sentences_of_box.setdefault(evidence.box, []).append(number)
    width, height = _drawing_size(report.study.films[0])
    boxes: list[Box] = []
    for (left, top, right, bottom), numbers in sentences_of_box.items():
        rectangle = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        label = ", ".join(str(number) for number in dict.fromkeys(numbers))
        doubtful = not any(_is_safe(report, report.sentences[n - 1]) for n in numbers)
        label_width = len(label) * LETTER_WIDTH + 10
        tag = _place_tag(rectangle, label_width, (width, height), [box.tag for box in boxes])
        boxes.append(Box(*rectangle, label, tag, doubtful))
    return tuple(boxes)


def _is_safe(report: Report, sentence: Sentence) -> bool:
    return report.shows(sentence) and sentence.action == "keep"


def _place_tag(
    rectangle: Rectangle, width: float, drawing: tuple[float, float], others: Sequence[Rectangle]
) -> Rectangle:
    """The place of a box's number: outside its first corner that no other number covers."""
    left, top, box_width, box_height = rectangle
    corners = (
        (left, top - TAG_HEIGHT),
        (left + box_width - width, top - TAG_HEIGHT),
        (left, top + box_height),
        (left + box_width - width, top + box_height),
    )
    most_left, most_down = drawing[0] - width, drawing[1] - TAG_HEIGHT
    tags: list[Rectangle] = [
        (min(max(x, 0), most_left), min(max(y, 0), most_down), width, TAG_HEIGHT)
        for x, y in corners
    ]
    free = (tag for tag in tags if not any(_overlap(tag, other) for other in others))
    return next(free, tags[0])


def _overlap(first: Rectangle, second: Rectangle) -> bool:
    return (
        first[0] < second[0] + second[2]
        and second[0] < first[0] + first[2]
        and first[1] < second[1] + second[3]
        and second[1] < first[1] + first[3]
    )
