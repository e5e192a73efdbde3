"""The suites by name, and running one."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError
from evals import mini, real
from evals.results import SCHEMA

SUITES = ("mini", "real")
Progress = Callable[[int, int], None]


def run(
    suite: str = "mini",
    *,
    backbone: str | Path = "mini",
    n: int | None = None,
    seed: int = 90210,
    data: str | Path | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Run a suite and return its results, in the form of `results.json`.

    `mini` makes `n` held-out phantoms (300 by default) from `seed`; `real` takes the films of the
    folder `data`, the first `n` or all. Raises SettingsError for an unknown suite or a missing
    folder, BackboneError for a backbone that cannot load.
    """
    if suite not in SUITES:
        raise SettingsError(f"There is no suite {suite!r}; the suites are {', '.join(SUITES)}.")
    if suite == "real" and data is None:
        raise SettingsError("The suite real needs a folder of films; name it with --data.")
    from assistant import Assistant
    from assistant.backbones.load import load_backbone

    assistant = Assistant(load_backbone(backbone))
    if data is not None and suite == "real":
        figures, cases = real.measure(assistant, data=Path(data), n=n, progress=progress)
        material = f"folder {Path(data).name}, {len(cases)} films"
    else:
        n = n or 300
        figures, cases = mini.measure(assistant, n=n, seed=seed, progress=progress)
        material = f"{n} phantoms, seed {seed}, split test, site A"
    identity = assistant.backbone.identity
    return {
        "schema": SCHEMA,
        "suite": suite,
        "figures": figures,
        "cases": cases,
        "provenance": {
            "backbone": identity.name,
            "revision": identity.revision,
            "data": material,
            "seed": seed,
            "versions": {p: metadata.version(p) for p in ("torch", "transformers")},
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }
