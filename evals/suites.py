"""The suites by name, and running one."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError
from evals import mini
from evals.results import SCHEMA

SUITES = {"mini": mini.measure}
Progress = Callable[[int, int], None]


def run(
    suite: str = "mini",
    *,
    backbone: str | Path = "mini",
    n: int = 300,
    seed: int = 90210,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Run a suite and return its results, in the form of `results.json`.

    Raises SettingsError for an unknown suite, BackboneError for a backbone that cannot load.
    """
    if suite not in SUITES:
        raise SettingsError(f"There is no suite {suite!r}; the suites are {', '.join(SUITES)}.")
    from assistant import Assistant
    from assistant.backbones.load import load_backbone

    assistant = Assistant(load_backbone(backbone))
    figures, cases = SUITES[suite](assistant, n=n, seed=seed, progress=progress)
    identity = assistant.backbone.identity
    return {
        "schema": SCHEMA,
        "suite": suite,
        "figures": figures,
        "cases": cases,
        "provenance": {
            "backbone": identity.name,
            "revision": identity.revision,
            "data": f"{n} phantoms, seed {seed}, split test, site A",
            "seed": seed,
            "versions": {p: metadata.version(p) for p in ("torch", "transformers")},
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }
