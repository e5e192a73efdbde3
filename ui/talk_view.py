"""Questions about a film and their answers as HTML, each with its verdict and evidence."""

from __future__ import annotations

from html import escape

from assistant.export.wording import ANSWER_NOTICE
from assistant.types import Answer
from ui.markup import button, reasons_html, verdict_html
from ui.session import OpenStudy

EXAMPLES = (
    "Is there a pleural effusion?",
    "On which side?",
    "How wide is the heart?",
    "What changed since the prior?",
)


def talk_html(study: OpenStudy | None, waiting: str = "", failure: str = "") -> str:
    """A study's questions and answers.

    `waiting` is a question without an answer yet, `failure` why the last one has none.
    """
    if study is None:
        return ""
    items = "".join(_answer_html(answer) for answer in study.answers)
    if waiting:
        items += f'<li><p class="asked">{escape(waiting)}</p><p class="busy">…</p></li>'
    if failure:
        items += f'<li><p class="error" role="alert">{escape(failure)}</p></li>'
    chips = "".join(button("ask", words, question=words) for words in EXAMPLES)
    log = (
        f'<ol class="talk" role="log" aria-label="Questions and answers">{items}</ol>'
        if items
        else ""
    )
    notice = f'<p class="dim">{ANSWER_NOTICE}</p>' if study.answers else ""
    return f'{log}{notice}<p class="chips">{chips}</p>'


def _answer_html(answer: Answer) -> str:
    evidence = ""
    if answer.sentence is not None:
        evidence = (
            f"<details><summary>{verdict_html(answer.sentence)}</summary>"
            f'<div class="why">{reasons_html(answer.sentence, {})}</div></details>'
        )
    understood = ""
    if answer.understood:
        understood = f'<p class="dim">Understood as: {escape(answer.understood)}</p>'
    removed = "".join(f"<p class='dim'>{escape(reason)}</p>" for _, reason in answer.removed)
    return (
        f'<li><p class="asked">{escape(answer.question)}</p>{understood}'
        f'<p class="answer">{escape(answer.text)}</p>{removed}{evidence}</li>'
    )
