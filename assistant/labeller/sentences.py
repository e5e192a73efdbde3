"""Splits a draft into sentences, and applies the rules of evidence that need no model.

This module knows the layout of a report and the wording of comparisons and measurements. It does
not know findings, which `assistant.labeller.labeller` reads, nor whether anything is true.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.labeller.labeller import find_assertions
from assistant.labeller.sections import silent_sections
from assistant.labeller.tokens import ends_sentence
from assistant.types import Assertion, Section

WITHHELD = "[measurement withheld]"

_TITLE = r"(?i:(findings?|impressions?|conclusions?|opinion)(?:[ ]?(?:/|and)[ ]?impressions?)?)"
_HEADING = re.compile(
    # With a colon: at the start of a line, after a sentence, or anywhere with a capital letter.
    rf"(?:^[#*_ \t]*|(?<=[.!?]\s)[*_]*|(?<=\s)[*_]*(?=[FICO])){_TITLE}[*_ \t]*:[*_]*"
    # Without one: alone on its line, as in Markdown.
    r"|^[#*_ \t]*(?i:(findings?|impressions?|conclusions?|opinion))[*_ \t]*$",
    re.MULTILINE,
)
_END = re.compile(
    r"[.!?]+[\"')\]*_]*(?=\s|\Z)"
    r"|\.(?=[^\W_])|<(?:br(?=\s?/?>\s{0,8}[^a-z\s])|/?p|/?li|/?div|/?tr)\b[^<>\n]{0,40}>"
    # A line end ends a sentence only where the next line starts like one: reports are wrapped.
    r"|\n(?=[ \t]*(?:[-*\u2022\n]|\d{1,2}[.)]\s|[A-Z]))"
)
_LEAD = re.compile(r"\s*(?:(?:[-*\u2022]\s+|\(?\d{1,2}[.)](?:\s+|(?=[A-Za-z])))\s*)*")
_ENUMERATOR = re.compile(r"\s*\(?\d{1,2}[.)]?\s*")
_LAST_WORD = re.compile(r"(?:[A-Za-z]+|\d+)\Z")
_WORD = re.compile(r"\w+")

_NUMBER = r"(?:\d+(?:[.,]\d+)*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_UNIT = (
    r"(?:(?:mm|cm|m)[23\u00b2\u00b3]?|%|percent|HU|ml|cc|mg|(?:milli|centi)?met(?:er|re)s?"
    r"|inch(?:es)?|millilit(?:er|re)s?|lit(?:er|re)s?|Hounsfield units?|degrees?|\u00b0)"
)
_MEASUREMENT = re.compile(
    # "12 x 8 mm", "1.2 cm by 0.8 cm", "2-3 mm" are one measurement each.
    rf"(?<![\w.])(?:(?<!\w)[-\u2212])?{_NUMBER}"
    rf"(?:(?:[\s-]{{0,3}}{_UNIT})?\s{{0,3}}(?:x|\u00d7|by|to|-|\u2013)\s{{0,3}}{_NUMBER}){{0,3}}"
    rf"[\s-]{{0,3}}{_UNIT}(?!\w)",
    re.IGNORECASE,
)

_EARLIER = r"(?:prior|previous|earlier|last|old|outside|preceding|most recent|comparison)"
_IMAGE = (
    r"(?:stud(?:y|ies)|exam(?:ination)?s?|films?|radiographs?|images?|imaging|x-?rays?|ct|scans?)"
)
_LESION = (
    r"(?:effusions?|pneumothora(?:x|ces)|o?edema|consolidations?|atelectasis|nodules?|mass(?:es)?"
    r"|cardiomegaly|infiltrates?|congestion|size of)"
)
_CHANGE = (
    r"(?:changes?|increase|decrease|development|improvement|resolution|clearing|removal|placement"
    r"|worsening|progression|growth|enlargement|appearance|insertion|extubation|intubation|healing"
    r"|(?:in|de)creased?|improved|worsened|developed|resolved|removed|placed|enlarged)"
)
_COMPARISON = re.compile(
    r"\b(?:"
    r"unchanged|(?<!dynamically )(?<!clinically )stable(?! patient)|stability"
    r"|(?:no|without) (?:(?:significant|interval|appreciable|definite|further|xxxx) ){0,3}change"
    r"|not (?:\w+ )?changed|ha(?:s|ve) changed"
    # Names, and the onset of a complaint, are not findings that were absent before.
    r"|new(?! (?:york|england|zealand|jersey|mexico|orleans|delhi|hampshire))(?!-?born)|newly"
    rf"|interval (?:\w+ ){{0,2}}{_CHANGE}|(?:in|over|during) the (?:\w+ )?interval"
    # A shorter form for what moves by its own name; "high-resolution CT" does not.
    r"|improv(?:ed|ing|ement)|wors(?:e(?! (?:on|in|than))|ened|ening)"
    r"|progress(?:ed|ing|ion|ively|ive)"
    r"|regress(?:ed|ion|ing)"
    r"|resolv(?:ed|ing)|(?<!high )(?<!high-)(?<!low )(?<!spatial )resolution(?= of)|clearing of"
    r"|compar(?:ed|ison) (?:to|with|is made|was made)|in comparison|as compared|relative to"
    # Not "from prior granulomatous disease": only with a film, or after since and than.
    rf"|(?:since|than|as) (?:(?:on|in|was|the) ){{0,2}}{_EARLIER}"
    rf"|{_EARLIER} (?:\w+ ){{0,2}}{_IMAGE}"
    r"|previously|again|re-?demonstrated|re-?demonstration|persist(?:s|ed|ent|ently|ing|ence)?"
    r"|remains?|residual|recurren(?:t|ce)|re-?accumulat\w+|re-?expan\w+|no longer|evolving|baseline"
    r"|similar (?:in (?:size|appearance|extent|degree)|to (?:the )?(?:prior|previous)|appearance)"
    # "Increased markings" and "the heart is increased in size" describe one film only.
    r"|ha(?:s|ve) (?:\w+ )?(?:in|de)creased|(?:in|de)creasing(?:ly)?"
    r"|ha(?:s|ve) (?:been )?developed|removed|extubated|cleared|disappeared|withdrawn"
    r"|(?:no|not|n't) (?:\w+ )?(?:larger|bigger|smaller|worse)"
    rf"|(?:in|de)creased (?:(?!opacit|densit|marking|lucen|attenuat)\w+ ){{0,3}}{_LESION}"
    r"|(?:in|de)creased (?:since|from|compared|when)"
    r"|(?:larger|smaller|greater|less|more|worse)(?: \w+)? than (?:before|previously)"
    r")\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedSentence:
    """One sentence of a draft, verbatim, with its claims."""

    text: str  # exactly draft[start:end]; the assertions' spans are characters of it
    section: Section
    assertions: tuple[Assertion, ...]
    start: int
    end: int


def parse_sentences(text: str) -> tuple[ParsedSentence, ...]:
    """Return the sentences of a draft in order, without its headings and list numbers.

    Text before or without a heading counts as findings. A sentence that is repeated in a section
    is kept once. Spans are characters of the draft and do not overlap. Never raises; () where the
    text has no word.
    """
    sentences: list[ParsedSentence] = []
    silent = deque(silent_sections(text))
    known_keys: set[tuple[Section, tuple[str, ...]]] = set()
    for section, start, end in _split_sections(text):
        for a, b in _split_sentences(text, start, end):
            sentence = text[a:b]
            key = (section, tuple(_WORD.findall(sentence.casefold())))
            if key not in known_keys:
                known_keys.add(key)
                while silent and silent[0][1] <= a:
                    silent.popleft()
                kind = silent[0][2] if silent and silent[0][0] <= a else "claims"
                claims = (
                    () if kind == "silent" else find_assertions(sentence, advice=kind == "advice")
                )
                sentences.append(ParsedSentence(sentence, section, claims, a, b))
    return tuple(sentences)


def withhold_numbers(sentence: str) -> tuple[str, bool]:
    """Replace every number with a unit of measurement, and return whether there was one.

    Lengths, areas, volumes, per cent, Hounsfield units and degrees; counts, dates and spans of
    time stay. Never raises.
    """
    text, count = _MEASUREMENT.subn(WITHHELD, sentence)
    return text, count > 0


def is_comparison(text: str) -> bool:
    """Return whether a sentence compares with an earlier film; only a prior can support that."""
    return _COMPARISON.search(text) is not None


def _split_sections(text: str) -> Iterator[tuple[Section, int, int]]:
    section: Section = "findings"
    start = 0
    for match in _HEADING.finditer(text):
        yield section, start, match.start()
        title = (match.group(1) or match.group(2)).lower()
        section = "findings" if title.startswith("finding") else "impression"
        start = match.end()
    yield section, start, len(text)


def _split_sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the trimmed spans of the sentences within text[start:end]."""
    begin = start
    for match in _END.finditer(text, start, end):
        if _ENUMERATOR.fullmatch(text, begin, match.start()):
            continue  # "1." numbers the sentence that follows
        mark = match.group()
        if mark == ".":
            last = _LAST_WORD.search(text, max(begin, match.start() - 8), match.start())
            if not ends_sentence(text, match.start(), last.group().lower() if last else ""):
                continue
        if mark == "?" and not text[max(begin, match.start() - 1) : match.start()].strip():
            continue  # "? pneumonia" asks for what follows
        yield from _trim_span(text, begin, match.start() if mark[0] == "<" else match.end())
        begin = match.end()
    yield from _trim_span(text, begin, end)


def _trim_span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    lead = _LEAD.match(text, start, end)
    start = lead.end() if lead else start
    end = start + len(text[start:end].rstrip())
    if _WORD.search(text, start, end):
        yield start, end
