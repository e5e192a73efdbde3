"""Summarises what a whole report says of each finding, from all its sentences.

A report names a finding in its findings and again in its impression, on the right in one sentence
and on the left in the next; a radiologist who counts errors counts it once. Here every finding
has one entry with all that is said of it. What the sentences say besides findings is kept as a
set of words, so that a comparison sees also what the vocabulary has no key for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.chest.other_words import OTHER_WORDS
from assistant.chest.places import BOTH, DEGREES, SIDES
from assistant.chest.vocabulary import NORMAL, finding_named
from assistant.labeller.sentences import ParsedSentence, is_comparison
from assistant.types import Assertion
from evals.report.parsed import ReportParser
from evals.report.significance import DEVICES, finding_similarity

# Of several changes stated for one finding, the first of these counts.
_CHANGES = ("larger", "new", "smaller", "resolved", "unchanged")

# A line or a tube that does not lie where it should, unless that has been put right.
_MALPOSITION = re.compile(
    r"(?i)\b(?:mal-?position\w*|misplaced|re-?position\w*|with-?draw\w*|pull(?:ed)? back"
    r"|retract\w*|advanc\w*|kink\w*|too (?:high|low|deep|far)"
    r"|(?:right|left) main(?:-?\s?stem)?(?: bronchus)?)\b"
)
_CORRECTED = re.compile(r"(?i)\b(?:interval|(?:has|have) been)\b")
_GLOBAL_CHANGES = tuple(
    (name, re.compile(rf"(?i)\b(?:{pattern})"))
    for name, pattern in (
        ("unchanged", r"unchanged|stable|similar|(?:no|not|little) (?:\w+ ){0,3}chang"),
        ("larger", r"wors|progress|increas|deteriorat|new\b|develop"),
        ("smaller", r"improv|decreas|resol(?:v|ution)|clear(?:ed|ing)|regress|better"),
    )
)
# Calls, advice and how the film was taken: no reader counts these as findings.
_ASIDE = re.compile(
    r"(?i)\b(?:discuss\w*|communicat\w*|notif\w*|telephone\w*|phone\w*|paged?|emailed|dashboard"
    r"|recommend\w*|follow-?\s?up|correlat\w*|advised|could be (?:obtained|considered|performed)"
    r"|is suggested|repeat|attending|technique|comparison|indication|history|views? of the chest"
    r"|obtained|rotated|limited|examination consists)\b"
)
# Nor does anyone count what is said to be normal and left out, whether or not it has a key.
_NORMAL = re.compile(
    r"(?i)\b(?:no|not|without|normal|unremarkable|midline|intact|clear|negative|free of|limits)\b"
)
_WORD = re.compile(r"[a-z]{3,}")


def _stem_of(word: str) -> str:
    """Six letters: "atelectasis" and "atelectatic" are one word, and so are "tube" and "tubes"."""
    return word.removesuffix("s")[:6]


# Little words, words for a film, and what claims carry already: place, degree, doubt, change.
_STOP_STEMS = frozenset(
    _stem_of(word)
    for word in _WORD.findall(
        "the and with for from are was were has have had been being this that these those there "
        "its than then which not without some any all can may could might would should but also "
        "into onto over under within about above below out per via due both more less most very "
        "seen noted evidence present identified demonstrated visualized appears appear appearing "
        "likely possible possibly probable probably suggest suggesting suggestive consistent "
        "compatible concerning concern suspicious represent representing reflect reflecting "
        "versus otherwise again unchanged stable change changes changed interval compared "
        "comparison prior previous previously current today increased decreased increase decrease "
        "improved improvement improving worsened worsening new newly persistent remains remain "
        "right left bilateral bilaterally side sided mild mildly moderate moderately severe small "
        "large minimal minimally slight slightly trace tiny marked markedly extensive patient "
        "film radiograph radiographs radiographic examination exam study image images view views "
        "chest portable frontal lateral xxxx lung lobe zone upper lower middle mid base basal "
        "basilar bibasilar apical impression findings finding acute process exclude "
        "excluded however although though given setting clinical appropriate degree since"
    )
)


@dataclass(frozen=True, slots=True)
class FindingStatement:
    """All that a report says of one finding it claims to see, or suspects."""

    finding: str
    certain: bool  # False: only suspected
    sides: frozenset[str]  # of "right", "left"; empty: not stated
    zones: frozenset[str]
    degree: int | None  # the largest stated, as an index of `DEGREES`
    size_mm: float | None  # the largest stated
    change: str | None
    malpositioned: bool  # a device that does not lie where it should
    partners: frozenset[str]  # findings that the same sentence gives as its sign or its cause


@dataclass(frozen=True, slots=True)
class Summary:
    """What one report says, finding by finding."""

    statements: Mapping[str, FindingStatement]  # by finding
    denied: Mapping[str, frozenset[str]]  # finding: the sides it is denied on, empty for anywhere
    resolved: frozenset[str]  # denied, and stated to have been present before
    global_changes: frozenset[str]  # changes stated without a finding: "No interval change."
    words: frozenset[str]  # what is said except denials, as stems
    has_claims: bool  # whether it makes any claim at all


@dataclass(frozen=True, slots=True)
class _PlacedClaim:
    """One claim with the context of its sentence."""

    claim: Assertion  # with the place of its sign or cause where it has none of its own
    partners: frozenset[str]
    malpositioned: bool


def summarise(text: str, parser: ReportParser) -> Summary:
    """Summarise what a report says of each finding; never raises."""
    for pattern, plain in OTHER_WORDS:
        text = pattern.sub(plain, text)
    claims: dict[str, list[_PlacedClaim]] = {}
    global_changes: set[str] = set()
    words: set[str] = set()
    has_claims = False
    device = ""  # the last one named, to which "It should be withdrawn" refers
    for sentence in parser(text).sentences:
        has_claims = has_claims or bool(sentence.assertions)
        for placed in _place_claims(sentence):
            claims.setdefault(placed.claim.finding, []).append(placed)
            device = placed.claim.finding if placed.claim.finding in DEVICES else device
        if device and not sentence.assertions and _is_malpositioned(sentence.text):
            claims[device].append(replace(claims[device][-1], malpositioned=True))
        if not any(claim.comparison for claim in sentence.assertions):
            global_changes.update(_global_changes_of(sentence.text))
        words.update(_stems_of(sentence))
    statements = {
        finding: _merge_claims(finding, positive)
        for finding, placed_claims in claims.items()
        if (positive := [placed for placed in placed_claims if placed.claim.polarity != "absent"])
    }
    denials = {
        f: [placed.claim for placed in placed_claims]
        for f, placed_claims in claims.items()
        if f not in statements
    }
    return Summary(
        statements,
        {
            finding: frozenset()
            if any(c.side is None for c in placed_claims)
            else sides_of(placed_claims)
            for finding, placed_claims in denials.items()
        },
        frozenset(
            f for f, placed_claims in denials.items() if any(c.comparison for c in placed_claims)
        ),
        frozenset(global_changes),
        frozenset(words),
        has_claims,
    )


def _place_claims(sentence: ParsedSentence) -> list[_PlacedClaim]:
    claims = [claim for claim in sentence.assertions if claim.finding != NORMAL]
    malpositioned = _is_malpositioned(sentence.text)
    placed = []
    for claim in claims:
        partners = [other for other in claims if _is_sign_and_cause(claim, other)]
        place = next((other for other in partners if other.side or other.zone), None)
        if place is not None and not claim.side and not claim.zone:
            kind = finding_named(claim.finding)
            claim = replace(
                claim,
                side=place.side if kind.sided else None,
                zone=place.zone if kind.zoned else None,
            )
        placed.append(
            _PlacedClaim(claim, frozenset(other.finding for other in partners), malpositioned)
        )
    return placed


def _is_malpositioned(sentence: str) -> bool:
    return bool(_MALPOSITION.search(sentence)) and not _CORRECTED.search(sentence)


def _is_sign_and_cause(first: Assertion, second: Assertion) -> bool:
    """Whether two claims of a sentence are a sign and what it is taken for.

    "Opacity, likely atelectasis": where one of them is in doubt any kinship will do.
    """
    if first.finding == second.finding or "absent" in (first.polarity, second.polarity):
        return False
    doubt = "uncertain" in (first.polarity, second.polarity)
    return finding_similarity(first.finding, second.finding) >= (0.2 if doubt else 0.5)


def _merge_claims(finding: str, placed_claims: Sequence[_PlacedClaim]) -> FindingStatement:
    """Merge all positive claims of a finding; it is certain if any of the claims is."""
    claims = [placed.claim for placed in placed_claims]
    degrees = [DEGREES.index(c.degree) for c in claims if c.degree in DEGREES]
    sizes = [c.measurement_mm for c in claims if c.measurement_mm is not None]
    changes = {c.comparison for c in claims}
    return FindingStatement(
        finding=finding,
        certain=any(c.polarity == "present" for c in claims),
        sides=sides_of(claims),
        zones=frozenset(c.zone for c in claims if c.zone),
        degree=max(degrees, default=None),
        # What is measured of a device is how far to move it.
        size_mm=None if finding in DEVICES else max(sizes, default=None),
        change=next((change for change in _CHANGES if change in changes), None),
        malpositioned=finding in DEVICES and any(placed.malpositioned for placed in placed_claims),
        partners=frozenset().union(*(placed.partners for placed in placed_claims)),
    )


def sides_of(claims: Iterable[Assertion]) -> frozenset[str]:
    """The sides that claims name, `bilateral` as right and left; empty where none is stated."""
    sides = {c.side for c in claims if c.side}
    return frozenset(SIDES) if BOTH in sides else frozenset(sides)


def _global_changes_of(sentence: str) -> set[str]:
    """The direction of change that a sentence states, if it is a comparison."""
    if not is_comparison(sentence) and "little change" not in sentence.lower():
        return set()
    # "unchanged" comes first: "no new" and "not worse" are no change.
    for change, pattern in _GLOBAL_CHANGES:
        if pattern.search(sentence):
            return {change}
    return set()


def _stems_of(sentence: ParsedSentence) -> set[str]:
    """The stems of a sentence's own words; none of a mere denial, of a call or of advice."""
    claims = sentence.assertions
    if claims and all(c.polarity == "absent" or c.finding == NORMAL for c in claims):
        return set()
    if not claims and (_ASIDE.search(sentence.text) or _NORMAL.search(sentence.text)):
        return set()
    text = sentence.text.lower()
    for claim in claims:
        if claim.polarity == "absent":
            start, end = claim.span
            text = text[:start] + " " * (end - start) + text[end:]
    return {_stem_of(word) for word in _WORD.findall(text)} - _STOP_STEMS
