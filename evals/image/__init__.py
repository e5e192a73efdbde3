"""Made films against real ones, in three tiers: pixels, features, and what they are good for.

`pixel`, `feature` and `task` hold the metrics, each by itself; `suite` measures a backbone's own
pictures and `folders` films that any system has made.
"""

from evals.image.folders import measure_folders
from evals.image.suite import measure

__all__ = ["measure", "measure_folders"]
