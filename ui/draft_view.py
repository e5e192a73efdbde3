"""The draft as it is read, judged and mended: sentences with their verdicts, decisions, exports."""

from __future__ import annotations

import json
from html import escape

from assistant.export.draft_json import draft_json, draft_markdown
from assistant.export.html import draft_page
from assistant.export.wording import NOTICE
from assistant.labeller.sentences import parse_sentences
from assistant.types import Report, Sentence
from ui.markup import boxes, busy, button, chip, download, empty, error, gate_html, why
from ui.session import OpenStudy

NO_DRAFT = empty("The draft appears here,", "each sentence with what backs it.")
SECTIONS = ("findings", "impression")


def writing_html(text: str) -> str:
    """A draft while it is written: no verdict stands yet."""
    if not text.strip():
        return busy("Looking at the film …")
    parts = [busy("Being written, not checked yet …")]
    said = parse_sentences(text)
    for section in SECTIONS:
        lines = "".join(f"<li>{escape(s.text)}</li>" for s in said if s.section == section)
        if lines:
            parts.append(f'<h3>{section.upper()}</h3><ul class="writing">{lines}</ul>')
    return f'<section aria-label="Draft being written">{"".join(parts)}</section>'


def draft_html(visit: OpenStudy | None) -> str:
    """The draft of a study: the gate's answer, the sentences, what was removed, exports."""
    if visit is None:
        return NO_DRAFT
    if visit.failed:
        return error(visit.failed)
    report = visit.report
    if report is None:
        return empty("No draft of this study yet.")
    numbers = {n.case: i for i, n in enumerate(report.neighbours, 1)}
    parts = [gate_html(report.gate), f'<p class="notice">{escape(NOTICE)}</p>']
    if report.gate.answer == "pass" and report.abstention:
        parts.append(error(report.abstention))
    for section in SECTIONS:
        chosen = [
            sentence_html(number, sentence, numbers)
            for number, sentence in enumerate(report.sentences, 1)
            if sentence.section == section
        ]
        if chosen:
            parts.append(f'<h3>{section.upper()}</h3><ol class="said">{"".join(chosen)}</ol>')
    if not report.sentences:
        refused = report.gate.answer == "refuse"
        parts.append(
            empty("Nothing is written about it." if refused else "No sentence could be kept.")
        )
    if report.removed:
        gone = "".join(f"<li><s>{escape(t)}</s> {escape(r)}</li>" for t, r in report.removed)
        parts.append(f'<details class="gone"><summary>Removed: {len(report.removed)}</summary>'
                     f"<ul>{gone}</ul></details>")  # fmt: skip
    parts.append(_foot(report))
    about = f'data-draft="{escape(report.provenance.time)}" aria-label="Draft report"'
    return f'<section class="draft" {about}>{"".join(parts)}</section>'


def sentence_html(number: int, sentence: Sentence, numbers: dict[str, int]) -> str:
    """A numbered sentence with its verdict; it opens to its evidence, to be judged or mended."""
    cites = "".join(f"[{numbers[c]}]" for c in sentence.citations if c in numbers)
    cited = f'<span class="cites" title="Similar cases that say the same">{cites}</span>'
    done = f'<span class="verdict {sentence.decision}">{sentence.decision}</span>'
    kind = " ".join(word for word in (sentence.action, sentence.decision) if word)
    index = number - 1
    was = f"<p>Edited. The backbone wrote: <q>{escape(sentence.written)}</q></p>"
    acts = [
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
        f' data-boxes="{json.dumps(boxes([sentence]))}"><details>'
        f'<summary class="{kind}"><b>{number}</b><q>{escape(sentence.text)}</q>{chip(sentence)}'
        f'{done if sentence.decision else ""}{cited}</summary><div class="why">'
        f"{why(sentence, numbers)}{was if sentence.written else ''}"
        f'<p class="acts">{"".join(acts)}{button("edit", "Edit", index=index)}</p>{edit}'
        "</div></details></li>"
    )


def checked_html(index: int, sentences: tuple[Sentence, ...]) -> str:
    """What the film says of a sentence that is being edited."""
    lines = []
    for sentence in sentences:
        words = f"<q>{escape(sentence.text)}</q>" if len(sentences) > 1 else ""
        lines.append(f"<p>{words} {chip(sentence)} {escape(sentence.reason)}</p>")
    told = "".join(lines) or '<p class="dim">Nothing is said: the sentence would be rejected.</p>'
    return f'<div data-index="{index}">{told}</div>'


def _foot(report: Report) -> str:
    name, p = f"draft-{report.study.films[0].sha256[:12]}", report.provenance
    rate = report.hallucination_rate
    failed = "so there is no hallucination rate" if rate is None else f"{rate:.0%} of them failed"
    adapter = f", adapter {p.adapter}" if p.adapter else ""
    made = f"{p.backbone} {p.revision[:12]}{adapter}, library {p.library}, seed {p.seed}, {p.time}."
    links = [
        download(f"{name}.json", draft_json(report).encode(), "application/json", "Download JSON"),
        download(f"{name}.md", draft_markdown(report).encode(), "text/markdown", "Markdown"),
        download(f"{name}.html", draft_page(report).encode(), "text/html", "Page to print"),
    ]
    return (
        f'<p class="links">{"".join(links)}{button("paint", "Paint this report")}</p>'
        f'<p class="dim">Checked {report.coverage:.0%} of the sentences, {failed}. '
        f"Made by {escape(made)}</p>"
    )
