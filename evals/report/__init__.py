"""Scores of a system's reports against the radiologists' reports."""

from evals.report.composite import composite_score
from evals.report.neural import NAMES as NEURAL
from evals.report.pairs import Pair, read_predictions
from evals.report.suite import score_pairs

__all__ = ["NEURAL", "Pair", "composite_score", "read_predictions", "score_pairs"]
