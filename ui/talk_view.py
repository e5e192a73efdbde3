"""What was asked of a film and answered, each answer with its verdict and evidence."""

from __future__ import annotations

from html import escape

from assistant.export.wording import ANSWER_NOTICE
from assistant.types import Answer
from ui.markup import button, chip, why
from ui.session import OpenStudy

TO_ASK = (
    "Is there a pleural effusion?",
    "On which side?",
    "How wide is the heart?",
    "What changed since the prior?",
)


def talk_html(visit: OpenStudy | None, waiting: str = "", failed: str = "") -> str:
    """The talk about a study; `waiting` is asked and not answered, `failed` why the last is not."""
    if visit is None:
        return ""
    told = "".join(_answer_html(answer) for answer in visit.talk)
    if waiting:
        told += f'<li><p class="asked">{escape(waiting)}</p><p class="busy">…</p></li>'
    if failed:
        told += f'<li><p class="error" role="alert">{escape(failed)}</p></li>'
    chips = "".join(button("ask", words, question=words) for words in TO_ASK)
    log = (
        f'<ol class="talk" role="log" aria-label="Questions and answers">{told}</ol>'
        if told
        else ""
    )
    notice = f'<p class="dim">{ANSWER_NOTICE}</p>' if visit.talk else ""
    return f'{log}{notice}<p class="chips">{chips}</p>'


def _answer_html(answer: Answer) -> str:
    told = ""
    if answer.sentence is not None:
        told = (
            f"<details><summary>{chip(answer.sentence)}</summary>"
            f'<div class="why">{why(answer.sentence, {})}</div></details>'
        )
    taken = ""
    if answer.understood:
        taken = f'<p class="dim">Understood as: {escape(answer.understood)}</p>'
    gone = "".join(f"<p class='dim'>{escape(reason)}</p>" for _, reason in answer.removed)
    return (
        f'<li><p class="asked">{escape(answer.question)}</p>{taken}'
        f'<p class="answer">{escape(answer.text)}</p>{gone}{told}</li>'
    )
