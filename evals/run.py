"""Running suites: one part after the other, to results that are whole after each."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.types import OnProgress
from evals.checkpoint import PartStore, code_version, data_hash
from evals.options import SuiteOptions
from evals.registry import SUITES, choose_parts, suites_with_backbone
from evals.results import SCHEMA, Counts, Figure, PartResult, judge_bars
from evals.results_file import write_results

PACKAGES = ("wetread", "torch", "transformers", "peft", "faiss-cpu", "numpy", "scikit-learn")

NONE: Mapping[str, str | Path] = MappingProxyType({})
APART = ("risk", "gate", "looking", "real", "fidelity")


def run(
    suites: str | Sequence[str] = "mini",
    *,
    backbone: str | Path = "mini",
    n: int | None = None,
    seed: int = 90210,
    data: str | Path | None = None,
    predictions: str | Path | None = None,
    generated: str | Path | None = None,
    real: str | Path | None = None,
    canaries: str | Path | None = None,
    weights: Mapping[str, str | Path] = NONE,
    only: Sequence[str] = (),
    site: str = "A",
    out: str | Path | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> dict[str, Any]:
    """Run suites and return their results, in the form of `results.json`.

    `suites` are names in `evals.SUITES`, or "all": see docs/evaluation.md. Phantoms are made from
    `seed`, at `site` where a suite takes one; real films or reports are those of `data`; each
    part takes `n` films, or as many as it holds right. `only` names parts of a suite.
    `predictions` are reports made elsewhere, `generated` pictures made elsewhere, held against
    those in `real`; `canaries` sentences that were planted in the training; `weights` the places of
    the weights of neural scores, by the score's name. With `out` results
    and card are written there after every part, and a run that was killed goes on where it was.
    OnProgress begins anew with each part. Raises SettingsError for what does not exist or is not
    named, BackboneError for a backbone that cannot load.
    """
    from assistant.chest.phantoms.film import site_named

    site_named(site)
    named = (suites,) if isinstance(suites, str) else tuple(suites)
    paths = {
        name: None if path is None else Path(path)
        for name, path in (
            ("data", data), ("predictions", predictions), ("generated", generated),
            ("real", real), ("canaries", canaries),
        )
    }  # fmt: skip
    told = {name: Path(path) for name, path in weights.items()}
    options = SuiteOptions(Path(), n, seed, site, **paths, weights=told)
    parts = choose_parts(named, only, options)
    assistant = None
    if suites_with_backbone([suite for suite, _, _ in parts], options):
        from assistant import Assistant
        from assistant.backbones.loading import backbone_folder, load_backbone
        from assistant.backbones.settings import is_settings

        if not is_settings(backbone):
            options = replace(options, folder=backbone_folder(backbone))
        assistant = Assistant(load_backbone(backbone))
    about = {
        **_identity(assistant),
        "command": _command(named, options, only, str(backbone)),
        "seed": seed,
        "data_sha256": {name: data_hash(path) for name, path in paths.items() if path},
    }
    kept = PartStore(None if out is None else Path(out), {**asdict(options), **about})
    done: list[tuple[str, PartResult]] = []
    seconds: dict[str, float] = {}
    results: dict[str, Any] = {}
    for suite, name, part in parts:
        key = f"{suite}/{name}"
        measured = kept.load(key)
        if measured is None:
            started = time.monotonic()
            measured = _placed(name, part(assistant, options, on_progress))
            seconds[key] = round(time.monotonic() - started, 1)
            kept.save(key, measured)
        done.append((suite, measured))
        results = _results("+".join(named), done, {**about, "seconds": seconds}, site)
        if out is not None:
            write_results(results, Path(out))
    kept.clear()
    return results


def _command(
    named: Sequence[str], options: SuiteOptions, only: Sequence[str], backbone: str
) -> str:
    """The command line that does the same; of folders and files their names alone."""
    words = ["wetread eval", *named, f"--backbone {Path(backbone).name}", f"--seed {options.seed}"]
    words += [f"--only {','.join(only)}"] if only else []
    words += [] if options.n is None else [f"--n {options.n}"]
    words += [] if options.site == "A" else [f"--site {options.site}"]
    for name in ("data", "predictions", "generated", "real", "canaries"):
        path = getattr(options, name)
        words += [] if path is None else [f"--{name} {path.name.upper()}"]
    return " ".join(words)


def _placed(name: str, part: PartResult) -> PartResult:
    """A part's findings under its name, where they do not bear that of what they measure."""
    if name not in APART:
        return part

    def renamed(table: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{name}/{key}": value for key, value in table.items()}

    return replace(
        part,
        figures=renamed(part.figures),
        notes=renamed(part.notes),
        counts=renamed(part.counts),
        plots=renamed(part.plots),
    )


def _results(
    suite: str, done: Sequence[tuple[str, PartResult]], about: dict[str, Any], site: str
) -> dict[str, Any]:
    import torch

    figures: dict[str, Figure] = {}
    verdicts: dict[str, Any] = {}
    for name, part in done:
        own = SUITES[name].bars
        bars = {**own, **{f"{name}/{key}": bar for key, bar in own.items()}}
        held, met = judge_bars(part.figures, bars)
        figures |= held
        verdicts |= met
    told = [part.material for _, part in done if part.material]
    return {
        "schema": SCHEMA,
        "suite": suite,
        "figures": figures,
        "bars": verdicts,
        "notes": {key: text for _, part in done for key, text in part.notes.items()},
        "plots": {key: plot for _, part in done for key, plot in part.plots.items()},
        "cases": [case for _, part in done for case in part.cases],
        "counts": {key: _listed(c) for _, part in done for key, c in part.counts.items()},
        "provenance": {
            **about,
            "data": f"seed {about['seed']}, site {site}; " + "; ".join(dict.fromkeys(told)),
            "code": code_version(),
            "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads()},
            "versions": _versions(),
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }


def _listed(counts: Counts) -> dict[str, Any]:
    rows = [list(row) for row in counts.rows]
    return {"statistic": counts.statistic, "patients": list(counts.patients), "rows": rows}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # faiss under its other name, or run from source
            continue
    return found


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
