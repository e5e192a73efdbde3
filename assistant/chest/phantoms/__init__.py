"""Synthetic chest films whose truth is exact: a body projected by the law of Beer and Lambert."""

from assistant.chest.phantoms.case import SIZE, SPLITS, Phantom, make_phantom
from assistant.chest.phantoms.write import truth_of, write_phantoms

__all__ = ["SIZE", "SPLITS", "Phantom", "make_phantom", "truth_of", "write_phantoms"]
