"""The draft as HTML: sentences with their verdicts, the review's decisions, exports."""

from __future__ import annotations

import json
from html import escape

from assistant.export.draft_json import draft_json, draft_markdown
from assistant.export.html import draft_page
from assistant.export.wording import NOTICE, study_notes, use_words
from assistant.labeller.sentences import parse_sentences
from assistant.types import Report, Sentence
from ui.markup import (
    busy,
    button,
    download,
    empty,
    error,
    evidence_boxes,
    gate_html,
    reasons_html,
    verdict_html,
)
from ui.session import OpenStudy

NO_DRAFT = empty("The draft appears here,", "each sentence with what backs it.")
SECTIONS = ("findings", "impression")


def writing_html(text: str) -> str:
    """A draft while it is written: no verdict stands yet."""
    if not text.strip():
        return busy("Looking at the film …")
    parts = [busy("Being written, not checked yet …")]
    sentences = parse_sentences(text)
    for section in SECTIONS:
        lines = "".join(f"<li>{escape(s.text)}</li>" for s in sentences if s.section == section)
        if lines:
            parts.append(f'<h3>{section.upper()}</h3><ul class="writing">{lines}</ul>')
    return f'<section aria-label="Draft being written">{"".join(parts)}</section>'


def draft_html(study: OpenStudy | None) -> str:
    """The draft of a study: the gate's answer, the sentences, what was removed, exports."""
    if study is None:
        return NO_DRAFT
    if study.failure:
        return error(study.failure)
    report = study.report
    if report is None:
        return empty("No draft of this study yet.")
    numbers = {n.case: i for i, n in enumerate(report.neighbours, 1)}
    parts = [gate_html(report.gate), f'<p class="notice">{escape(NOTICE)}</p>']
    if report.gate.answer == "pass" and report.abstention:
        parts.append(error(report.abstention))
    parts += [f'<p class="dim">{escape(note)}</p>' for note in study_notes(report)]
    for section in SECTIONS:
        items = [
            sentence_html(number, sentence, numbers)
            for number, sentence in enumerate(report.sentences, 1)
            if sentence.section == section
        ]
        if items:
            parts.append(f'<h3>{section.upper()}</h3><ol class="said">{"".join(items)}</ol>')
    if not report.sentences:
        refused = report.gate.answer == "refuse"
        parts.append(
            empty("Nothing is written about it." if refused else "No sentence could be kept.")
        )
    if report.removed:
        removed = "".join(f"<li><s>{escape(t)}</s> {escape(r)}</li>" for t, r in report.removed)
        parts.append(f'<details class="gone"><summary>Removed: {len(report.removed)}</summary>'
                     f"<ul>{removed}</ul></details>")  # fmt: skip
    parts.append(_footer_html(report))
    attributes = f'data-draft="{escape(report.provenance.time)}" aria-label="Draft report"'
    return f'<section class="draft" {attributes}>{"".join(parts)}</section>'


def sentence_html(number: int, sentence: Sentence, numbers: dict[str, int]) -> str:
    """A numbered sentence with its verdict; it opens to its evidence and the review's buttons."""
    references = "".join(f"[{numbers[c]}]" for c in sentence.citations if c in numbers)
    cited = f'<span class="cites" title="Similar cases that say the same">{references}</span>'
    decision = f'<span class="verdict {sentence.decision}">{sentence.decision}</span>'
    kind = " ".join(word for word in (sentence.action, sentence.decision) if word)
    index = number - 1
    original = f"<p>Edited. The backbone wrote: <q>{escape(sentence.written)}</q></p>"
    buttons = [
        button(do, "Undo" if sentence.decision == state else words, index=index)
        for do, state, words in (("accept", "accepted", "Accept"), ("reject", "rejected", "Reject"))
    ]
    edit = (
        f'<div class="edit" hidden><textarea rows="3" maxlength="2000" aria-label="Sentence '
        f'{number}">{escape(sentence.text)}</textarea><div class="checked" role="status"></div>'
        + button("save", "Save", index=index)
        + button("cancel", "Cancel", index=index)
        + "</div>"
    )
    return (
        f'<li data-number="{number}" data-action="{sentence.action or "unknown"}"'
        f' data-boxes="{json.dumps(evidence_boxes([sentence]))}"><details>'
        f'<summary class="{kind}"><b>{number}</b><q>{escape(sentence.text)}</q>'
        f"{verdict_html(sentence)}{decision if sentence.decision else ''}{cited}</summary>"
        '<div class="why">'
        f"{reasons_html(sentence, numbers)}{original if sentence.written else ''}"
        f'<p class="acts">{"".join(buttons)}{button("edit", "Edit", index=index)}</p>{edit}'
        "</div></details></li>"
    )


def checked_html(index: int, sentences: tuple[Sentence, ...]) -> str:
    """The verdicts on a sentence while it is edited."""
    lines = []
    for sentence in sentences:
        words = f"<q>{escape(sentence.text)}</q>" if len(sentences) > 1 else ""
        lines.append(f"<p>{words} {verdict_html(sentence)} {escape(sentence.reason)}</p>")
    body = "".join(lines) or '<p class="dim">Nothing is said: the sentence would be rejected.</p>'
    return f'<div data-index="{index}">{body}</div>'


def _footer_html(report: Report) -> str:
    name, p = f"draft-{report.study.films[0].sha256[:12]}", report.provenance
    rate = report.hallucination_rate
    failed = "so there is no hallucination rate" if rate is None else f"{rate:.0%} of them failed"
    adapter = f", adapter {p.adapter}" if p.adapter else ""
    origin = (
        f"{p.backbone} {p.revision[:12]}{adapter}, library {p.library}, seed {p.seed}, {p.time}."
    )
    films = f" Films: {'; '.join(map(use_words, p.films))}." if p.films else ""
    links = [
        download(f"{name}.json", draft_json(report).encode(), "application/json", "Download JSON"),
        download(f"{name}.md", draft_markdown(report).encode(), "text/markdown", "Markdown"),
        download(f"{name}.html", draft_page(report).encode(), "text/html", "Page to print"),
    ]
    return (
        f'<p class="links">{"".join(links)}{button("paint", "Paint this report")}</p>'
        f'<p class="dim">Checked {report.coverage:.0%} of the sentences, {failed}. '
        f"Made by {escape(origin)}{escape(films)}</p>"
    )
