"""Training records in the project's own words, made of claims alone: no text of a report.

They have the form of the records of `adapters.data.phantom_arrays`, with three keys more:
`uncertain` and `denied` are claims as rows like those of `truth`, which holds what is present, and
`complete` says whether a finding that none of them names is absent. `reading_of` and
`questions_of` of this module take records of both kinds; the other module's take both, too, but
know of places and of what is left out only as phantoms have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

import numpy as np

from adapters.data import phantom_arrays
from assistant.chest.phantoms.wording import INDICATIONS
from assistant.chest.places import SIDES
from assistant.chest.question_words import GRADED, POSITIONS
from assistant.chest.vocabulary import TUBE, finding_named
from assistant.chest.wording.frequency import (
    DEGREE_SHARES,
    DENIED,
    SIDE_SHARES,
    WEIGHTS,
    ZONE_SHARES,
)
from assistant.chest.wording.reduction import reduce_claims
from assistant.chest.wording.report import compose_report
from assistant.chest.wording.sentences import TUBE_POSITIONS, WORDINGS
from assistant.labeller.summary import describe_probe, read_claims
from assistant.types import Assertion
from assistant.vqa.question_bank import Question, ask_about

NORMAL_SHARE = 0.4  # of drawn films
COUNT_SHARES = {1: 0.3, 2: 0.26, 3: 0.19, 4: 0.13, 5: 0.07, 6: 0.05}  # findings of the others
DEGREE_SHARE = 0.3  # of findings that may have a degree and need none
SECOND_SHARE = 0.12  # of sided findings: a second one at another place
MISPLACED_SHARE = 0.3  # of endotracheal tubes
ABSENT_ASKED = 6  # findings of a complete record that questions may find absent


def record_of(
    claims: Sequence[Assertion],
    rng: np.random.Generator,
    indication: str = "",
    *,
    hedged: bool = False,
    complete: bool = False,
) -> dict[str, Any]:
    """Make the record of a film from what is claimed of it, worded anew; values fit JSON.

    The report says what a perfect probe reads, with side, zone and degree. With `hedged` it also
    says what is uncertain, which no reading tells. `complete`: the claims are all that is to know.
    """
    reduced = reduce_claims(claims)
    present, uncertain, absent = (
        [claim for claim in reduced if claim.polarity == polarity]
        for polarity in ("present", "uncertain", "absent")
    )
    worded = (*read_claims(present), *(uncertain if hedged else ()), *absent)
    report = compose_report(worded, rng)
    in_place = next(iter(POSITIONS)) if complete else None
    tubes = {c.finding: c.degree or in_place for c in present if c.finding == TUBE}
    return {
        "site": "",
        "indication": indication,
        "findings": report.findings,
        "impression": report.impression,
        "caption": report.caption,
        "comparison": "",
        "truth": [_row(claim) for claim in present],
        "uncertain": [_row(claim) for claim in uncertain],
        "denied": [_row(claim) for claim in absent],
        "complete": complete,
        "tube": {tube: position for tube, position in tubes.items() if position},
        "measured": {},
        "prior": None,
    }


def draw_record(rng: np.random.Generator) -> dict[str, Any]:
    """Draw the record of a film that nobody has: any findings of the vocabulary."""
    claims = draw_claims(rng)
    indication = INDICATIONS[int(rng.integers(len(INDICATIONS)))]
    return record_of(claims, rng, indication, complete=True)


def draw_claims(rng: np.random.Generator) -> tuple[Assertion, ...]:
    """Draw what a report may claim of a film: present and absent findings, nothing uncertain."""
    keys = list(WEIGHTS)
    chosen: list[str] = []
    if rng.random() >= NORMAL_SHARE:
        shares = np.array([WEIGHTS[key] for key in keys], float)
        count = _draw_from(rng, COUNT_SHARES)
        drawn = rng.choice(len(keys), size=count, replace=False, p=shares / shares.sum())
        chosen = [keys[i] for i in drawn]
    present = [claim for key in chosen for claim in _draw_places(rng, key)]
    absent = [
        Assertion(key, "absent")
        for key, share in DENIED.items()
        if key not in chosen and rng.random() < share
    ]
    return reduce_claims((*present, *absent))


def _draw_places(rng: np.random.Generator, key: str) -> list[Assertion]:
    finding = finding_named(key)
    side = _draw_from(rng, SIDE_SHARES) if finding.sided else None
    zone = _draw_from(rng, ZONE_SHARES) if finding.zoned else None
    claims = [Assertion(key, "present", side, zone, _draw_degree(rng, key))]
    if side in SIDES and rng.random() < SECOND_SHARE:
        other = next(s for s in SIDES if s != side)
        zone = _draw_from(rng, ZONE_SHARES) if finding.zoned else None
        claims.append(Assertion(key, "present", other, zone, _draw_degree(rng, key)))
    return claims


def _draw_degree(rng: np.random.Generator, key: str) -> str | None:
    if key == TUBE:
        positions = list(TUBE_POSITIONS)
        is_misplaced = rng.random() < MISPLACED_SHARE
        return positions[int(rng.integers(len(positions)))] if is_misplaced else None
    needed = key in GRADED or rng.random() < DEGREE_SHARE
    return _draw_from(rng, DEGREE_SHARES) if needed and WORDINGS[key].scale else None


def _draw_from(rng: np.random.Generator, shares: Mapping[Any, float]) -> Any:
    values = list(shares)
    return values[int(rng.choice(len(values), p=list(shares.values())))]


def reading_of(record: dict[str, Any]) -> str:
    """The reading of a perfect probe, of a record of either kind."""
    if "complete" not in record:
        return phantom_arrays.reading_of(record)
    return describe_probe(phantom_arrays.assertions_of(record["truth"]))


def questions_of(record: dict[str, Any], rng: np.random.Generator) -> list[Question]:
    """Questions about a record's film, of either kind, in the wording for training."""
    if "complete" not in record:
        return phantom_arrays.questions_of(record, rng)
    rows = [*record["truth"], *record["uncertain"], *record["denied"]]
    claims = phantom_arrays.assertions_of(rows)
    if record["complete"]:
        named = {claim.finding for claim in claims}
        others = [key for key in WORDINGS if key not in named]
        asked = rng.permutation(len(others))[:ABSENT_ASKED]
        claims += [Assertion(others[i], "absent") for i in asked]
    graded = [replace(c, degree=None) if c.degree in TUBE_POSITIONS else c for c in claims]
    return ask_about(rng, graded, None, "train", record["tube"], complete=bool(record["complete"]))


def _row(claim: Assertion) -> list[Any]:
    return list(astuple(claim)[:5])
