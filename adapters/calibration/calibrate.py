"""`wetread calibrate`: the risk of a backbone's sentences, from its own drafts of known films.

The errors are the backbone's natural ones: nothing is injected. Half of the films are drafted
without similar cases, so that the risk also holds where a library is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adapters.adapter_recipe import FolderData, PhantomData
from adapters.calibration.risk import FitDescription, JudgedClaim, ablation, fit_risk
from adapters.calibration.similarity_floor import fit_similarity_floor
from adapters.data.cases import CaseSet, load_cases
from adapters.data.library_cases import library_cases
from assistant import Assistant
from assistant.cases.ingest import is_library
from assistant.chest.truth_check import is_false
from assistant.drafting.draft import DraftOptions
from assistant.evidence.risk import FILE, RiskModel
from assistant.evidence.rules import SentenceSignals
from assistant.types import OnMessage, Study

SAMPLES = 5
ERROR = 0.01
SEED = 2  # of the phantoms: those of seed 1 set the probe's thresholds
EDGE = 1024  # pixels that films of a folder are kept at, at most


def cases_with_truth(
    source: Path | None, n: int, sites: Sequence[str], folder: Path, on_message: OnMessage
) -> tuple[CaseSet, str]:
    """Cases to calibrate on, with what they are in words; `folder` keeps their films.

    The first `n` films of a library of cases, or of a case table or an imagefolder, there but for
    one patient's; without a source `n` phantoms of the split validation, shared out evenly over
    the sites.
    """
    if source is not None and is_library(source):
        return library_cases(source, n), f"cases of the library {source.name}"
    if source is None:
        data = PhantomData(train=1, validation=n, seed=SEED, sites=tuple(sites))
        told = f"phantoms of sites {', '.join(sites)}, seed {SEED}, split validation"
        return load_cases(
            data, folder, seed=SEED, edge=EDGE, on_message=on_message
        ).validation, told
    cases = load_cases(
        FolderData(source, 1.0), folder, seed=SEED, edge=EDGE, on_message=on_message
    ).validation
    return cases.of(range(min(n, len(cases)))), f"films of {source.name}"


def calibrate(
    assistant: Assistant,
    cases: CaseSet,
    about: str,
    *,
    samples: int = SAMPLES,
    error: float = ERROR,
    seed: int = 0,
    on_message: OnMessage = lambda text: None,
) -> RiskModel:
    """Fit the risk on drafts of `cases`, none of which the backbone or its probe has learnt from.

    `about` says in words what the cases are; `error` is the share of false sentences allowed
    among those kept, in (0, 1). Raises SettingsError where too few sentences are true or false.
    """
    floor = fit_similarity_floor(assistant, cases, seed)
    judged = judge_drafts(
        assistant, cases, samples=samples, floor=floor, seed=seed, on_message=on_message
    )
    task = "report" if "report" in assistant.backbone.tasks else None
    identity = assistant.backbone.identity_for(task)
    told = f"{len(cases)} {about}"
    fitted_for = FitDescription(identity.revision, identity.adapter, told, samples, error)
    model = replace(fit_risk(judged, fitted_for, seed=seed), floor=floor)
    told = "no library to tell" if floor is None else f"{floor:.3f}"
    on_message(f"similarity under which a case agrees no better than any other: {told}")
    for name, (alone, without) in ablation(judged, fitted_for, seed).items():
        kept = "" if any(name in w.signals for w in model.polarities.values()) else "; it goes"
        on_message(
            f"AUROC on held-out folds with {name} alone {alone:.3f}, without it {without:.3f}{kept}"
        )
    return model


def judge_drafts(
    assistant: Assistant,
    cases: CaseSet,
    *,
    samples: int,
    floor: float | None,
    seed: int,
    on_message: OnMessage,
) -> list[JudgedClaim]:
    """Every sentence of the cases' drafts of which something is known to be true or false."""
    found: list[JudgedClaim] = []
    done = 0
    for part, neighbours in ((range(0, len(cases), 2), 5), (range(1, len(cases), 2), 0)):
        options = DraftOptions(neighbours=neighbours, seed=seed, samples=samples, floor=floor)
        studies = (Study((cases.film(i),), cases.cases[i].indication) for i in part)
        for number, examined in zip(
            part, assistant.signals_of_drafts(studies, options), strict=True
        ):
            found += _judged(number, examined, cases)
            done += 1
            if done % 100 == 0:
                on_message(f"drafted {done} of {len(cases)} films")
    return found


def _judged(number: int, examined: Sequence[SentenceSignals], cases: CaseSet) -> list[JudgedClaim]:
    made, case = [], cases.cases[number]
    for one in examined:
        claims = tuple(
            (claim, signals, is_false(claim, case.claims, complete=case.complete))
            for claim, signals in one.claims
        )
        if any(wrong is not None for _, _, wrong in claims):
            made.append(JudgedClaim(number, claims))
    return made


def write_risk(model: RiskModel, folder: Path) -> Path:
    """Put the risk model into a backbone's folder."""
    path = folder / FILE
    model.save(path)
    return path
