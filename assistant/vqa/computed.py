"""Answers that are computed and not written: what a film measures, and what has changed in it.

No language model says a number or compares two films here: measurements are those of
`assistant.backbones.probe.measurements`, and a change is the difference between what the earlier
report asserts and what the probe reads in this film.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from assistant.backbones.probe.measurements import SHARE
from assistant.chest.places import DEGREES, SIDES, sides_agree
from assistant.chest.question_words import NOT_SHOWN, with_article
from assistant.chest.vocabulary import CARDIOMEGALY, NORMAL, finding_named
from assistant.claims import denies, fullest, name_of, one_sided, says
from assistant.evidence.collect import EvidenceSources, describe_size
from assistant.evidence.rules import NO_PRIOR
from assistant.labeller.labeller import find_assertions
from assistant.labeller.sentences import is_comparison
from assistant.types import Assertion, Evidence, Measurement, MeasurementTarget
from assistant.vqa.followup import UNIT, asks_measure, subject_of

# The words of a question that a measure answers, by the word that its name holds; a question
# without any of them ("in mm") is answered by every measure.
ANSWERS = {
    "ratio": ("ratio", "ctr", "wide", "width"),
    "height": ("high", "tall", "height", "deep", "thick", "thickness"),
    "gap": ("gap", "wide", "width", "far", "deep", "thick", "distance"),
    "diameter": ("diameter", "wide", "width", "thick", "long"),
    "distance": ("distance", "far", "high", "height"),
}
QUANTITIES = frozenset(word for words in ANSWERS.values() for word in words)
LENGTH = re.compile(rf"\b{UNIT}\b", re.IGNORECASE)
_THING = re.compile(
    rf"\b((?:the|this|his|her|its) .{{1,60}}?)(?: in {UNIT})?[\s?.!]*$", re.IGNORECASE
)
_CHANGE = re.compile(
    r"\b(?:chang(?:e|es|ed|ing)|worse|better|compared?|comparison|since|progress(?:ed|ion)?"
    r"|improv(?:ed|ing|ement)|deteriorat\w+|anything new|what is new|what's new"
    r"|differen\w+ (?:from|to|now)|any difference)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ComputedAnswer:
    """An answer with what it claims of the film."""

    text: str
    claims: tuple[Assertion, ...] = ()
    measured: tuple[Evidence, ...] = ()  # numbers that rest on no claim about a finding


def compute_answer(
    question: str, ground: EvidenceSources, read: Sequence[Assertion] | None, known: Container[str]
) -> ComputedAnswer | None:
    """The answer to a question for a measurement or for all changes; None for any other.

    `read` is what the probe reads in the film, None without a probe, and `known` the findings
    that it can read. A comparison of one finding is none of these: the adapter answers it.
    """
    named = [a for a in find_assertions(question) if a.finding != NORMAL]
    compares = is_comparison(question)
    if asks_measure(question) and not compares:
        return _measurement(question, ground, read or ())
    if named or not (compares or _CHANGE.search(question)):
        return None
    if ground.prior is None:
        return ComputedAnswer(NO_PRIOR)
    return None if read is None else _changes(ground.prior, read, known)


def _measurement(
    question: str, ground: EvidenceSources, read: Sequence[Assertion]
) -> ComputedAnswer:
    """What the film measures of what is asked about, with its error, in whole sentences."""
    about = subject_of(question)
    if about is None:
        thing = _THING.search(question)
        return _unmeasured(thing.group(1) if thing else "what was asked")
    name = finding_named(about.finding).name
    thing = "the heart" if about.finding == CARDIOMEGALY else f"the {_placed(about)}{name}"
    found = (
        [m for m in ground.look.measured if _fits(m.measure, about, question)]
        if ground.look
        else []
    )
    if not found:
        return _unmeasured(thing)
    if not found[0].measure.length:
        return _ratio(found[0], thing, in_mm=LENGTH.search(question) is not None)
    there = [c for c in read if c.finding == about.finding and sides_agree(about.side, c.side)]
    if not there:
        missing = NOT_SHOWN.format(thing=with_article(about.finding, _placed(about).strip()))
        return ComputedAnswer(missing, (Assertion(about.finding, "absent", about.side),))
    sides = {one.side for c in there for one in one_sided(c)}
    found = [m for m in found if m.measure.side is None or sides & {None, m.measure.side}]
    named = [(m, f"the {_quantity(m.measure)}") for m in found]
    if ground.edge_mm is None:
        wanted = _listed([words for _, words in named])
        return ComputedAnswer(
            f"The film's pixel spacing is not known, so that {wanted} cannot be told in mm."
        )
    told = [f"{words.capitalize()} is {describe_size(m, ground.edge_mm)}." for m, words in named]
    claims = tuple(Assertion(about.finding, side=m.measure.side or about.side) for m in found)
    return ComputedAnswer(" ".join(told), claims)


def _unmeasured(thing: str) -> ComputedAnswer:
    return ComputedAnswer(f"The film gives no measurement of {thing}.")


def _ratio(found: Measurement, thing: str, *, in_mm: bool) -> ComputedAnswer:
    """A ratio needs no spacing, and says nothing of mm."""
    size = describe_size(found, None)
    text = f"The {found.measure.name} is {size}."
    if in_mm:
        text = f"{_unmeasured(thing).text.rstrip('.')} in mm. {text}"
    words = f"Measured {found.measure.name}: {size}."
    return ComputedAnswer(text, (), (Evidence("measurement", SHARE, "supports", "film", words),))


def _fits(measure: MeasurementTarget, about: Assertion, question: str) -> bool:
    """Whether a measure is of the finding and the quantity that are asked about."""
    if measure.finding != about.finding or not sides_agree(about.side, measure.side):
        return False
    asked = QUANTITIES.intersection(re.findall(r"[a-z]+", question.lower()))
    answers = next((words for key, words in ANSWERS.items() if key in measure.name), ())
    return not asked or not asked.isdisjoint(answers)


def _quantity(measure: MeasurementTarget) -> str:
    """What is measured, with the name of its finding."""
    side = f"{measure.side} " if measure.side else ""
    name = f"{side}{finding_named(measure.finding).name}"
    if "the tip" in measure.name:
        return measure.name.replace("the tip", f"the tip of the {name}")
    return f"{measure.name} of the {name}"


def _placed(about: Assertion) -> str:
    return f"{about.side} " if about.side in SIDES else ""


Key = tuple[str, str | None]  # finding, side


def _changes(
    prior: Sequence[Assertion], read: Sequence[Assertion], known: Container[str]
) -> ComputedAnswer:
    """What the probe reads now, held against what the earlier report asserts."""
    then, now = _by_side(fullest(prior)), _by_side(fullest(read))
    if not prior:
        return ComputedAnswer(
            "The earlier report names nothing that this film can be compared with."
        )
    same = {key: found for key in now if (found := _matching(key, then))}
    gone = [key for key in then if key[0] in known and not _matching(key, now)]
    unasked = [key for key in then if key[0] not in known]
    told, claims = _new([c for key in now if key not in same for c in now[key]], prior)
    still: list[Assertion] = []
    for key, before in same.items():
        one = Assertion(key[0], side=key[1])
        was, is_now = _degree(before), _degree(now[key])
        if was is None or is_now is None:
            still.append(one)
            claims.append(one)
            continue
        change = _change(was, is_now)
        claims.append(replace(one, degree=is_now, comparison=change))
        told.append(f"The {name_of(one)} is {change}: {_degrees(was, is_now)}.")
    if gone:
        names = _listed(map(_a, (Assertion(f, side=side) for f, side in gone)))
        told.append(
            f"The earlier report names {names}, which the reading of this film no longer shows."
        )
        claims += [Assertion(f, "absent", side, comparison="resolved") for f, side in gone]
    if still:
        told.append(f"By the reading of this film still there: {_listed(map(name_of, still))}.")
    if unasked:
        names = _listed(name_of(Assertion(f, side=side)) for f, side in unasked)
        told.append(f"The earlier report names {names}, about which this film cannot be asked.")
    if not told:
        told = ["Neither the earlier report nor the reading of this film shows a finding."]
        claims = [Assertion(NORMAL)]
    return ComputedAnswer(" ".join(told), tuple(claims))


def _new(
    found: Sequence[Assertion], prior: Sequence[Assertion]
) -> tuple[list[str], list[Assertion]]:
    """Sentences about what is read now and not asserted earlier, and their claims."""

    def possible(c: Assertion) -> bool:
        return says(prior, replace(c, polarity="uncertain"))

    def denied(c: Assertion) -> bool:
        return not possible(c) and denies(prior, c)

    kinds: tuple[tuple[str, Callable[[Assertion], bool]], ...] = (
        ("does not name", lambda c: not possible(c) and not denied(c)),
        ("denies", denied),
        ("calls possible", possible),
    )
    told = [
        f"The reading of this film shows {_listed(map(_a, chosen))}, "
        f"which the earlier report {words}."
        for words, of_kind in kinds
        if (chosen := [c for c in found if of_kind(c)])
    ]
    return told, [replace(c, comparison=None if possible(c) else "new") for c in found]


def _by_side(claims: Iterable[Assertion]) -> dict[Key, list[Assertion]]:
    found: dict[Key, list[Assertion]] = {}
    for claim in claims:
        # Where the tip of a tube lies is no degree.
        degree = claim.degree if claim.degree in DEGREES else None
        for one in one_sided(replace(claim, degree=degree)):
            found.setdefault((one.finding, one.side), []).append(one)
    return found


def _matching(key: Key, others: dict[Key, list[Assertion]]) -> list[Assertion]:
    """What others have of a finding; a side that is not told fits any."""
    return [
        claim
        for (finding, side), claims in others.items()
        if finding == key[0] and (side == key[1] or None in (side, key[1]))
        for claim in claims
    ]


def _degree(claims: Sequence[Assertion]) -> str | None:
    """The degree, where all tell the same."""
    degrees = {claim.degree for claim in claims}
    return degrees.pop() if len(degrees) == 1 else None


def _change(was: str, is_now: str) -> str:
    step = DEGREES.index(is_now) - DEGREES.index(was)
    return "larger" if step > 0 else "smaller" if step < 0 else "unchanged"


def _degrees(was: str, is_now: str) -> str:
    if was == is_now:
        return f"{was} then and now"
    return f"{was} in the earlier report, {is_now} in the reading of this film"


def _a(claim: Assertion) -> str:
    """A claim's name with its article: "a small right pleural effusion"."""
    zone = f"{claim.zone} zone" if claim.zone else ""
    return with_article(
        claim.finding, " ".join(word for word in (claim.degree, claim.side, zone) if word)
    )


def _listed(names: Iterable[str]) -> str:
    """ "a, b and c"."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last
