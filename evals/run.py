"""Runs suites part by part; the results are complete after each part."""

from __future__ import annotations

import datetime
import os
import tempfile
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
from evals.registry import SUITES, choose_parts, needs_backbone
from evals.results import SCHEMA, Counts, Figure, PartResult, judge_bars
from evals.results_file import write_results

PACKAGES = ("wetread", "torch", "transformers", "peft", "faiss-cpu", "numpy", "scikit-learn")

NO_WEIGHTS: Mapping[str, str | Path] = MappingProxyType({})
DATA = ("data", "train", "laterals", "predictions", "generated", "real", "canaries")
PREFIXED = (
    "risk", "gate", "looking", "fidelity", "findings", "reports", "similar", "places", "groups",
    "views",
)  # fmt: skip


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
    weights: Mapping[str, str | Path] = NO_WEIGHTS,
    only: Sequence[str] = (),
    site: str = "A",
    split: str = "",
    train: str | Path | None = None,
    laterals: str | Path | None = None,
    others: Sequence[str | Path] = (),
    positives: int = 15,
    out: str | Path | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> dict[str, Any]:
    """Run suites and return their results, in the form of `results.json`.

    `suites` are names in `evals.SUITES`, or "all": see docs/evaluation.md. Phantoms are made from
    `seed`, at `site` where a suite takes one; real films or reports are those of `data`; each
    part takes `n` films, or its default. `only` names parts of a suite. `predictions` are reports
    of another system, `generated` pictures of another system, compared with those in `real`;
    `canaries` are sentences that were planted in the training; `weights` are the paths of the
    weights of neural scores, by the score's name. `split`, `train`, `laterals`, `others` and
    `positives` are for real films: see `evals.options`. With `out` results and card are written
    there after every part, and a run that was killed resumes where it was. `on_progress` starts
    again with each part. Raises SettingsError for what does not exist or is missing, BackboneError
    for a backbone that cannot load.
    """
    from assistant.chest.phantoms.film import site_named

    site_named(site)
    suite_names = (suites,) if isinstance(suites, str) else tuple(suites)
    named = (data, train, laterals, predictions, generated, real, canaries)
    paths: dict[str, Any] = {
        name: None if path is None else Path(path) for name, path in zip(DATA, named, strict=True)
    }
    weight_paths = {name: Path(path) for name, path in weights.items()}
    options = SuiteOptions(
        Path(),
        n,
        seed,
        site,
        **paths,
        weights=weight_paths,
        split=split,
        others=tuple(map(Path, others)),
        positives=positives,
    )
    with tempfile.TemporaryDirectory() as scratch:  # for films that several parts read
        options = replace(options, work=Path(scratch))
        return _run_parts(
            suite_names, options, only, backbone=backbone, out=out, on_progress=on_progress
        )


def _run_parts(
    suite_names: Sequence[str],
    options: SuiteOptions,
    only: Sequence[str],
    *,
    backbone: str | Path,
    out: str | Path | None,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Run the chosen parts in order, storing each; `options.work` serves without `out`."""
    parts = choose_parts(suite_names, only, options)
    options = replace(options, parts=tuple(name for _, name, _ in parts))
    assistant = None
    if needs_backbone([suite for suite, _, _ in parts], options):
        from assistant import Assistant
        from assistant.backbones.loading import backbone_folder, load_backbone
        from assistant.backbones.settings import is_settings

        if not is_settings(backbone):
            options = replace(options, folder=backbone_folder(backbone))
        assistant = Assistant(load_backbone(backbone))
    provenance = {
        **_identity_of(assistant),
        "command": _format_command(suite_names, options, only, str(backbone)),
        "seed": options.seed,
        "data_sha256": {
            name: data_hash(path) for name in DATA if (path := getattr(options, name)) is not None
        }
        | {path.name: data_hash(path) for path in options.others},
    }
    settings = {**asdict(replace(options, work=None)), **provenance}
    store = PartStore(None if out is None else Path(out), settings)
    options = replace(options, work=store.work or options.work)
    done: list[tuple[str, PartResult]] = []
    seconds: dict[str, float] = {}
    results: dict[str, Any] = {}
    for suite, name, part in parts:
        key = f"{suite}/{name}"
        result = store.load(key)
        if result is None:
            started = time.monotonic()
            result = _prefix_names(name, part(assistant, options, on_progress))
            seconds[key] = round(time.monotonic() - started, 1)
            store.save(key, result)
        done.append((suite, result))
        results = _assemble_results(
            "+".join(suite_names), done, {**provenance, "seconds": seconds}, options.site
        )
        if out is not None:
            write_results(results, Path(out))
    store.clear()
    return results


def _format_command(
    suites: Sequence[str], options: SuiteOptions, only: Sequence[str], backbone: str
) -> str:
    """The command line of this run, with only the names of folders and files."""
    words = ["wetread eval", *suites, f"--backbone {Path(backbone).name}", f"--seed {options.seed}"]
    words += [f"--only {','.join(only)}"] if only else []
    words += [] if options.n is None else [f"--n {options.n}"]
    words += [] if options.site == "A" else [f"--site {options.site}"]
    words += [f"--split {options.split}"] if options.split else []
    for name in DATA:
        path = getattr(options, name)
        words += [] if path is None else [f"--{name} {path.name.upper()}"]
    words += [f"--others {path.name.upper()}" for path in options.others]
    words += [] if options.positives == 15 else [f"--positives {options.positives}"]
    return " ".join(words)


def _prefix_names(name: str, part: PartResult) -> PartResult:
    """Prefix the keys of a part's result with its name, where its figures do not name it."""
    if name not in PREFIXED:
        return part

    def prefix_keys(table: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{name}/{key}": value for key, value in table.items()}

    return replace(
        part,
        figures=prefix_keys(part.figures),
        notes=prefix_keys(part.notes),
        counts=prefix_keys(part.counts),
        plots=prefix_keys(part.plots),
    )


def _assemble_results(
    suite: str, done: Sequence[tuple[str, PartResult]], provenance: dict[str, Any], site: str
) -> dict[str, Any]:
    import torch

    figures: dict[str, Figure] = {}
    verdicts: dict[str, Any] = {}
    for name, part in done:
        suite_bars = SUITES[name].bars
        bars = {**suite_bars, **{f"{name}/{key}": bar for key, bar in suite_bars.items()}}
        with_bars, judged = judge_bars(part.figures, bars)
        figures |= with_bars
        verdicts |= judged
    materials = [part.material for _, part in done if part.material]
    return {
        "schema": SCHEMA,
        "suite": suite,
        "figures": figures,
        "bars": verdicts,
        "notes": {key: text for _, part in done for key, text in part.notes.items()},
        "plots": {key: plot for _, part in done for key, plot in part.plots.items()},
        "cases": [case for _, part in done for case in part.cases],
        "counts": {key: _counts_as_json(c) for _, part in done for key, c in part.counts.items()},
        "provenance": {
            **provenance,
            "data": f"seed {provenance['seed']}, site {site}; "
            + "; ".join(dict.fromkeys(materials)),
            "code": code_version(),
            "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads()},
            "versions": _find_package_versions(),
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    }


def _counts_as_json(counts: Counts) -> dict[str, Any]:
    rows = [list(row) for row in counts.rows]
    return {"statistic": counts.statistic, "patients": list(counts.patients), "rows": rows}


def _find_package_versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # faiss under its other name, or run from source
            continue
    return versions


def _identity_of(assistant: Any) -> dict[str, Any]:
    """The backbone that was measured; None where no suite needs one."""
    if assistant is None:
        return {"backbone": None, "revision": None, "adapters": []}
    backbone = assistant.backbone
    return {
        "backbone": backbone.identity.name,
        "revision": backbone.identity.revision,
        "adapters": [backbone.identity_for(task).adapter for task in backbone.tasks],
    }
