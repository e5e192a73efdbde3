"""What a film is to show, as rows of whole numbers: the words that the generator understands.

A condition is a sequence of tokens. Each is a word (a task, a style, a view, an age group, a sex
or a finding) with a polarity, a side, a zone and a degree where it is a claim, and perhaps a box.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.phantoms import SITES
from assistant.chest.phantoms.pathology import TIP_MM
from assistant.chest.places import BOTH, DEGREES, SIDES, ZONES
from assistant.chest.vocabulary import FINDINGS, NORMAL
from assistant.errors import SettingsError
from assistant.types import Assertion

LENGTH = 20  # tokens of a condition, padded
COLUMNS = 5  # word, polarity, side, zone, degree
PAINT, EDIT, DEBONE, RESTYLE = "paint", "edit", "debone", "restyle"
ENHANCE = ("denoise", "deblur", "double", "quadruple", "ungrid", "expose")
TASKS = (PAINT, EDIT, DEBONE, RESTYLE, *ENHANCE)
STYLES = (*SITES, "openi", "nih", "hannover")
VIEWS = ("PA", "AP")
AGES = ("child", "young", "middle", "old")  # under 18, 40, 65, and above
SEXES = ("F", "M")
POLARITIES = ("", "present", "absent", "uncertain")
PRESENT, ABSENT = 1, 2
SIDE_WORDS = ("", *SIDES, BOTH)
ZONE_WORDS = ("", *ZONES)
DEGREE_WORDS = ("", *DEGREES, *TIP_MM)
# The first word is padding.
WORDS = (
    "",
    *(f"task {x}" for x in TASKS),
    *(f"style {x}" for x in STYLES),
    *(f"view {x}" for x in VIEWS),
    *(f"age {x}" for x in AGES),
    *(f"sex {x}" for x in SEXES),
    *(finding.key for finding in FINDINGS),
)
FIRST_CLAIM = WORDS.index(FINDINGS[0].key)  # words from here on are findings
FIRST_STYLE = WORDS.index(f"style {STYLES[0]}")
NO_BOX = (-1.0, -1.0, -1.0, -1.0)

ShareBox = tuple[float, float, float, float]  # left, top, right, bottom in [0, 1]


@dataclass(frozen=True, slots=True)
class PlacedClaim:
    """A claim, and the box of the finding where it is known."""

    assertion: Assertion
    box: ShareBox | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What a film is to be; what is None is left open."""

    task: str = PAINT
    style: str | None = None
    view: str | None = None
    age: float | None = None  # years
    sex: str | None = None
    claims: tuple[PlacedClaim, ...] = ()


def age_group(age: float) -> str:
    """The word for an age in years."""
    return AGES[bisect_right((18, 40, 65), age)]


def encode(condition: Condition, words: Sequence[str] = WORDS) -> tuple[np.ndarray, np.ndarray]:
    """Turn a condition into tokens int16 (LENGTH, COLUMNS) and boxes float16 (LENGTH, 4).

    `words` are those that a generator has learnt; SettingsError names one that is not among them.
    Claims that find no room are left out: those first that say what is absent.
    """
    heads = [f"task {condition.task}"]
    heads += [f"style {condition.style}"] if condition.style else []
    heads += [f"view {condition.view}"] if condition.view in VIEWS else []
    heads += [f"age {age_group(condition.age)}"] if condition.age is not None else []
    heads += [f"sex {condition.sex}"] if condition.sex in SEXES else []
    tokens = np.zeros((LENGTH, COLUMNS), np.int16)
    boxes = np.full((LENGTH, 4), NO_BOX, np.float16)
    for number, word in enumerate(heads):
        tokens[number, 0] = _place_of(word, words)
    order = {"present": 0, "uncertain": 1, "absent": 2}
    claims = sorted(condition.claims, key=lambda c: order[c.assertion.polarity])
    for number, claim in enumerate(claims[: LENGTH - len(heads)], len(heads)):
        tokens[number] = _row_of(claim.assertion, words)
        if claim.box is not None:
            boxes[number] = claim.box
    return tokens, boxes


def _place_of(word: str, words: Sequence[str]) -> int:
    if word not in words:
        raise SettingsError(f"The generator has not learnt {word!r}; leave it out.")
    return words.index(word)


def _row_of(claim: Assertion, words: Sequence[str]) -> tuple[int, int, int, int, int]:
    return (
        _place_of(claim.finding, words),
        POLARITIES.index(claim.polarity),
        SIDE_WORDS.index(claim.side or ""),
        ZONE_WORDS.index(claim.zone or ""),
        DEGREE_WORDS.index(claim.degree or ""),
    )


def without_repeats(claims: Sequence[Assertion]) -> tuple[PlacedClaim, ...]:
    """The claims of a report, each finding and place once; what is present is not also absent.

    A film is normal only if nothing is present: "no acute disease" alone does not say so.
    """
    present = {c.finding for c in claims if c.polarity != "absent"}
    kept: dict[tuple, Assertion] = {}
    for claim in claims:
        if claim.polarity == "absent" and claim.finding in present:
            continue
        if claim.finding == NORMAL and present != {NORMAL}:
            continue
        key = (claim.finding, claim.side, claim.zone)
        before = kept.get(key)
        if before is None or (before.degree is None and claim.degree is not None):
            kept[key] = claim
    return tuple(PlacedClaim(claim) for claim in kept.values())
