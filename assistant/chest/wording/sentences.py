"""Every phrasing of one claim: as sentences of the findings, as a short item, as its denial.

All phrasings are listed, so that a test can read each of them; the composer draws one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType

from assistant.chest.places import BOTH, DEGREES, SIDES
from assistant.chest.wording.heart_words import ABDOMEN, HEART, MEDIASTINUM
from assistant.chest.wording.lung_words import LUNGS, PLEURA
from assistant.chest.wording.other_findings_words import BONES, DEVICE_WORDS, FILM
from assistant.chest.wording.phrases import (
    ADVERBS,
    DEGREE_WORDS,
    Group,
    Wording,
    capitalise,
    pluralise,
    split_article,
    with_article,
    words_after,
    words_before,
)
from assistant.types import Assertion

# In the order of a report.
GROUPS: tuple[tuple[Group, tuple[Wording, ...]], ...] = (
    ("film", FILM),
    ("heart", HEART),
    ("mediastinum", MEDIASTINUM),
    ("lungs", LUNGS),
    ("pleura", PLEURA),
    ("abdomen", ABDOMEN),
    ("bones", BONES),
    ("devices", DEVICE_WORDS),
)
WORDINGS = MappingProxyType({w.key: w for _, wordings in GROUPS for w in wordings})
GROUP_OF: Mapping[str, Group] = MappingProxyType(
    {w.key: group for group, wordings in GROUPS for w in wordings}
)
# Names that a list of claims reads better with, and reads back with as the same claims.
SHORT_NAMES = MappingProxyType({
    "aortic_abnormality": "aortic ectasia or atherosclerosis",
    "enlarged_pulmonary_arteries": "enlargement of the pulmonary arteries",
    "vertebral_deformity": "vertebral wedge deformity",
    "pacemaker": "pacemaker",
    "surgical_clips": "surgical clips",
    "postsurgical_change": "postsurgical change",
    "bowel_gas": "distension of the bowel",
})  # fmt: skip
# Of the position of a tube's tip, which stands where other findings have a degree.
TUBE_POSITIONS = {
    "too low": (
        "The endotracheal tube is too low and should be withdrawn.",
        "The tip of the endotracheal tube lies too low, near the carina.",
        "Endotracheal tube too low.",
    ),
    "too high": (
        "The endotracheal tube is too high and should be advanced.",
        "The tip of the endotracheal tube lies too high in the trachea.",
        "Endotracheal tube too high.",
    ),
}
# `{x}` is a noun phrase with its article, `{X}` one without at the start of a sentence.
_PRESENT = (
    "There {is} {x}.", "There {is} {x}.", "{X}.", "{A} {is} seen.", "{A} {is} noted.",
    "{A} {is} present.",
)  # fmt: skip
_PRESENT_AFTER = (
    "There {is} {x} {at}.",
    "{X} {at}.",
    "{A} {is} seen {at}.",
    "{A} {is} noted {at}.",
)
_UNCERTAIN = (
    "Possible {n}.", "There may be {x}.", "{A} cannot be excluded.", "Questionable {n}.",
    "Suspected {n}.",
)  # fmt: skip
_UNCERTAIN_AFTER = (
    "Possible {n} {at}.", "There may be {x} {at}.", "{A} {at} cannot be excluded.",
)  # fmt: skip
_ABSENT = ("No {n}.", "There is no {n}.", "No {n} is seen.", "No evidence of {n}.")
_ABSENT_AFTER = ("No {n} {at}.", "There is no {n} {at}.", "No {n} is seen {at}.")


@dataclass(frozen=True, slots=True)
class _NounPhrase:
    words: str  # without an article: degree, place and noun
    article: str  # "a", "some" or ""
    at: str = ""  # the place, where it follows

    @property
    def with_article(self) -> str:
        return with_article(self.words) if self.article == "a" else self.words

    @property
    def verb(self) -> str:
        return "are" if self.article == "some" else "is"


def sentences_of(claim: Assertion) -> tuple[str, ...]:
    """Return every phrasing of a claim with a noun: a sentence of the findings each."""
    if claim.degree in TUBE_POSITIONS:
        return TUBE_POSITIONS[claim.degree]
    before, after = {
        "present": (_PRESENT, _PRESENT_AFTER),
        "uncertain": (_UNCERTAIN, _UNCERTAIN_AFTER),
        "absent": (_ABSENT, _ABSENT_AFTER),
    }[claim.polarity]
    return tuple(
        frame.format(
            **{"is": phrase.verb},
            x=phrase.with_article,
            n=phrase.words,
            X=capitalise(phrase.words),
            A=capitalise(phrase.with_article),
            at=phrase.at,
        )
        for phrase in _noun_phrases(claim)
        for frame in (after if phrase.at else before)
    )


def own_sentences_of(claim: Assertion) -> tuple[str, ...]:
    """Return the sentences of a finding's own that say just what a claim says; () for none."""
    wording = WORDINGS[claim.finding]
    templates = {
        "present": wording.own, "uncertain": wording.own_uncertain, "absent": wording.own_absent,
    }[claim.polarity]  # fmt: skip
    degrees = _degree_words(wording, claim.degree)
    return tuple(
        capitalise(
            template.format(
                side=claim.side, degree=degree, ly=ADVERBS.get(degree, ""), Degree=degree
            )
        )
        for template in templates
        if _fits(template, claim)
        for degree in degrees
    )


def _fits(template: str, claim: Assertion) -> bool:
    """Return whether a sentence of its own has a slot for all that a claim says, and no other."""
    slots = {name for _, name, _, _ in Formatter().parse(template) if name}
    if claim.zone or ("side" in slots) != bool(claim.side):
        return False
    if claim.side and claim.side not in SIDES:
        return False
    return bool(slots - {"side"}) == (claim.degree is not None)


def item_of(claim: Assertion) -> str:
    """Return a claim in a few words: "moderate right pleural effusion", "possible nodule"."""
    phrase = next(_noun_phrases(claim))
    words = f"{phrase.words} {phrase.at}".strip()
    if claim.degree in TUBE_POSITIONS:
        words = f"{words} {claim.degree}"
    prefix = {"absent": "no ", "uncertain": "possible "}.get(claim.polarity, "")
    return prefix + words


def _noun_phrases(claim: Assertion) -> Iterator[_NounPhrase]:
    """Yield every noun phrase of a claim, the plainest first."""
    wording = WORDINGS[claim.finding]
    nouns = _fitting_nouns(wording, claim.side)
    # What is not there is denied by its plain name alone.
    for noun in nouns[:1] if claim.polarity == "absent" else nouns:
        article, words = split_article(noun)
        if claim.side == BOTH and article == "a":
            article, words = "some", pluralise(words)
        named_side = "{side}" in words
        before = () if named_side or wording.towards else words_before(claim.side, claim.zone)
        if not wording.apical:
            before = tuple(place for place in before if "apical" not in place)
        after = () if named_side else words_after(
            claim.side, claim.zone, towards=wording.towards
        )  # fmt: skip
        for degree in _degree_words(wording, claim.degree):
            adverb = "{ly}" in words
            filled = words.format(side=claim.side, ly=ADVERBS.get(degree, "")).strip()
            adjective = "" if adverb else degree
            for place in before or (() if after else ("",)):
                yield _NounPhrase(_join((adjective, place, filled)), article)
            for place in after:
                yield _NounPhrase(_join((adjective, filled)), article, place)


def _fitting_nouns(wording: Wording, side: str | None) -> list[str]:
    """Return the nouns with a slot for the side where there are any, else those without."""
    slotted = [noun for noun in wording.nouns if "{side}" in noun]
    if side in SIDES and slotted:
        return slotted
    return [noun for noun in wording.nouns if "{side}" not in noun]


def _degree_words(wording: Wording, degree: str | None) -> tuple[str, ...]:
    if degree not in DEGREES or wording.scale is None:
        return ("",)
    return DEGREE_WORDS[wording.scale][degree]


def _join(words: Iterable[str]) -> str:
    return " ".join(word for word in words if word)
