"""The suites by name, and running them: data in, scores out.

A suite is one or more parts; a part is one function of an assistant and of what is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.errors import SettingsError
from assistant.types import OnProgress
from evals import mini
from evals.image import folders as image_folders
from evals.image import suite as image
from evals.options import MeasurePart, SuiteOptions
from evals.results import Bar, PartResult
from evals.suites import fidelity, gate, labeller, looking, privacy, real, report, risk, shift


@dataclass(frozen=True, slots=True)
class Suite:
    """Parts by name, and the bars of their figures."""

    parts: Mapping[str, MeasurePart]
    bars: Mapping[str, Bar] = field(default_factory=dict)
    needs: str = ""  # what has to be named, if anything
    sighted: bool = True  # False: no backbone is loaded


def _report(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
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


def _image(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
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


def _risk(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return risk.measure(assistant, n=options.n, seed=options.seed, on_progress=on_progress)


def _gate(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return gate.measure(
        assistant, data=options.data, n=options.n, seed=options.seed, on_progress=on_progress
    )


def _looking(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return looking.measure(assistant, n=options.n, seed=options.seed, on_progress=on_progress)


def _shift(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return shift.measure(
        assistant, data=options.data, n=options.n, seed=options.seed, on_progress=on_progress
    )


def _privacy(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return privacy.measure(
        assistant,
        n=options.n,
        seed=options.seed,
        canaries=options.canaries,
        on_progress=on_progress,
    )


def _real(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return real.measure(assistant, data=_named(options.data), n=options.n, on_progress=on_progress)


def _fidelity(assistant: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return fidelity.measure(
        assistant,
        data=_named(options.data),
        n=options.n,
        seed=options.seed,
        site=options.site,
        on_progress=on_progress,
    )


def _labeller(_: Any, options: SuiteOptions, on_progress: OnProgress) -> PartResult:
    return labeller.measure(data=_named(options.data), n=options.n, on_progress=on_progress)


def _named(data: Path | None) -> Path:
    if data is None:
        raise SettingsError("Name the folder to measure on with --data.")
    return data


def _few(part: MeasurePart, n: int) -> MeasurePart:
    """The same of a few films: whether it runs, and about what it gives."""
    return lambda assistant, options, progress: part(assistant, replace(options, n=n), progress)


_SMOKE = {
    **{name: _few(mini.PARTS[name], n) for name, n in (("size", 1), ("answers", 1))},
    **{name: _few(part, n) for name, part, n in (
        ("drafts", _report, 2), ("image", _image, 2), ("risk", _risk, 1), ("gate", _gate, 1),
        ("looking", _looking, 1), ("shift", _shift, 1), ("privacy", _privacy, 1),
    )},
}  # fmt: skip
SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        "report": Suite({"report": _report}),
        "image": Suite({"image": _image}),
        "risk": Suite({"risk": _risk}, risk.BARS),
        "gate": Suite({"gate": _gate}, gate.BARS),
        "looking": Suite({"looking": _looking}, looking.BARS),
        "shift": Suite({"shift": _shift}),
        "privacy": Suite({"privacy": _privacy}, privacy.BARS),
        "mini": Suite(mini.PARTS, mini.BARS),
        "smoke": Suite(_SMOKE),
        "real": Suite({"real": _real}, needs="a folder of films"),
        "fidelity": Suite({"fidelity": _fidelity}, needs="a folder of films"),
        "labeller": Suite(
            {"labeller": _labeller}, labeller.BARS, "the folder of reports", sighted=False
        ),
    }
)
ALL = ("report", "image", "risk", "gate", "looking", "shift", "privacy", "mini")


def choose_parts(
    suites: Sequence[str], only: Sequence[str], options: SuiteOptions
) -> list[tuple[str, str, MeasurePart]]:
    """The parts to run, each with its suite and its name, in order.

    Raises SettingsError for a suite or part that does not exist, and for what is not named.
    """
    names = [name for suite in suites for name in (ALL if suite == "all" else (suite,))]
    for name in names:
        if name not in SUITES:
            known = ", ".join((*SUITES, "all"))
            raise SettingsError(f"There is no suite {name!r}; the suites are {known}.")
        if SUITES[name].needs and options.data is None:
            raise SettingsError(
                f"The suite {name} needs {SUITES[name].needs}; name it with --data."
            )
    if (options.generated is None) != (options.real is None):
        raise SettingsError("Pictures made elsewhere need both --generated and --real.")
    for path, suite in ((options.predictions, "report"), (options.generated, "image")):
        if path is not None and names != [suite]:
            raise SettingsError(f"What was made elsewhere is measured by the suite {suite} alone.")
    found = [
        (name, part, run)
        for name in dict.fromkeys(names)
        for part, run in SUITES[name].parts.items()
        if not only or part in only
    ]
    parts = {part for _, part, _ in found}
    if odd := [name for name in only if name not in parts]:
        known = ", ".join(dict.fromkeys(p for name in names for p in SUITES[name].parts))
        raise SettingsError(f"The suite {names[0]} has no part {odd[0]!r}; its parts are {known}.")
    mini.check([part for name, part, _ in found if name == "mini"])
    return found


def suites_with_backbone(suites: Iterable[str], options: SuiteOptions) -> bool:
    """Whether a backbone has to be loaded."""
    return options.predictions is None and any(SUITES[name].sighted for name in suites)
