"""`wetread calibrate`: fits the risk of a backbone's sentences on its drafts of labelled films.

The errors are the backbone's own; none are injected. Half of the films are drafted without
similar cases, so that the risk also holds with an empty library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.adapter_recipe import FolderData, PhantomData
from adapters.calibration.risk import FitDescription, JudgedClaim, ablate_signals, fit_risk
from adapters.calibration.similarity_floor import fit_similarity_floor
from adapters.data.cases import CaseSet, join_cases, load_cases
from adapters.data.library_cases import load_library_cases
from assistant import Assistant
from assistant.cases.ingest import is_library
from assistant.chest.truth_check import is_false
from assistant.drafting.draft import DraftOptions
from assistant.evidence.risk import FILE, RiskModel
from assistant.evidence.rules import SentenceSignals
from assistant.types import OnMessage, Study

SAMPLES = 5
ERROR = 0.01
SEED = 2  # of the phantoms: seed 1 set the probe's thresholds
EDGE = 1024  # pixels along one edge of the cached films


@dataclass(frozen=True, slots=True)
class CalibrationFilms:
    """The films to calibrate on."""

    source: Path | None  # a library, a case table or an imagefolder; None: phantoms alone
    n: int = 600  # at most, of the source; of phantoms where there is none
    sites: tuple[str, ...] = ("A",)  # of the phantoms, an equal share of each
    phantoms: int = 0  # beside the source's films
    split: str | None = None  # the mark of the table's rows to take; None: all but one patient's
    complete: bool = False  # whether what a report does not mention counts as absent


def load_cases_with_truth(
    films: CalibrationFilms, folder: Path, on_message: OnMessage
) -> tuple[CaseSet, str]:
    """Load the cases to calibrate on, and describe them; `folder` caches their films.

    Phantoms are of the split validation.
    """
    if films.source is None:
        return _load_phantoms(films, films.n, folder, on_message)
    if is_library(films.source):
        cases = load_library_cases(films.source, films.n)
        description = f"cases of the library {films.source.name}"
    else:
        data = FolderData(films.source, 1.0, only=(films.split,) if films.split else ())
        loaded = load_cases(data, folder, seed=SEED, edge=EDGE, on_message=on_message)
        cases = loaded.validation
        cases = cases.select(range(min(films.n, len(cases))))
        description = f"films of {films.source.name}"
    if films.complete:
        whole = tuple(replace(case, complete=bool(case.report)) for case in cases.cases)
        cases = replace(cases, cases=whole)
    if films.phantoms:
        phantoms, phantom_description = _load_phantoms(films, films.phantoms, folder, on_message)
        description = f"{description} and {len(phantoms)} {phantom_description}"
        cases = join_cases(cases, phantoms)
    return cases, description


def _load_phantoms(
    films: CalibrationFilms, count: int, folder: Path, on_message: OnMessage
) -> tuple[CaseSet, str]:
    data = PhantomData(train=1, validation=count, seed=SEED, sites=films.sites)
    description = f"phantoms of sites {', '.join(films.sites)}, seed {SEED}, split validation"
    loaded = load_cases(data, folder, seed=SEED, edge=EDGE, on_message=on_message)
    return loaded.validation, description


def calibrate(
    assistant: Assistant,
    cases: CaseSet,
    description: str,
    *,
    samples: int = SAMPLES,
    error: float = ERROR,
    seed: int = 0,
    on_message: OnMessage = lambda text: None,
) -> RiskModel:
    """Fit the risk on drafts of `cases`, on none of which the backbone or its probe was trained.

    `description` says what the cases are; `error` is the share of false sentences allowed among
    those kept, in (0, 1). Raises SettingsError when too few sentences are true or false.
    """
    floor = fit_similarity_floor(assistant, cases, seed)
    judged_claims = judge_drafts(
        assistant, cases, samples=samples, floor=floor, seed=seed, on_message=on_message
    )
    task = "report" if "report" in assistant.backbone.tasks else None
    identity = assistant.backbone.identity_for(task)
    fitted_on = f"{len(cases)} {description}"
    fit_description = FitDescription(identity.revision, identity.adapter, fitted_on, samples, error)
    model = replace(fit_risk(judged_claims, fit_description, seed=seed), floor=floor)
    floor_text = "no library to tell" if floor is None else f"{floor:.3f}"
    on_message(f"similarity under which a case agrees no better than any other: {floor_text}")
    for name, (alone, without) in ablate_signals(judged_claims, fit_description, seed).items():
        suffix = "" if any(name in w.signals for w in model.polarities.values()) else "; it goes"
        on_message(
            f"AUROC on held-out folds with {name} alone {alone:.3f}, "
            f"without it {without:.3f}{suffix}"
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
    """Draft the cases and judge the sentences that have a claim known to be true or false."""
    judged_claims: list[JudgedClaim] = []
    drafted = 0
    for part, neighbours in ((range(0, len(cases), 2), 5), (range(1, len(cases), 2), 0)):
        options = DraftOptions(neighbours=neighbours, seed=seed, samples=samples, floor=floor)
        studies = (Study((cases.film(i),), cases.cases[i].indication) for i in part)
        for number, sentences in zip(
            part, assistant.signals_of_drafts(studies, options), strict=True
        ):
            judged_claims += _judge_sentences(number, sentences, cases)
            drafted += 1
            if drafted % 100 == 0:
                on_message(f"drafted {drafted} of {len(cases)} films")
    return judged_claims


def _judge_sentences(
    number: int, sentences: Sequence[SentenceSignals], cases: CaseSet
) -> list[JudgedClaim]:
    judged_claims, case = [], cases.cases[number]
    for sentence in sentences:
        claims = tuple(
            (claim, signals, is_false(claim, case.claims, complete=case.complete))
            for claim, signals in sentence.claims
        )
        if any(wrong is not None for _, _, wrong in claims):
            judged_claims.append(JudgedClaim(number, claims))
    return judged_claims


def write_risk(model: RiskModel, folder: Path) -> Path:
    """Write the risk model into a backbone's folder, and return the file's path."""
    path = folder / FILE
    model.save(path)
    return path
