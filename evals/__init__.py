"""Measuring: data in, scores out; every figure with n, what could not be scored, an interval.

A suite drives the assistant through its public methods; there is no other inference path here.
"""

from evals.results import SCHEMA, on_card, table
from evals.suites import SUITES, run

__all__ = ["SCHEMA", "SUITES", "on_card", "run", "table"]
