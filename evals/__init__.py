"""Measuring: data in, scores out; every figure with n, what could not be scored, an interval.

A suite drives the assistant through its public methods; there is no other inference path here.
"""

from evals.compare import compare, lines
from evals.registry import SUITES
from evals.results import SCHEMA, on_card, table
from evals.results_file import read_results, write_results
from evals.run import run

__all__ = [
    "SCHEMA",
    "SUITES",
    "compare",
    "lines",
    "on_card",
    "read_results",
    "run",
    "table",
    "write_results",
]
