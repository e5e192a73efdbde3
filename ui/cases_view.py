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

NONE_ALIKE = '<p class="dim">The library has no case that is like enough.</p>'


def cases_html(assistant: Assistant, visit: OpenStudy | None) -> str:
    """The strip of similar cases beside what this study's draft asserts."""
    if visit is None or (visit.report is None and not visit.near):
        return ""
    report = visit.report
    kept = [s for s in report.sentences if report.shows(s)] if report else []
    said = [claim for sentence in kept for claim in sentence.assertions]
    cards = [_near_html(assistant, near, i, said) for i, near in enumerate(visit.near, 1)]
    body = f'<div class="films">{"".join(cards)}</div>' if cards else NONE_ALIKE
    left = ""
    if visit.excluded:
        names = ", ".join(escape(case) for case in visit.excluded)
        left = f'<p class="dim">Left out by you: {names} {button("include", "Take back")}</p>'
    return f'<section aria-label="Similar cases"><h3>SIMILAR CASES</h3>{left}{body}</section>'


def _near_html(
    assistant: Assistant, near: Neighbour, number: int, said: Sequence[Assertion]
) -> str:
    shared = shared_findings(said, near)
    lines = [
        f'<p class="{kind}">{escape(words)}: {escape(", ".join(found))}</p>'
        for words, kind, found in (
            ("In common", "supports", shared.common),
            ("Only in your film", "dim", shared.only_here),
            ("Only there", "dim", shared.only_there),
        )
        if found
    ]
    head = f"<b>[{number}]</b> similarity {near.similarity:.2f}"
    acts = button("beside", "Side by side") + button(
        "exclude", "Exclude", "Draft again without this case", case=near.case
    )
    words = f"Similar case {number}"
    return _card(assistant, near, words, head, "".join(lines), acts)


def _card(
    assistant: Assistant, case: Neighbour, words: str, head: str, lines: str, acts: str
) -> str:
    """A case with its picture; its report opens. `head`, `lines` and `acts` are HTML."""
    picture = '<p class="dim">No picture.</p>'
    with suppress(WetreadError):  # the case is shown all the same, without its picture
        if assistant.library:
            shown = data_url(assistant.library.preview(case.case), "image/png")
            picture = f'<img src="{shown}" alt="{escape(words)}">'
    told = case.report or ", ".join(case.labels) or "No report."
    data = f'data-case="{escape(case.case)}" data-words="{escape(words)}"'
    return (
        f'<article class="case" {data}>{picture}'
        f"<p>{head}</p>{lines}<details><summary>Report</summary><p>{escape(told)}</p></details>"
        f'<p class="dim">{escape(case.case)} {escape(case.source)}</p>'
        f'<p class="acts">{acts}</p></article>'
    )


def shelf_html(
    assistant: Assistant, cases: Sequence[Neighbour], *, alike: bool, removable: bool = True
) -> str:
    """Cases of the library that a search has found; with `alike` each tells its similarity."""
    made = []
    for number, case in enumerate(cases, 1):
        head = f"<b>{number}</b>" + (f" similarity {case.similarity:.2f}" if alike else "")
        acts = button("remove", "Remove", case=case.case, sure="Remove it?") if removable else ""
        words = f"Case {number}"
        made.append(_card(assistant, case, words, head, "", acts))
    if not made:
        return '<p class="dim">No case of the library fits.</p>'
    return f'<section class="films" aria-label="Cases found">{"".join(made)}</section>'
