"""Resolves follow-up questions: finds their subject in the conversation and completes them.

"Which side?" asks about the subject of earlier turns. It is completed in the phrasings that the
adapter "answer" knows; a question that stands alone is left as it is. This module knows the words
of questions; it reads no film and answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.chest.places import SIDES
from assistant.chest.question_words import (
    COMPARISON,
    COUNT,
    COUNTED,
    DEGREE,
    MEASURED,
    PLACE,
    PRESENCE,
    SIDE,
    SIZE,
    TIP,
    phrase_question,
)
from assistant.chest.vocabulary import CARDIOMEGALY, DEVICES, NORMAL, TUBE, finding_named
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

Turns = Sequence[tuple[str, str]]  # earlier (question, answer), the oldest first
# Findings that questions refer to by the name of a body part or device.
PARTS = (
    (CARDIOMEGALY, re.compile(r"\bheart\b(?! rate)|\bcardiothoracic\b|\bctr\b", re.IGNORECASE)),
    (TUBE, re.compile(r"\b(?:the|breathing) tube\b|\bcarina\b", re.IGNORECASE)),
)
UNIT = r"(?:[mc]m|(?:milli|centi)met(?:re|er)s?)"
_MEASURE = re.compile(
    r"\bhow (?:wide|high|tall|thick|deep|far|long is)\b|\bratio\b|\bctr\b"
    r"|\b(?:diameter|width|height|thickness|distance|gap)\b|\bmeasur(?:es?|ed|ements?)\b"
    rf"|\b{UNIT}\b",
    re.IGNORECASE,
)
_HEART_SIZE = re.compile(
    r"\b(?:how (?:large|big) is|size of) the heart\b|\b(?:heart|cardiac) size\b", re.IGNORECASE
)
_IT = r"(?:it|they|this|that|these|those|the (?:finding|lesion|abnormality))"
_BE = r"(?:is|are|was|were)"
_LEAD = re.compile(r"(?:(?:and|so|ok|okay|but|then|well|what about|how about)\b[\s,]*)+")
_END = re.compile(r"(?:[\s,]*(?:exactly|please|then|(?:in|on) (?:this|the) film))*[\s?.!]*$")
_ONE_SIDE = re.compile(
    r"(?:\b(?:on|at|in|of|to)\s+)?(?:\bthe\s+)?\b(right|left)\b(?:\s+(?:side|lung))?"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|do|does|has|have|had|can|could|would|where|which|how|why)\b"
)
_MORE = (
    "worse|better|larger|smaller|bigger|chang(?:e|ed|ing)|improv(?:ed|ing)|progress(?:ed|ing)"
    "|grown|growing|new|resolved|unchanged|stable|the same|different"
)
_LARGE = "large|big|small|moderate|much|severe|marked|bad|pronounced|extensive"
# What a question without a finding's name asks; the pattern must match all of it.
_FORMS = tuple(
    (form, re.compile(pattern))
    for form, pattern in (
        ("side", rf"(?:(?:on|to|at) )?(?:which|what) side(?: {_BE} {_IT}(?: on)?)?"),
        ("side", rf"(?:{_BE} {_IT} )?(?:on )?(?:the )?(?:right|left),? or (?:on )?(?:the )?"
                 r"(?:right|left)(?: side)?(?:,? or both)?"),
        ("side", rf"(?:{_BE} {_IT} )?(?:on )?(?:one side or both|one or both sides|both sides"
                 r"|bilateral|unilateral or bilateral)"),
        ("size", rf"how (?:{_LARGE})(?: {_BE} {_IT}| of {_IT}(?: {_BE} there)?| {_BE} there)?"),
        ("size", rf"(?:what )?(?:size|degree)(?: {_BE} {_IT}| of {_IT})?"),
        ("size", r"(?:what is )?(?:its|the) (?:size|degree|extent)"),
        ("size", rf"{_BE} {_IT} (?:very )?(?:{_LARGE})(?:,? (?:or )?(?:{_LARGE}))*"),
        ("place", rf"where(?: {_BE} {_IT}(?: located)?| do(?:es)? {_IT} (?:lie|end)"
                  rf"| do you see {_IT})?"),
        ("place", rf"(?:in )?(?:which|what) (?:zone|lobe|part)(?: of the lungs?)?(?: {_BE} {_IT}"
                  r"(?: in)?)?"),
        ("tip", rf"(?:{_BE} {_IT} )?(?:in place|well placed|where it should be"
                r"|too (?:high|low)(?:,? or too (?:high|low))?)"),
        ("count", rf"how many(?: (?:of them )?{_BE} there|{_BE} {_IT})?"),
        ("change", rf"(?:is|are|has|have|did) {_IT} (?:\w+ )?(?:{_MORE})\b.*"),
        ("change", rf"how (?:has|have|did) {_IT} chang\w+\b.*|(?:{_MORE})"),
        ("presence", rf"(?:{_BE} )?(?:{_IT}|(?:there )?(?:one|any))?"
                     r"(?: (?:also|too|there|present|real|really there))*"),
        ("presence", r"are you (?:sure|certain)|really|also|any"),
    )
)  # fmt: skip


def resolve_followup(question: str, history: Turns = ()) -> str:
    """Return the complete question; unchanged where it stands alone or has no earlier subject.

    `history` holds the earlier questions about the same film with their answers, oldest first;
    each of them is resolved by those before it.
    """
    subject: Assertion | None = None
    for earlier, answer in history:
        subject = subject_of(_complete_question(earlier, subject)) or subject_of(answer) or subject
    return _complete_question(question, subject)


def subject_of(text: str) -> Assertion | None:
    """Return the finding that a text is about, the last of several; None where it names none.

    "Heart" counts as cardiomegaly and "tube" as the endotracheal tube.
    """
    claims = [a for a in find_assertions(text) if a.finding != NORMAL]
    not_absent = [a for a in claims if a.polarity != "absent"]
    if not_absent or len({a.finding for a in claims}) == 1:
        return (not_absent or claims)[-1]
    return next((Assertion(key) for key, words in PARTS if words.search(text)), None)


def asks_measure(question: str) -> bool:
    """Return whether a question asks for a measurement, not for a degree in words."""
    if _HEART_SIZE.search(question) and not find_assertions(question):
        return True
    return _MEASURE.search(question) is not None


def _complete_question(question: str, subject: Assertion | None) -> str:
    line = " ".join(question.split())
    lowered = _END.sub("", line.lower())
    core = lowered[lead.end() :] if (lead := _LEAD.match(lowered)) else lowered
    if own_subject := subject_of(line):
        # "And a pneumothorax?" asks whether there is one.
        elliptical = (
            lead and own_subject.polarity != "absent" and own_subject.finding != CARDIOMEGALY
        )
        if elliptical and not _VERB.search(core) and not asks_measure(line):
            return phrase_question(PRESENCE[0], own_subject.finding, _side_of(own_subject))
        return line
    if subject is None:
        return line
    if asks_measure(line):
        return _phrase_measurement(line, lowered, subject)
    sides = _ONE_SIDE.findall(core)
    side = sides[0] if len(sides) == 1 else ""
    rest = " ".join(_ONE_SIDE.sub(" ", core).split()) if side else core
    for form, pattern in _FORMS:
        if pattern.fullmatch(rest):
            return _phrase_form(form, subject, side) or line
    return line


def _phrase_form(form: str, subject: Assertion, side: str) -> str:
    """Phrase a question of one form about a finding; empty where it makes no sense for it."""
    key, finding = subject.finding, finding_named(subject.finding)
    subject_side = (side or _side_of(subject)) if finding.sided else ""
    if form == "tip" or (form == "place" and key == TUBE):
        return phrase_question(TIP[0 if form == "place" else 1], key) if key == TUBE else ""
    if form == "place" and finding.zoned:
        return phrase_question(PLACE[0], key)
    if form in ("side", "place"):
        return phrase_question(SIDE[0], key) if finding.sided else ""
    if form == "size":
        table = SIZE if key in MEASURED else DEGREE
        return "" if key in DEVICES else phrase_question(table[0], key, subject_side)
    if form == "count":
        return phrase_question(COUNT[0], key) if key == COUNTED else ""
    if form == "change":
        return phrase_question(COMPARISON[0], key, subject_side)
    return "" if side and not finding.sided else phrase_question(PRESENCE[0], key, subject_side)


def _side_of(subject: Assertion) -> str:
    return subject.side if subject.side in SIDES else ""


def _phrase_measurement(question: str, lowered: str, subject: Assertion) -> str:
    """Put the name of the subject into a question for a measurement."""
    name = "heart" if subject.finding == CARDIOMEGALY else finding_named(subject.finding).name
    subject_name = f"the {_side_of(subject)} {name}".replace("  ", " ")
    if re.search(rf"\b{_IT}\b", lowered):
        return re.sub(rf"\b{_IT}\b", subject_name, question, count=1, flags=re.IGNORECASE)
    if re.search(r"\bits \w+", lowered):
        return re.sub(
            r"\b(i)ts (\w+)", rf"the \2 of {subject_name}", question, count=1, flags=re.IGNORECASE
        )
    if re.fullmatch(r"(?:how many|and|in|what is it in|\s)*\w+", lowered):
        return f"How large is {subject_name} in mm?"
    return question
