"""Computes answers without a language model: measurements of a film, and changes in it.

Numbers come from `assistant.backbones.probe.measurements`, and a change is the difference between
what the earlier report asserts and what the probe finds in this film.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from assistant.backbones.probe.measurements import COVERAGE
from assistant.chest.places import DEGREES, SIDES, sides_agree
from assistant.chest.question_words import NOT_SHOWN, with_article
from assistant.chest.vocabulary import CARDIOMEGALY, NORMAL, finding_named
from assistant.claims import FindingSide, asserts, denies, keep_most_specific, name_of, split_sides
from assistant.evidence.collect import EvidenceSources, describe_size
from assistant.evidence.rules import NO_PRIOR
from assistant.labeller.labeller import find_assertions
from assistant.labeller.sentences import is_comparison
from assistant.types import Assertion, Evidence, Measurement, MeasurementTarget
from assistant.vqa.followup import UNIT, asks_measure, subject_of

# Question words that a measurement answers, by a word in its name; a question without any of
# them ("in mm") is answered by every measurement of the finding.
QUANTITY_WORDS = {
    "ratio": ("ratio", "ctr", "wide", "width"),
    "height": ("high", "tall", "height", "deep", "thick", "thickness"),
    "gap": ("gap", "wide", "width", "far", "deep", "thick", "distance"),
    "diameter": ("diameter", "wide", "width", "thick", "long"),
    "distance": ("distance", "far", "high", "height"),
}
QUANTITIES = frozenset(word for words in QUANTITY_WORDS.values() for word in words)
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
    """An answer with its claims about the film."""

    text: str
    claims: tuple[Assertion, ...] = ()
    evidence: tuple[Evidence, ...] = ()  # numbers that rest on no claim about a finding


def compute_answer(
    question: str,
    sources: EvidenceSources,
    probe_claims: Sequence[Assertion] | None,
    probed_keys: Container[str],
) -> ComputedAnswer | None:
    """Answer a question for a measurement or for all changes; None for any other question.

    `probe_claims` is what the probe finds in the film, None without a probe; `probed_keys` are
    the findings that it can detect. A comparison of one finding is left to the adapter.
    """
    question_claims = [a for a in find_assertions(question) if a.finding != NORMAL]
    compares = is_comparison(question)
    if asks_measure(question) and not compares:
        return _answer_measurement(question, sources, probe_claims or ())
    if question_claims or not (compares or _CHANGE.search(question)):
        return None
    if sources.all_prior_claims is None:
        return ComputedAnswer(NO_PRIOR)
    if probe_claims is None:
        return None
    answer = _answer_changes(sources.all_prior_claims, probe_claims, probed_keys)
    if sources.prior_film is None:
        return answer
    source = "earlier film" if sources.prior_claims is None else "earlier report or film"
    return replace(answer, text=answer.text.replace("earlier report", source))


def _answer_measurement(
    question: str, sources: EvidenceSources, probe_claims: Sequence[Assertion]
) -> ComputedAnswer:
    """Answer with the measurements that a question asks for, with their errors, in sentences."""
    subject = subject_of(question)
    if subject is None:
        thing = _THING.search(question)
        return _answer_not_measured(thing.group(1) if thing else "what was asked")
    name = finding_named(subject.finding).name
    thing = "the heart" if subject.finding == CARDIOMEGALY else f"the {_side_prefix(subject)}{name}"
    measurements = (
        [m for m in sources.probe.measurements if _is_asked_about(m.target, subject, question)]
        if sources.probe
        else []
    )
    if not measurements:
        return _answer_not_measured(thing)
    if not measurements[0].target.length:
        return _answer_ratio(measurements[0], thing, in_mm=LENGTH.search(question) is not None)
    present = [
        c
        for c in probe_claims
        if c.finding == subject.finding and sides_agree(subject.side, c.side)
    ]
    if not present:
        missing = NOT_SHOWN.format(
            thing=with_article(subject.finding, _side_prefix(subject).strip())
        )
        return ComputedAnswer(missing, (Assertion(subject.finding, "absent", subject.side),))
    sides = {part.side for c in present for part in split_sides(c)}
    measurements = [
        m for m in measurements if m.target.side is None or sides & {None, m.target.side}
    ]
    quantities = [(m, f"the {_name_quantity(m.target)}") for m in measurements]
    if sources.edge_mm is None:
        names = _join_names([words for _, words in quantities])
        return ComputedAnswer(
            f"The film's pixel spacing is not known, so that {names} cannot be told in mm."
        )
    sentences = [
        f"{words.capitalize()} is {describe_size(m, sources.edge_mm)}." for m, words in quantities
    ]
    claims = tuple(
        Assertion(subject.finding, side=m.target.side or subject.side) for m in measurements
    )
    return ComputedAnswer(" ".join(sentences), claims)


def _answer_not_measured(thing: str) -> ComputedAnswer:
    return ComputedAnswer(f"The film gives no measurement of {thing}.")


def _answer_ratio(measurement: Measurement, thing: str, *, in_mm: bool) -> ComputedAnswer:
    """Answer with a ratio, which needs no pixel spacing and gives no mm."""
    size = describe_size(measurement, None)
    text = f"The {measurement.target.name} is {size}."
    if in_mm:
        text = f"{_answer_not_measured(thing).text.rstrip('.')} in mm. {text}"
    words = f"Measured {measurement.target.name}: {size}."
    return ComputedAnswer(text, (), (Evidence("measurement", COVERAGE, "supports", "film", words),))


def _is_asked_about(target: MeasurementTarget, subject: Assertion, question: str) -> bool:
    """Return whether a measurement is of the finding and the quantity asked about."""
    if target.finding != subject.finding or not sides_agree(subject.side, target.side):
        return False
    quantities = QUANTITIES.intersection(re.findall(r"[a-z]+", question.lower()))
    name_words = next((words for key, words in QUANTITY_WORDS.items() if key in target.name), ())
    return not quantities or not quantities.isdisjoint(name_words)


def _name_quantity(target: MeasurementTarget) -> str:
    """Return the name of what is measured, with that of its finding."""
    side = f"{target.side} " if target.side else ""
    name = f"{side}{finding_named(target.finding).name}"
    if "the tip" in target.name:
        return target.name.replace("the tip", f"the tip of the {name}")
    return f"{target.name} of the {name}"


def _side_prefix(subject: Assertion) -> str:
    return f"{subject.side} " if subject.side in SIDES else ""


def _answer_changes(
    prior_claims: Sequence[Assertion],
    probe_claims: Sequence[Assertion],
    probed_keys: Container[str],
) -> ComputedAnswer:
    """Answer with the differences between the probe's claims and the earlier report's."""
    earlier, current = (
        _group_by_side(keep_most_specific(prior_claims)),
        _group_by_side(keep_most_specific(probe_claims)),
    )
    if not prior_claims:
        return ComputedAnswer(
            "The earlier report names nothing that this film can be compared with."
        )
    in_both = {key: found for key in current if (found := _claims_for(key, earlier))}
    missing = [key for key in earlier if key[0] in probed_keys and not _claims_for(key, current)]
    unprobed = [key for key in earlier if key[0] not in probed_keys]
    sentences, claims = _describe_new(
        [c for key in current if key not in in_both for c in current[key]], prior_claims
    )
    without_degree: list[Assertion] = []
    for key, earlier_claims in in_both.items():
        claim = Assertion(key[0], side=key[1])
        degree_before, degree_now = _common_degree(earlier_claims), _common_degree(current[key])
        if degree_before is None or degree_now is None:
            without_degree.append(claim)
            claims.append(claim)
            continue
        change = _change_between(degree_before, degree_now)
        claims.append(replace(claim, degree=degree_now, comparison=change))
        sentences.append(
            f"The {name_of(claim)} is {change}: {_describe_degrees(degree_before, degree_now)}."
        )
    if missing:
        names = _join_names(
            map(_name_with_article, (Assertion(f, side=side) for f, side in missing))
        )
        sentences.append(
            f"The earlier report names {names}, which the reading of this film no longer shows."
        )
        claims += [Assertion(f, "absent", side, comparison="resolved") for f, side in missing]
    if without_degree:
        sentences.append(
            f"By the reading of this film still there: {_join_names(map(name_of, without_degree))}."
        )
    if unprobed:
        names = _join_names(name_of(Assertion(f, side=side)) for f, side in unprobed)
        sentences.append(
            f"The earlier report names {names}, about which this film cannot be asked."
        )
    if not sentences:
        sentences = ["Neither the earlier report nor the reading of this film shows a finding."]
        claims = [Assertion(NORMAL)]
    return ComputedAnswer(" ".join(sentences), tuple(claims))


def _describe_new(
    claims: Sequence[Assertion], prior_claims: Sequence[Assertion]
) -> tuple[list[str], list[Assertion]]:
    """Return sentences about the claims that the earlier report lacks, and their claims."""

    def is_possible(c: Assertion) -> bool:
        return asserts(prior_claims, replace(c, polarity="uncertain"))

    def is_denied(c: Assertion) -> bool:
        return not is_possible(c) and denies(prior_claims, c)

    groups: tuple[tuple[str, Callable[[Assertion], bool]], ...] = (
        ("does not name", lambda c: not is_possible(c) and not is_denied(c)),
        ("denies", is_denied),
        ("calls possible", is_possible),
    )
    sentences = [
        f"The reading of this film shows {_join_names(map(_name_with_article, chosen))}, "
        f"which the earlier report {words}."
        for words, belongs in groups
        if (chosen := [c for c in claims if belongs(c)])
    ]
    return sentences, [replace(c, comparison=None if is_possible(c) else "new") for c in claims]


def _group_by_side(claims: Iterable[Assertion]) -> dict[FindingSide, list[Assertion]]:
    by_side: dict[FindingSide, list[Assertion]] = {}
    for claim in claims:
        # The position of a tube's tip is stored as a degree, but is none.
        degree = claim.degree if claim.degree in DEGREES else None
        for part in split_sides(replace(claim, degree=degree)):
            by_side.setdefault((part.finding, part.side), []).append(part)
    return by_side


def _claims_for(key: FindingSide, groups: dict[FindingSide, list[Assertion]]) -> list[Assertion]:
    """Return the claims of others about a finding; a side that is not given fits any."""
    return [
        claim
        for (finding, side), claims in groups.items()
        if finding == key[0] and (side == key[1] or None in (side, key[1]))
        for claim in claims
    ]


def _common_degree(claims: Sequence[Assertion]) -> str | None:
    """Return the degree that all claims share; None where they differ."""
    degrees = {claim.degree for claim in claims}
    return degrees.pop() if len(degrees) == 1 else None


def _change_between(before: str, now: str) -> str:
    step = DEGREES.index(now) - DEGREES.index(before)
    return "larger" if step > 0 else "smaller" if step < 0 else "unchanged"


def _describe_degrees(before: str, now: str) -> str:
    if before == now:
        return f"{before} then and now"
    return f"{before} in the earlier report, {now} in the reading of this film"


def _name_with_article(claim: Assertion) -> str:
    """Return a claim's name with its article: "a small right pleural effusion"."""
    zone = f"{claim.zone} zone" if claim.zone else ""
    return with_article(
        claim.finding, " ".join(word for word in (claim.degree, claim.side, zone) if word)
    )


def _join_names(names: Iterable[str]) -> str:
    """Join names as in "a, b and c", each once."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last
