"""Finds the sections of a report that claim nothing about the film: history, comparison, advice.

This module knows headings, in any spelling: `HISTORY:`, `Reason for exam:`, `**Technique:**`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

SectionKind = Literal["silent", "advice", "claims"]

_SILENT = (
    r"(?:(?:brief|clinical|patient|pertinent|relevant|past|medical|surgical)[ ]){0,3}history"
    r"|hx|clinical(?:[ ](?:indications?|information|info|details?|data|statement|question|context"
    r"|notes?|concern|summary|background|problem|presentation|diagnosis))?"
    r"|indications?(?:[ ]for[ ](?:the[ ])?(?:exam(?:ination)?|study|procedure))?"
    r"|reasons?(?:[ ]for[ ](?:the[ ])?(?:this[ ])?(?:exam(?:ination)?|study|request|visit|consult"
    r"(?:ation)?|test|order|procedure|referral|imaging|film|x-?ray|radiograph))?"
    r"|(?:chief|presenting)[ ]complaints?|symptoms?|complaints?|diagnosis[ ]on[ ]request"
    r"|(?:admitting|admission|referring|pre-?op(?:erative)?)[ ]diagnosis|request|question"
    r"|comparisons?(?:[ ](?:films?|stud(?:y|ies)|exams?|with|made|date))?|compared?(?:[ ]to)?"
    r"|priors?|(?:prior|previous)[ ](?:stud(?:y|ies)|exams?|examinations?|films?|imaging"
    r"|radiographs?"
    r"|reports?|findings?|impression)"
    r"|techniques?|procedures?|protocol|views?|projections?|method|exam(?:ination)?(?:[ ]type)?"
    r"|study(?:[ ](?:type|date|description))?|exam(?:ination)?[ ](?:date|description)"
    r"|examen|date(?:[ ]of[ ](?:exam|service|birth))?|medications?|allergies|age|sex|gender"
    r"|notifications?|communication|electronically[ ]signed[ ]by|dictated[ ]by"
)
_ADVICE = (
    r"recommendations?(?:[ ]\(s\))?|recommended(?:[ ](?:action|follow[- ]?up))?"
    r"|advice|plan|suggestions?"
    r"|follow[- ]?up(?:[ ]recommendations?)?|next[ ]steps?|management"
)
_CLAIMS = (
    r"(?:(?:key|main|critical|other|additional|significant|radiographic|imaging)[ ])?findings?"
    r"|impressions?|conclusions?|opinions?|(?:findings?|conclusions?)[ ]?(?:/|and)[ ]?impressions?"
    r"|summary|report|result|results|interpretation|assessment|diagnosis|addendum|wet[ ]read"
    r"|observations?|description|narrative|comments?|body"
)
_START = r"(?:(?<![^\n\r.!?;*#>])|(?<=[.!?;*#>][ ])|(?<=[.!?;][ ]{2}))[ \t]{0,8}"
_TITLE = re.compile(
    # Any known title that opens a line or a sentence, or that stands in capitals.
    rf"{_START}[*_#]{{0,3}}(?:(?P<silent>{_SILENT})|(?P<advice>{_ADVICE})|(?P<claims>{_CLAIMS}))"
    r"(?:[ ]?\(s\))?[*_]{0,3}[ \t]{0,3}:\Z"
    rf"|\b(?-i:(?P<loud>[A-Z][A-Z/&,]{{2,20}}(?:[ ][A-Z/&]{{2,20}}){{0,4}}))[ \t]{{0,3}}:\Z",
    re.IGNORECASE,
)
_KINDS = {
    kind: re.compile(rf"(?:{words})", re.IGNORECASE)
    for kind, words in (("silent", _SILENT), ("advice", _ADVICE), ("claims", _CLAIMS))
}
# An empty line ends a section, and so does a line that ends a sentence before one that starts one.
_END = re.compile(r"\n[ \t\r]*\n|[.!?][ \t\r]*\n(?=[ \t]*[A-Z])")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")
_LONGEST_TITLE = 70  # characters
# Sections of a sentence each, where no other title ends them.
_SHORT = re.compile(r"comp|tech|proc|view|proj|exam|study|date|protocol", re.IGNORECASE)


def silent_sections(text: str) -> list[tuple[int, int, SectionKind]]:
    """Return the parts of a text that claim nothing ("silent") or give advice, in order.

    Each begins with its title. Never raises; the work grows with the text's length.
    """
    titles = [(m.start(), m.group("loud"), m) for m in find_titles(text)]
    found: list[tuple[int, int, SectionKind]] = []
    for number, (start, loud, match) in enumerate(titles):
        kind = _kind_of(match, loud)
        if kind == "claims":
            continue
        following = titles[number + 1][0] if number + 1 < len(titles) else len(text)
        broken = _END.search(text, match.end(), following)
        end = broken.end() if broken else following
        if end == len(text) and not broken and _SHORT.match(match.group().strip(" \t*_#")):
            sentence = _SENTENCE_END.search(text, match.end())
            end = sentence.end() if sentence else end
        found.append((start, end, kind))
    return found


def find_titles(text: str) -> Iterator[re.Match[str]]:
    """Yield the titles of a text in order, as matches; only what is before a colon is read."""
    at, end = text.find(":"), 0
    while at >= 0:
        if match := _TITLE.search(text, max(end, at - _LONGEST_TITLE), at + 1):
            yield match
        end = at + 1
        at = text.find(":", end)


def _kind_of(match: re.Match[str], loud: str | None) -> SectionKind:
    """Return what a title announces; a title in capitals that is not known announces claims."""
    if loud is None:
        return "silent" if match["silent"] else "advice" if match["advice"] else "claims"
    for kind in ("silent", "advice"):
        if _KINDS[kind].fullmatch(loud.strip(" ,&/")):
            return kind
    return "claims"
