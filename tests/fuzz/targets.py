"""What is fuzzed: each target makes one input and judges what the program makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.films import fuzz_film
from tests.fuzz.folders import fuzz_library, fuzz_zip
from tests.fuzz.outcomes import Outcome
from tests.fuzz.texts import fuzz_adapter, fuzz_report, fuzz_settings, fuzz_table

__all__ = ["TARGETS", "Outcome"]

TARGETS: dict[str, Callable[[Random, Path], Outcome]] = {
    "films": fuzz_film,
    "tables": fuzz_table,
    "zips": fuzz_zip,
    "adapters": fuzz_adapter,
    "settings": fuzz_settings,
    "libraries": fuzz_library,
    "reports": fuzz_report,
}
