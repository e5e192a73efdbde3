"""Scores of reports against reports: what a system wrote, and what the radiologist wrote."""

from evals.report.composite import composite
from evals.report.neural import NAMES as NEURAL
from evals.report.pairs import Pair, read_predictions
from evals.report.suite import score_pairs

__all__ = ["NEURAL", "Pair", "composite", "read_predictions", "score_pairs"]
