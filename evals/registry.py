"""The suites by name, and running them: data in, scores out.

A suite is one or more parts; a part is one function of an assistant and of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.errors import SettingsError
from evals import mini
from evals.image import folders as image_folders
from evals.image import suite as image
from evals.results import Bar, PartResult
from evals.suites import fidelity, gate, labeller, looking, privacy, real, report, risk, shift

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What is asked of every part."""

    folder: Path  # of the backbone
    n: int | None = None  # films; None: as many as each part holds right
    seed: int = 90210
    site: str = "A"
    data: Path | None = None  # folder of real films or reports
    predictions: Path | None = None  # reports made elsewhere
    generated: Path | None = None  # pictures made elsewhere
    real: Path | None = None  # what they are held against
    canaries: Path | None = None  # sentences planted in the training
    weights: Mapping[str, Path] = field(default_factory=dict)  # of neural scores, by their name


MeasurePart = Callable[[Any, SuiteOptions, Progress], PartResult]


@dataclass(frozen=True, slots=True)
class Suite:
    """Parts by name, and the bars of their figures."""

    parts: Mapping[str, MeasurePart]
    bars: Mapping[str, Bar] = field(default_factory=dict)
    needs: str = ""  # what has to be named, if anything
    sighted: bool = True  # False: no backbone is loaded


def _report(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    if ask.predictions is not None:
        return report.measure_predictions(
            ask.predictions,
            data=ask.data,
            n=ask.n,
            seed=ask.seed,
            weights=ask.weights,
            on_progress=on_progress,
        )
    return report.measure(
        assistant,
        data=ask.data,
        n=ask.n,
        seed=ask.seed,
        weights=ask.weights,
        on_progress=on_progress,
    )


def _image(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    if ask.generated is not None and ask.real is not None:
        return image_folders.measure_folders(
            assistant, ask.generated, ask.real, n=ask.n, seed=ask.seed, on_progress=on_progress
        )
    return image.measure(
        assistant, data=ask.data, n=ask.n, seed=ask.seed, site=ask.site, on_progress=on_progress
    )


def _risk(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return risk.measure(assistant, n=ask.n, seed=ask.seed, on_progress=on_progress)


def _gate(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return gate.measure(assistant, data=ask.data, n=ask.n, seed=ask.seed, on_progress=on_progress)


def _looking(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return looking.measure(assistant, n=ask.n, seed=ask.seed, on_progress=on_progress)


def _shift(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return shift.measure(assistant, data=ask.data, n=ask.n, seed=ask.seed, on_progress=on_progress)


def _privacy(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return privacy.measure(
        assistant, n=ask.n, seed=ask.seed, canaries=ask.canaries, on_progress=on_progress
    )


def _real(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return real.measure(assistant, data=_named(ask.data), n=ask.n, on_progress=on_progress)


def _fidelity(assistant: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return fidelity.measure(
        assistant,
        data=_named(ask.data),
        n=ask.n,
        seed=ask.seed,
        site=ask.site,
        on_progress=on_progress,
    )


def _labeller(_: Any, ask: SuiteOptions, on_progress: Progress) -> PartResult:
    return labeller.measure(data=_named(ask.data), n=ask.n, on_progress=on_progress)


def _named(data: Path | None) -> Path:
    if data is None:
        raise SettingsError("Name the folder to measure on with --data.")
    return data


def _of_mini(part: mini.MeasureMini) -> MeasurePart:
    def run(assistant: Any, ask: SuiteOptions, progress: Progress) -> PartResult:
        return part(assistant, mini.MiniOptions(ask.seed, ask.folder, ask.n, ask.site), progress)

    return run


def _few(part: MeasurePart, n: int) -> MeasurePart:
    """The same of a few films: whether it runs, and about what it gives."""
    return lambda assistant, ask, progress: part(assistant, replace(ask, n=n), progress)


MINI = MappingProxyType({name: _of_mini(part) for name, part in mini.PARTS.items()})
_SMOKE = {
    **{name: _few(MINI[name], n) for name, n in (("size", 1), ("answers", 1))},
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
        "mini": Suite(MINI, mini.BARS),
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
    suites: Sequence[str], only: Sequence[str], ask: SuiteOptions
) -> list[tuple[str, str, MeasurePart]]:
    """The parts to run, each with its suite and its name, in order.

    Raises SettingsError for a suite or part that does not exist, and for what is not named.
    """
    names = [name for suite in suites for name in (ALL if suite == "all" else (suite,))]
    for name in names:
        if name not in SUITES:
            known = ", ".join((*SUITES, "all"))
            raise SettingsError(f"There is no suite {name!r}; the suites are {known}.")
        if SUITES[name].needs and ask.data is None:
            raise SettingsError(
                f"The suite {name} needs {SUITES[name].needs}; name it with --data."
            )
    if (ask.generated is None) != (ask.real is None):
        raise SettingsError("Pictures made elsewhere need both --generated and --real.")
    for path, suite in ((ask.predictions, "report"), (ask.generated, "image")):
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


def suites_with_backbone(suites: Iterable[str], ask: SuiteOptions) -> bool:
    """Whether a backbone has to be loaded."""
    return ask.predictions is None and any(SUITES[name].sighted for name in suites)
