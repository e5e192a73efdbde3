"""How a film was taken, from what its file states: the view, and the millimetres a pixel.

Free text in a file may name a person, so only terms of the tables here go out. This module knows
words and numbers; it opens no file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

# DICOM PS3.3 C.8.1.1 (CR) and C.8.11.5 (DX); LATERAL is common and leaves the side open.
_TERMS = {
    **{term: term for term in ("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LPO", "RPO")},
    **{term: term for term in ("LAO", "RAO", "LATERAL")},
    **{"LAT": "LATERAL", "LLAT": "LL", "RLAT": "RL"},
}
# DICOM PS3.16 CID 4010, as SNOMED CT codes and as the SNOMED RT codes before them.
_CODES = {
    "399348003": "AP",
    "R-10206": "AP",
    "272479007": "PA",
    "R-10214": "PA",
    "R-40888": "PA",
    "399173006": "LL",
    "R-10236": "LL",
    "399198007": "RL",
    "R-10232": "RL",
    "399067008": "LATERAL",
    "R-102CD": "LATERAL",
    "399135007": "LAO",
    "399356000": "RAO",
    "399006002": "LPO",
    "399038007": "RPO",
}
# What people write, each as one word of `_TERMS`, of sides and of positions; in this order.
_SPELLINGS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\bANTERO? ?POSTERIOR\b|\bA ?P\b", "AP"),
        (r"\bPOSTERO? ?ANTERIOR\b|\bP ?A\b", "PA"),
        (r"\b(?:X|CROSS) ?TABLE\b", "XTABLE"),
        (r"\b(?:LEFT|LT)\b", "L"),
        (r"\b(?:RIGHT|RT)\b", "R"),
        (r"\b(?:LAT|LATERAL) (?=DECUB)", ""),  # of the patient, not of the beam
        (r"\bDECUB\w*", "DECUB"),
        (r"\bL DECUB\b|\bDECUB L\b", "LLD"),
        (r"\bR DECUB\b|\bDECUB R\b", "RLD"),
        (r"\bL (?:LAT|LATERAL)\b|\b(?:LAT|LATERAL) L\b", "LL"),
        (r"\bR (?:LAT|LATERAL)\b|\b(?:LAT|LATERAL) R\b", "RL"),
        (r"\bOBL\w*", "OBLIQUE"),
    )
)

LEAST_SPACING, LARGEST_SPACING = 0.01, 10.0  # mm a pixel; what lies beyond was not measured
LARGEST_FACTOR = 10.0  # of magnification, which is at least 1


def views_in(text: str) -> frozenset[str]:
    """The views that a text names, as DICOM's terms: several where it contradicts itself.

    "AP ERECT" is AP, "x-table" LATERAL, "L lat" LL. A term with its side stands for one without.
    """
    words = " ".join(re.findall(r"[A-Z0-9]+", text.upper()))
    for pattern, word in _SPELLINGS:
        words = pattern.sub(word, words)
    tokens = words.split()
    found = {_TERMS[token] for token in tokens if token in _TERMS}
    if not found and "XTABLE" in tokens:  # the beam is horizontal: a lateral, if nothing else said
        found = {"LATERAL"}
    if found & {"LL", "RL"}:
        found -= {"LATERAL"}
    if "OBLIQUE" in tokens and found & {"AP", "PA", "LATERAL"}:
        found.add("OBLIQUE")  # no plain one of these
    return frozenset(found)


def view_of(stated: str, code: str, descriptions: Sequence[str]) -> str | None:
    """The view by position and code, else by descriptions; None where unknown or contradictory.

    A description that lists several views is of the study and says nothing about this film.
    """
    position, coded = views_in(stated), _CODES.get(code)
    found = position | ({coded} if coded else set())
    if not found:
        each = [views_in(description) for description in descriptions]
        found = frozenset().union(*(views for views in each if len(views) == 1))
    if found & {"LL", "RL"}:
        found -= {"LATERAL"}
    return next(iter(found)) if len(found) == 1 and found <= _TERMS.keys() else None


def patient_spacing(
    calibrated: Sequence[float],
    imager: Sequence[float],
    magnification: Sequence[float],
    scanned: Sequence[float],
) -> tuple[float, float] | None:
    """Millimetres a pixel in the patient, (row, column), DICOM PS3.3 10.7.1.3 and C.8.11.7.

    PixelSpacing, else ImagerPixelSpacing by the magnification, else NominalScannedPixelSpacing;
    each where it is two plausible numbers. A magnification that cannot be is taken as 1.
    """
    if pair := _pair_of(calibrated):
        return pair
    factor = magnification[0] if len(magnification) == 1 else 1.0
    if not 1.0 <= factor <= LARGEST_FACTOR:  # false for NaN too
        factor = 1.0
    if pair := _pair_of(imager):  # on the detector: larger than in the patient
        return pair[0] / factor, pair[1] / factor
    return _pair_of(scanned)


def _pair_of(numbers: Sequence[float]) -> tuple[float, float] | None:
    usable = len(numbers) == 2 and all(
        math.isfinite(v) and LEAST_SPACING <= v <= LARGEST_SPACING for v in numbers
    )
    return (numbers[0], numbers[1]) if usable else None
