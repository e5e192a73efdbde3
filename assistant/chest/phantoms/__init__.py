"""Synthetic chest films whose truth is exact: a body projected by the law of Beer and Lambert."""

from assistant.chest.phantoms.case import SIZE, SPLITS, Phantom, Prior, make_phantom
from assistant.chest.phantoms.film import SITES
from assistant.chest.phantoms.pathology import DEVICES, DISTRACTORS, FINDINGS
from assistant.chest.phantoms.truth import truth_assertions, truth_of, tube_positions
from assistant.chest.phantoms.write import write_phantoms

__all__ = [
    "DEVICES",
    "DISTRACTORS",
    "FINDINGS",
    "SITES",
    "SIZE",
    "SPLITS",
    "Phantom",
    "Prior",
    "make_phantom",
    "truth_assertions",
    "truth_of",
    "tube_positions",
    "write_phantoms",
]
