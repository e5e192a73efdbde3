"""The suites by name, and running one."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError
from evals import fidelity, gate, labeller, looking, mini, real, risk
from evals.results import SCHEMA, Measured, judged

SUITES = ("mini", "real", "fidelity", "gate", "risk", "looking", "labeller")
BARS = {
    "mini": mini.BARS,
    "gate": gate.BARS,
    "risk": risk.BARS,
    "looking": looking.BARS,
    "labeller": labeller.BARS,
}
Progress = Callable[[int, int], None]


def run(
    suite: str = "mini",
    *,
    backbone: str | Path = "mini",
    n: int | None = None,
    seed: int = 90210,
    data: str | Path | None = None,
    only: Sequence[str] = (),
    site: str = "A",
    progress: Progress = lambda done, total: None,
    keep: Callable[[dict[str, Any]], None] = lambda results: None,
) -> dict[str, Any]:
    """Run a suite and return its results, in the form of `results.json`.

    `mini` makes held-out phantoms of a site from `seed`, for each part that is named in `only`,
    or for all: as many as the part holds right, or `n`. `real` takes the films of the folder
    `data`, the first `n` or all; `fidelity` compares them with phantoms; `gate` makes `n` films
    of each kind that the gate is to tell, and takes those of `data` too; `risk` drafts `n`
    phantoms of two sites and holds each sentence against the truth; `looking` drafts `n`
    phantoms with a wrong film, or wrong similar cases, in their place; `labeller` reads the
    reports of the folder `data` and loads no backbone. Progress begins anew
    with each part, and `keep` is given the results so far after each. Raises SettingsError for
    an unknown suite, part or site, or a missing folder, BackboneError for a backbone that
    cannot load.
    """
    _check(suite, only, data)
    if suite == "labeller" and data is not None:
        found = labeller.measure(data=Path(data), n=n, progress=progress)
        return _results(None, suite, {suite: found}, {"data": found.material})
    from assistant import Assistant
    from assistant.backbones.load import backbone_folder, load_backbone
    from assistant.chest.phantoms.film import site_named

    site_named(site)
    assistant = Assistant(load_backbone(backbone))
    if suite != "mini":
        folder = None if data is None else Path(data)
        found = _apart(assistant, suite, folder, n, seed, site, progress)
        return _results(assistant, suite, {suite: found}, {"data": found.material, "seed": seed})
    plan = mini.Plan(seed, backbone_folder(backbone), n, site)
    parts: dict[str, Measured] = {}
    results: dict[str, Any] = {}
    for name, part in mini.measure(assistant, only or tuple(mini.PARTS), plan, progress):
        parts[name] = part
        told = [f"{key}: {done.material}" for key, done in parts.items() if done.material]
        material = "; ".join([f"seed {seed}, split test, site {site}", *told])
        results = _results(assistant, suite, parts, {"data": material, "seed": seed})
        keep(results)
    return results


def _check(suite: str, only: Sequence[str], data: str | Path | None) -> None:
    if suite not in SUITES:
        raise SettingsError(f"There is no suite {suite!r}; the suites are {', '.join(SUITES)}.")
    if suite in ("real", "fidelity") and data is None:
        raise SettingsError(f"The suite {suite} needs a folder of films; name it with --data.")
    if suite == "labeller" and data is None:
        raise SettingsError("The suite labeller needs the folder of reports; name it with --data.")
    known = mini.PARTS if suite == "mini" else ()
    if odd := [name for name in only if name not in known]:
        raise SettingsError(
            f"The suite {suite} has no part {odd[0]!r}; its parts are {', '.join(known) or 'one'}."
        )


def _apart(
    assistant: Any,
    suite: str,
    data: Path | None,
    n: int | None,
    seed: int,
    site: str,
    progress: Progress,
) -> Measured:
    """Measure a suite of one part: the gate, the risk, or the real films of a folder."""
    if suite == "risk":
        return risk.measure(assistant, n=n, seed=seed, progress=progress)
    if suite == "looking":
        return looking.measure(assistant, n=n, seed=seed, progress=progress)
    if suite == "gate" or data is None:
        return gate.measure(assistant, data=data, n=n, seed=seed, progress=progress)
    if suite == "real":
        return real.measure(assistant, data=data, n=n, progress=progress)
    return fidelity.measure(assistant, data=data, n=n, seed=seed, site=site, progress=progress)


def _results(
    assistant: Any, suite: str, parts: dict[str, Measured], about: dict[str, Any]
) -> dict[str, Any]:
    import torch

    figures = {name: f for part in parts.values() for name, f in part.figures.items()}
    held, bars = judged(figures, BARS.get(suite, {}))
    return {
        "schema": SCHEMA,
        "suite": suite,
        "figures": held,
        "bars": bars,
        "notes": {name: text for part in parts.values() for name, text in part.notes.items()},
        "cases": [case for part in parts.values() for case in part.cases],
        "provenance": {
            **_identity(assistant),
            **about,
            "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads()},
            "versions": {p: metadata.version(p) for p in ("torch", "transformers")},
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }


def _identity(assistant: Any) -> dict[str, Any]:
    """Which backbone was measured; none where a suite needs none."""
    if assistant is None:
        return {"backbone": None, "revision": None, "adapters": []}
    backbone = assistant.backbone
    return {
        "backbone": backbone.identity.name,
        "revision": backbone.identity.revision,
        "adapters": [backbone.identity_for(task).adapter for task in backbone.tasks],
    }
