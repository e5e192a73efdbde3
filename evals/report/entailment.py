"""Logical precision and recall: how many claims of one report follow from the other.

After RadFact (Bannur et al. 2024, "MAIRA-2: Grounded Radiology Report Generation",
arXiv:2406.04449), where a language model says of every sentence whether the other report entails
it. Here claims take the place of sentences and the rules below that of the model, so that
the figure costs nothing and can be checked by hand. A claim counts as often as it is made.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.chest.hierarchy import BROADER, SUPPORT_DEVICE
from assistant.chest.places import each_side
from assistant.chest.vocabulary import NORMAL
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion
from evals.report.significance import DEVICES, TIERS

_IS_A = dict(BROADER) | {
    device: (SUPPORT_DEVICE,) for device in DEVICES if device != SUPPORT_DEVICE
}


def logical_scores_of(reference: str, candidate: str) -> tuple[float, float]:
    """Logical precision and recall of a candidate, in [0, 1]; NaN for a text without claims."""
    reference_claims, candidate_claims = find_assertions(reference), find_assertions(candidate)
    precise_count, complete_count = (
        count_entailed(candidate_claims, reference_claims),
        count_entailed(reference_claims, candidate_claims),
    )
    return (
        precise_count / len(candidate_claims) if candidate_claims else float("nan"),
        complete_count / len(reference_claims) if reference_claims else float("nan"),
    )


def count_entailed(claims: Sequence[Assertion], premises: Sequence[Assertion]) -> int:
    """Count the claims that follow from the premises."""
    return sum(is_entailed(claim, premises) for claim in claims)


def is_entailed(claim: Assertion, premises: Sequence[Assertion]) -> bool:
    """Whether a claim follows from what another report says.

    A finding follows from the same or a more particular one (with the same side, zone, degree
    and change, or none in the claim), a suspicion from a suspicion or a certainty, a denial
    from one that is the same or wider, and the denial of an acute finding from "no acute
    disease". That a film is normal follows from a report that says so, or names no abnormality.
    """
    if claim.finding == NORMAL:
        abnormal = any(_is_abnormal(premise) for premise in premises)
        return bool(premises) and abnormal == (claim.polarity == "absent")
    if claim.polarity == "absent":
        normal = any(p.finding == NORMAL and p.polarity == "present" for p in premises)
        acute = TIERS[claim.finding] in ("urgent", "significant")
        return (normal and acute) or any(_denies(premise, claim) for premise in premises)
    return any(_affirms(premise, claim) for premise in premises)


def _is_abnormal(claim: Assertion) -> bool:
    """Whether a claim is of something that is not on a film without acute disease."""
    if claim.polarity == "absent" or claim.finding == NORMAL:
        return False
    return TIERS[claim.finding] in ("urgent", "significant")


def _affirms(premise: Assertion, claim: Assertion) -> bool:
    if premise.polarity == "absent" or premise.finding == NORMAL:
        return False
    sure_enough = premise.polarity == "present" or claim.polarity == "uncertain"
    return (
        sure_enough
        and claim.finding in (premise.finding, *_IS_A.get(premise.finding, ()))
        and _covers(premise.side, claim.side)
        and claim.zone in (None, premise.zone)
        and claim.degree in (None, premise.degree)
        and claim.comparison in (None, premise.comparison)
    )


def _denies(premise: Assertion, claim: Assertion) -> bool:
    """No effusion: none on the left. No opacity: no consolidation."""
    return (
        premise.polarity == "absent"
        and premise.finding in (claim.finding, *_IS_A.get(claim.finding, ()))
        and (premise.side is None or (claim.side is not None and _covers(premise.side, claim.side)))
        and premise.zone in (None, claim.zone)
        and premise.degree in (None, claim.degree)
        and claim.comparison in (None, premise.comparison)
    )


def _covers(side: str | None, claimed: str | None) -> bool:
    """Whether a side, or both, includes the claimed side."""
    if claimed is None:
        return True
    return side is not None and set(each_side(claimed)) <= set(each_side(side))
