"""Similar cases and the library's cases as cards: picture, report, what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from html import escape

from assistant.assistant import Assistant
from assistant.cases.similar import shared_findings
from assistant.errors import WetreadError
from assistant.types import Assertion, Neighbour
from ui.markup import button, data_url
from ui.session import OpenStudy

NONE_SIMILAR = '<p class="dim">The library has no case that is like enough.</p>'


def cases_html(assistant: Assistant, study: OpenStudy | None) -> str:
    """The similar cases, each compared with what the study's draft asserts."""
    if study is None or (study.report is None and not study.neighbours):
        return ""
    report = study.report
    sentences = [s for s in report.sentences if report.shows(s)] if report else []
    claims = [claim for sentence in sentences for claim in sentence.assertions]
    cards = [
        _neighbour_html(assistant, neighbour, number, claims)
        for number, neighbour in enumerate(study.neighbours, 1)
    ]
    body = f'<div class="films">{"".join(cards)}</div>' if cards else NONE_SIMILAR
    excluded = ""
    if study.excluded_cases:
        names = ", ".join(escape(case) for case in study.excluded_cases)
        excluded = f'<p class="dim">Left out by you: {names} {button("include", "Take back")}</p>'
    return f'<section aria-label="Similar cases"><h3>SIMILAR CASES</h3>{excluded}{body}</section>'


def _neighbour_html(
    assistant: Assistant, neighbour: Neighbour, number: int, claims: Sequence[Assertion]
) -> str:
    shared = shared_findings(claims, neighbour)
    lines = [
        f'<p class="{kind}">{escape(words)}: {escape(", ".join(found))}</p>'
        for words, kind, found in (
            ("In common", "supports", shared.common),
            ("Only in your film", "dim", shared.only_here),
            ("Only there", "dim", shared.only_there),
        )
        if found
    ]
    head = f"<b>[{number}]</b> similarity {neighbour.similarity:.2f}"
    buttons = button("beside", "Side by side") + button(
        "exclude", "Exclude", "Draft again without this case", case=neighbour.case
    )
    words = f"Similar case {number}"
    return _card_html(assistant, neighbour, words, head, "".join(lines), buttons)


def _card_html(
    assistant: Assistant, case: Neighbour, words: str, head: str, lines: str, buttons: str
) -> str:
    """A case with its picture; its report opens. `head`, `lines` and `buttons` are HTML."""
    picture = '<p class="dim">No picture.</p>'
    with suppress(WetreadError):  # then the case is shown without its picture
        if assistant.library:
            url = data_url(assistant.library.preview(case.case), "image/png")
            picture = f'<img src="{url}" alt="{escape(words)}">'
    text = case.report or ", ".join(case.labels) or "No report."
    data = f'data-case="{escape(case.case)}" data-words="{escape(words)}"'
    return (
        f'<article class="case" {data}>{picture}'
        f"<p>{head}</p>{lines}<details><summary>Report</summary><p>{escape(text)}</p></details>"
        f'<p class="dim">{escape(case.case)} {escape(case.source)}</p>'
        f'<p class="acts">{buttons}</p></article>'
    )


def library_html(
    assistant: Assistant,
    cases: Sequence[Neighbour],
    *,
    with_similarity: bool,
    removable: bool = True,
) -> str:
    """The library's cases that a search found, `with_similarity` or without."""
    cards = []
    for number, case in enumerate(cases, 1):
        similarity = f" similarity {case.similarity:.2f}" if with_similarity else ""
        head = f"<b>{number}</b>{similarity}"
        buttons = button("remove", "Remove", case=case.case, sure="Remove it?") if removable else ""
        words = f"Case {number}"
        cards.append(_card_html(assistant, case, words, head, "", buttons))
    if not cards:
        return '<p class="dim">No case of the library fits.</p>'
    return f'<section class="films" aria-label="Cases found">{"".join(cards)}</section>'
