"""Generated films against real ones, in three tiers: pixels, features and downstream tasks.

`pixel`, `feature` and `task` hold the metrics, each by itself; `suite` measures the pictures of a
backbone, and `folders` measures films that any system has generated.
"""

from evals.image.folders import measure_folders
from evals.image.suite import measure

__all__ = ["measure", "measure_folders"]
