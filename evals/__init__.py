"""Evaluation: data in, scores out; every figure with n, its unscored cases and an interval.

A suite drives the assistant through its public methods; there is no other inference path here.
"""

from evals.compare import compare, format_comparison
from evals.registry import SUITES
from evals.results import SCHEMA, format_results, update_backbone_card
from evals.results_file import read_results, write_results
from evals.run import run
from evals.suites.coverage import list_uncovered

__all__ = [
    "SCHEMA",
    "SUITES",
    "compare",
    "format_comparison",
    "format_results",
    "list_uncovered",
    "read_results",
    "run",
    "update_backbone_card",
    "write_results",
]
