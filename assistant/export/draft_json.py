"""A draft as JSON and as Markdown. The JSON form is versioned and described in docs/draft.md.

`assistant.export.html` makes a page to print.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from assistant.export.wording import (
    ANSWER_NOTICE,
    GATE_HEADS,
    NOTICES,
    TITLES,
    film_notes,
    reasons_of,
    review_words,
    risk_words,
    study_notes,
    use_words,
)
from assistant.intake.notes import notes_of
from assistant.types import Answer, Neighbour, Provenance, Report, Sentence, Study

SCHEMA = "wetread.draft/1"
ANSWER_SCHEMA = "wetread.answer/1"


def _study_dict(study: Study) -> dict[str, Any]:
    return {
        "films": [
            {
                "sha256": film.sha256,
                "view": film.view,
                "laterality": film.laterality,
                "spacing_mm": list(film.spacing_mm) if film.spacing_mm else None,
                "flags": list(film.flags),
                "notes": list(notes_of(film)),
            }
            for film in study.films
        ],
        "indication": study.indication,
    }


def _sentence_dict(sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "section": sentence.section,
        "verdict": sentence.verdict,
        "reason": sentence.reason,
        "risk": sentence.risk,
        "action": sentence.action,
        "decision": sentence.decision,
        "written": sentence.written,
        "log_probability": sentence.log_probability,
        "assertions": [asdict(a) for a in sentence.assertions],
        "evidence": [asdict(e) for e in sentence.evidence],
        "citations": list(sentence.citations),
    }


def neighbour_dict(neighbour: Neighbour) -> dict[str, Any]:
    """One similar case, as drafts and `wetread similar` list it."""
    return {
        "case": neighbour.case,
        "similarity": neighbour.similarity,
        "source": neighbour.source,
        "labels": list(neighbour.labels),
        "report": neighbour.report,
    }


def provenance_dict(provenance: Provenance) -> dict[str, Any]:
    """A provenance as plain values; `films` is there for a study of several films alone."""
    values = {**asdict(provenance), "versions": dict(provenance.versions)}
    films = values.pop("films")
    return {**values, "films": list(films)} if films else values


def draft_dict(report: Report) -> dict[str, Any]:
    """A draft as plain values, in the documented order."""
    notes = study_notes(report)
    return {
        "schema": SCHEMA,
        "notice": NOTICES[report.author],
        "author": report.author,
        "study": _study_dict(report.study),
        "gate": asdict(report.gate),
        "sentences": [_sentence_dict(s) for s in report.sentences],
        "removed": [{"text": text, "reason": reason} for text, reason in report.removed],
        "neighbours": [neighbour_dict(n) for n in report.neighbours],
        "abstention": report.abstention,
        "hallucination_rate": report.hallucination_rate,
        "coverage": report.coverage,
        "provenance": provenance_dict(report.provenance),
        **({"notes": list(notes)} if notes else {}),
    }


def answer_dict(answer: Answer) -> dict[str, Any]:
    """An answer as plain values."""
    return {
        "schema": ANSWER_SCHEMA,
        "notice": ANSWER_NOTICE,
        "question": answer.question,
        "understood": answer.understood,
        "answer": answer.text,
        "sentence": _sentence_dict(answer.sentence) if answer.sentence else None,
        "log_probability": answer.log_probability,
        "removed": [{"text": text, "reason": reason} for text, reason in answer.removed],
        "gate": asdict(answer.gate),
        "provenance": provenance_dict(answer.provenance),
    }


def draft_json(report: Report) -> str:
    """The draft as JSON: the same bytes for the same draft, its time aside."""
    return json.dumps(draft_dict(report), indent=2, ensure_ascii=False) + "\n"


def draft_markdown(report: Report) -> str:
    """The draft as Markdown for people to read."""
    lines = [f"# {TITLES[report.author]}", "", f"> {NOTICES[report.author]}", ""]
    if report.gate.answer != "pass":
        head = GATE_HEADS[report.gate.answer]
        lines += [f"> **{head}.** {report.gate.reason}", ""]
    elif report.abstention:
        lines += [f"> **Warning.** {report.abstention}", ""]
    for note in film_notes(report.study.films[0]):
        lines += [f"> {note}", ""]
    for note in study_notes(report):
        lines += [f"> {note}", ""]
    for section in ("findings", "impression"):
        sentences = [s for s in report.sentences if s.section == section]
        if not sentences:
            continue
        lines += [f"## {section.capitalize()}", ""]
        for sentence in sentences:
            citations = f" [{', '.join(sentence.citations)}]" if sentence.citations else ""
            text = " ".join(sentence.text.split())  # a person's lines may be wrapped
            text = text if report.shows(sentence) else f"~~{text}~~"
            lines.append(f"- {text} *({risk_words(sentence, report.author)})*{citations}")
            if review := review_words(sentence, report.author):
                lines.append(f"  - **{review[0].upper()}{review[1:]}**")
            lines += [f"  - {words}" for words in reasons_of(sentence, len(report.neighbours))]
        lines.append("")
    if report.neighbours:
        lines += ["## Similar cases", "", "| case | similarity | report |", "|---|---|---|"]
        for n in report.neighbours:
            text = " ".join(n.report.split()) or ", ".join(n.labels) or "no report"
            lines.append(f"| {n.case} | {n.similarity:.2f} | {text.replace('|', '/')} |")
        lines.append("")
    if report.removed:
        lines += ["## Removed", ""]
        lines += [f"- {text} ({reason})" for text, reason in report.removed]
        lines.append("")
    p = report.provenance
    if p.films:
        lines += [f"*Films: {'; '.join(map(use_words, p.films))}.*", ""]
    lines += [
        f"*{p.backbone} {p.revision[:12]}, library {p.library}, seed {p.seed}, {p.time}. "
        f"Coverage of checks {report.coverage:.0%}.*",
        "",
    ]
    return "\n".join(lines)
