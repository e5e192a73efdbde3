"""Questions that stand in a conversation: what they are about, and their whole form.

"Which side?" asks about what was spoken of before. It is made whole in the phrasings that the
adapter "answer" knows; a question that stands alone is left as it is. This module knows the words
of questions; it sees no film and answers nothing.
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
# Parts that are asked about by a name that is no finding's.
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
# What a question without a finding's name asks; the whole of it must fit.
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
    """The question in its whole form; itself where it stands alone or nothing was spoken of.

    `history` are the earlier questions about the same film with their answers, the oldest first;
    each of them is understood by those before it.
    """
    about: Assertion | None = None
    for earlier, answer in history:
        about = subject_of(_whole(earlier, about)) or subject_of(answer) or about
    return _whole(question, about)


def subject_of(text: str) -> Assertion | None:
    """The finding that a text speaks of, the last of several; None where it names none.

    The heart and the tube count as what is found of them.
    """
    named = [a for a in find_assertions(text) if a.finding != NORMAL]
    sure = [a for a in named if a.polarity != "absent"]
    if sure or len({a.finding for a in named}) == 1:
        return (sure or named)[-1]
    return next((Assertion(key) for key, words in PARTS if words.search(text)), None)


def asks_measure(question: str) -> bool:
    """Whether a question wants a measurement, not a degree in words."""
    if _HEART_SIZE.search(question) and not find_assertions(question):
        return True
    return _MEASURE.search(question) is not None


def _whole(question: str, about: Assertion | None) -> str:
    asked = " ".join(question.split())
    said = _END.sub("", asked.lower())
    bare = said[lead.end() :] if (lead := _LEAD.match(said)) else said
    if own := subject_of(asked):
        # "And a pneumothorax?" asks whether there is one.
        elliptical = lead and own.polarity != "absent" and own.finding != CARDIOMEGALY
        if elliptical and not _VERB.search(bare) and not asks_measure(asked):
            return phrase_question(PRESENCE[0], own.finding, _one_side(own))
        return asked
    if about is None:
        return asked
    if asks_measure(asked):
        return _measure(asked, said, about)
    sides = _ONE_SIDE.findall(bare)
    side = sides[0] if len(sides) == 1 else ""
    rest = " ".join(_ONE_SIDE.sub(" ", bare).split()) if side else bare
    for form, pattern in _FORMS:
        if pattern.fullmatch(rest):
            return _asked(form, about, side) or asked
    return asked


def _asked(form: str, about: Assertion, side: str) -> str:
    """A question of one form about a finding; empty where it makes no sense of it."""
    key, finding = about.finding, finding_named(about.finding)
    one = (side or _one_side(about)) if finding.sided else ""
    if form == "tip" or (form == "place" and key == TUBE):
        return phrase_question(TIP[0 if form == "place" else 1], key) if key == TUBE else ""
    if form == "place" and finding.zoned:
        return phrase_question(PLACE[0], key)
    if form in ("side", "place"):
        return phrase_question(SIDE[0], key) if finding.sided else ""
    if form == "size":
        table = SIZE if key in MEASURED else DEGREE
        return "" if key in DEVICES else phrase_question(table[0], key, one)
    if form == "count":
        return phrase_question(COUNT[0], key) if key == COUNTED else ""
    if form == "change":
        return phrase_question(COMPARISON[0], key, one)
    return "" if side and not finding.sided else phrase_question(PRESENCE[0], key, one)


def _one_side(about: Assertion) -> str:
    return about.side if about.side in SIDES else ""


def _measure(asked: str, said: str, about: Assertion) -> str:
    """A question for a measurement with the name of what is measured."""
    name = "heart" if about.finding == CARDIOMEGALY else finding_named(about.finding).name
    one = f"the {_one_side(about)} {name}".replace("  ", " ")
    if re.search(rf"\b{_IT}\b", said):
        return re.sub(rf"\b{_IT}\b", one, asked, count=1, flags=re.IGNORECASE)
    if re.search(r"\bits \w+", said):
        return re.sub(r"\b(i)ts (\w+)", rf"the \2 of {one}", asked, count=1, flags=re.IGNORECASE)
    if re.fullmatch(r"(?:how many|and|in|what is it in|\s)*\w+", said):
        return f"How large is {one} in mm?"
    return asked
