"""The suites by name, and the parts that a run measures.

A suite is one or more parts; a part is one function of an assistant and the options of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.errors import SettingsError
from assistant.types import OnProgress
from evals.image import folders as image_folders
from evals.image import suite as image
from evals.mini.parts import BARS as MINI_BARS
from evals.mini.parts import PARTS as MINI_PARTS
from evals.mini.parts import check_libraries
from evals.options import MeasurePart, SuiteOptions
from evals.results import Bar, PartResult
from evals.suites import (
    coverage,
    fidelity,
    films,
    gate,
    labeller,
    looking,
    privacy,
    report,
    risk,
    shift,
)


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite: its parts by name, and the bars of their figures."""

    parts: Mapping[str, MeasurePart]
    bars: Mapping[str, Bar] = field(default_factory=dict)
    required_data: str = ""  # what --data has to name; empty: nothing
    needs_backbone: bool = True  # False: no backbone is loaded


def _measure_report(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    if options.predictions is not None:
        return report.measure_predictions(
            options.predictions,
            data=options.data,
            n=options.n,
            seed=options.seed,
            weights=options.weights,
            on_progress=on_progress,
        )
    return report.measure(
        assistant,
        data=options.data,
        n=options.n,
        seed=options.seed,
        weights=options.weights,
        on_progress=on_progress,
    )


def _measure_image(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    if options.generated is not None and options.real is not None:
        return image_folders.measure_folders(
            assistant,
            options.generated,
            options.real,
            n=options.n,
            seed=options.seed,
            on_progress=on_progress,
        )
    return image.measure(
        assistant,
        data=options.data,
        n=options.n,
        seed=options.seed,
        site=options.site,
        on_progress=on_progress,
    )


def _measure_risk(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return risk.measure(assistant, n=options.n, seed=options.seed, on_progress=on_progress)


def _measure_gate(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return gate.measure(
        assistant, data=options.data, n=options.n, seed=options.seed, on_progress=on_progress
    )


def _measure_looking(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return looking.measure(assistant, n=options.n, seed=options.seed, on_progress=on_progress)


def _measure_shift(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return shift.measure(
        assistant, data=options.data, n=options.n, seed=options.seed, on_progress=on_progress
    )


def _measure_privacy(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return privacy.measure(
        assistant,
        n=options.n,
        seed=options.seed,
        canaries=options.canaries,
        on_progress=on_progress,
    )


def _measure_fidelity(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return fidelity.measure(
        assistant,
        data=_require_data(options.data),
        n=options.n,
        seed=options.seed,
        site=options.site,
        on_progress=on_progress,
    )


def _measure_labeller(_: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return labeller.measure(data=_require_data(options.data), n=options.n, on_progress=on_progress)


def _measure_coverage(_: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return coverage.measure(data=_require_data(options.data), n=options.n, on_progress=on_progress)


def _require_data(data: Path | None) -> Path:
    if data is None:
        raise SettingsError("Name the folder to measure on with --data.")
    return data


def _limit_films(part: MeasurePart, n: int) -> MeasurePart:
    """Return a part that measures `n` films only: a quick check that it runs."""
    return lambda assistant, options, on_progress: part(
        assistant, replace(options, n=n), on_progress
    )


_SMOKE = {
    **{name: _limit_films(MINI_PARTS[name], n) for name, n in (("size", 1), ("answers", 1))},
    **{name: _limit_films(part, n) for name, part, n in (
        ("drafts", _measure_report, 2), ("image", _measure_image, 2), ("risk", _measure_risk, 1),
        ("gate", _measure_gate, 1), ("looking", _measure_looking, 1), ("shift", _measure_shift, 1),
        ("privacy", _measure_privacy, 1),
    )},
}  # fmt: skip
SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        "report": Suite({"report": _measure_report}),
        "image": Suite({"image": _measure_image}),
        "risk": Suite({"risk": _measure_risk}, risk.BARS),
        "gate": Suite({"gate": _measure_gate}, gate.BARS),
        "looking": Suite({"looking": _measure_looking}, looking.BARS),
        "shift": Suite({"shift": _measure_shift}),
        "privacy": Suite({"privacy": _measure_privacy}, privacy.BARS),
        "mini": Suite(MINI_PARTS, MINI_BARS),
        "smoke": Suite(_SMOKE),
        "films": Suite(films.PARTS, films.BARS, "a folder of films"),
        "fidelity": Suite({"fidelity": _measure_fidelity}, required_data="a folder of films"),
        "labeller": Suite(
            {"labeller": _measure_labeller, "coverage": _measure_coverage},
            {**labeller.BARS, **coverage.BARS},
            "the folder of reports",
            needs_backbone=False,
        ),
    }
)
ALL = ("report", "image", "risk", "gate", "looking", "shift", "privacy", "mini")


def choose_parts(
    suites: Sequence[str], only: Sequence[str], options: SuiteOptions
) -> list[tuple[str, str, MeasurePart]]:
    """Return the parts to run in order: suite, part name and function of each.

    Raises SettingsError for a suite or part that does not exist, and for a missing option.
    """
    names = [name for suite in suites for name in (ALL if suite == "all" else (suite,))]
    for name in names:
        if name not in SUITES:
            known = ", ".join((*SUITES, "all"))
            raise SettingsError(f"There is no suite {name!r}; the suites are {known}.")
        if SUITES[name].required_data and options.data is None:
            raise SettingsError(
                f"The suite {name} needs {SUITES[name].required_data}; name it with --data."
            )
    if (options.generated is None) != (options.real is None):
        raise SettingsError("Pictures made elsewhere need both --generated and --real.")
    for path, suite in ((options.predictions, "report"), (options.generated, "image")):
        if path is not None and names != [suite]:
            raise SettingsError(f"What was made elsewhere is measured by the suite {suite} alone.")
    chosen = [
        (name, part, run)
        for name in dict.fromkeys(names)
        for part, run in SUITES[name].parts.items()
        if not only or part in only
    ]
    parts = {part for _, part, _ in chosen}
    if unknown := [name for name in only if name not in parts]:
        known = ", ".join(dict.fromkeys(p for name in names for p in SUITES[name].parts))
        raise SettingsError(
            f"The suite {names[0]} has no part {unknown[0]!r}; its parts are {known}."
        )
    check_libraries([part for name, part, _ in chosen if name == "mini"])
    return chosen


def needs_backbone(suites: Iterable[str], options: SuiteOptions) -> bool:
    """Whether any of these suites, with these options, needs a backbone to be loaded."""
    return options.predictions is None and any(SUITES[name].needs_backbone for name in suites)
