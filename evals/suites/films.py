"""Real films: findings, drafts, risk, gate, looking, similar cases, places, groups and views.

The films come from a folder with a table; what the table has decides what is scored. No text of a
report, and no id of a patient, gets into the results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from assistant import Assistant
from assistant.chest.vocabulary import finding_named, finding_of_label
from assistant.errors import SettingsError
from assistant.types import OnProgress
from evals.data.real_films import FilmRecord
from evals.films import findings, groups, looking, places, reports, sentences, similar, views
from evals.films.gate import (
    OTHERS_BAR,
    PASSED,
    REFUSED,
    WARNED,
    cases_of,
    name_folders,
    score_gate,
)
from evals.films.labels import (
    AGAINST_NORMAL,
    BY_REPORT,
    KnownFindings,
    abnormal_findings_in,
    find_known,
)
from evals.films.material import Material, load_material, records_of_folder
from evals.films.readings import (
    FilmReading,
    draft_texts,
    embed_records,
    judge_records,
    read_studies,
)
from evals.options import MeasurePart, SuiteOptions
from evals.results import Bar, Figure, PartResult, figure_of
from evals.suites.looking import SAME

DRAFTING = ("reports", "risk", "looking", "groups")  # the parts that need drafts
# By label of NIH's set, as it writes them.
LABEL_BARS = {"Effusion": 0.80, "Cardiomegaly": 0.80, "Edema": 0.75, "Pneumonia": 0.68}


def _figure_of_label(label: str) -> str:
    name = finding_named(finding_of_label(label) or label).name
    return f"findings/AUROC {AGAINST_NORMAL}, {name}"


BARS: Mapping[str, Bar] = MappingProxyType(
    {
        f"findings/{findings.MEAN.format('AUROC', BY_REPORT)}": Bar("at least", 0.83),
        **{_figure_of_label(label): Bar("at least", least) for label, least in LABEL_BARS.items()},
        f"reports/{reports.SIDED.format('F1')}": Bar("at least", 0.40),
        f"risk/{sentences.AUROC}": Bar("at least", 0.78),
        f"risk/{sentences.ECE}": Bar("at most", 0.06),
        f"risk/{sentences.KEPT}": Bar("at least", 0.60),
        f"risk/{sentences.FALSE_KEPT}": Bar("at most", 0.10),
        f"gate/frontals {PASSED}": Bar("at least", 0.95),
        f"gate/laterals {REFUSED}": Bar("at least", 0.95),
        f"looking/{SAME.format(looking.BLANK)}": Bar("at most", 0.02),
        f"looking/{SAME.format(looking.NOISE)}": Bar("at most", 0.02),
        f"looking/{SAME.format(looking.ANOTHER)}": Bar("at most", 0.02),
        f"similar/{similar.TIMES}": Bar("at least", 2.0),
    }
)


def _material_of(options: SuiteOptions) -> Material:
    if options.data is None:
        raise SettingsError("Name the folder to measure on with --data.")
    return load_material(options, options.data)


def _folder(options: SuiteOptions, name: str) -> Path | None:
    """Where results of single films are kept until the run is done."""
    return None if options.work is None else options.work / name


def _read(
    assistant: Assistant, options: SuiteOptions, material: Material, on_progress: OnProgress
) -> list[FilmReading | None]:
    """Read all films, once for all parts of the run."""
    wants_drafts = not options.parts or any(part in DRAFTING for part in options.parts)
    has_reports = any(record.report.strip() for record in material.films)
    drafted = 0
    if wants_drafts and has_reports:
        drafted = len(material.films)
    elif "looking" in options.parts or not options.parts:
        drafted = min(looking.MOST, len(material.films))
    return read_studies(
        assistant,
        [(record,) for record in material.films],
        drafted=drafted,
        folder=_folder(options, "films"),
        on_progress=on_progress,
    )


def measure_findings(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Score the probe's findings against each source of truth that the table has."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    patients = [record.patient for record in material.films]
    figures: dict[str, Figure] = {}
    notes: dict[str, str] = {}
    plots = {}
    for known in find_known(material.films):
        scored = findings.score_findings(readings, known, patients, options.positives)
        figures |= scored.figures
        notes |= scored.notes
        plots |= scored.plots
    if not figures:
        name = findings.MEAN.format("AUROC", BY_REPORT)
        figures[name] = figure_of(None, 0, unscored=len(material.films))
        notes[name] = "unscored: the table has no reports, gold labels or labels"
    return PartResult(figures, (), notes, material.words, {}, plots)


def measure_reports(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Score drafts and baselines against the reports."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    embeddings = _library_embeddings(assistant, options, material, readings, on_progress)
    nearest, _ = _nearest(
        material, readings, embeddings, 1, lambda record: bool(record.report.strip())
    )
    known = material.training or material.films
    reported = [record for record in known if record.report.strip()]
    scores = reports.score_reports(
        material.films,
        readings,
        reports.KnownReports(
            texts=tuple(reports.text_of_report(record) for record in reported),
            nearest={
                number: reports.text_of_report(material.library[case])
                for number, (case,) in enumerate(nearest.tolist())
                if case >= 0
            },
            trained=bool(material.training),
            material=material.library_words,
        ),
        options.seed,
    )
    tally = scores.tally
    return PartResult(tally.figures, (), scores.notes, material.words, tally.counts, scores.plots)


def measure_risk(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Score the risk of the drafts' sentences against the reports."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    scores = sentences.score_sentences(material.films, readings)
    return PartResult(scores.figures, scores.cases, scores.notes, material.words, {}, scores.plots)


def measure_gate(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Count how the gate answers frontals, laterals, and the films of other folders."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    answers = [None if r is None else (r.film, r.gate) for r in readings]
    figures = score_gate("frontals", material.films, answers, (PASSED, WARNED, REFUSED))
    cases = cases_of("frontals", answers)
    kinds = {"laterals": material.laterals[: options.n]}
    others = name_folders(options.others)
    kinds |= {
        name: records_of_folder(folder, options.n, options.seed) for name, folder in others.items()
    }
    for kind, records in kinds.items():
        answers = judge_records(assistant, records, _folder(options, f"gate {kind}"), on_progress)
        figures |= score_gate(kind, records, answers, (REFUSED, WARNED, PASSED))
        cases += cases_of(kind, answers)
    for kind in others:
        name = f"{kind} {WARNED}"
        figures[name] = {**figures[name], "bar": OTHERS_BAR}
    notes = {f"frontals {PASSED}": f"{material.faulty} rows of the table do not hold"}
    if not material.laterals:
        notes[f"laterals {REFUSED}"] = "no laterals: name a table of them with --laterals"
    return PartResult(figures, cases, notes, material.words)


def measure_looking(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Compare drafts with those of a blank film, noise and another patient."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    tally, notes = looking.score_looking(
        material.films,
        readings,
        lambda films: draft_texts(assistant, films, _folder(options, "wrong films"), on_progress),
        options.seed,
    )
    return PartResult(tally.figures, (), notes, material.words, tally.counts)


def measure_similar(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Score the five nearest cases of each film by the findings that both show."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    embeddings = _library_embeddings(assistant, options, material, readings, on_progress)
    nearest, allowed = _nearest(material, readings, embeddings, similar.K, _has_truth)
    tally, notes = similar.score_similar(
        [abnormal_findings_in(record) for record in material.films],
        [abnormal_findings_in(record) for record in material.library],
        nearest,
        allowed,
        [record.patient for record in material.films],
    )
    words = f"{material.words}, among {material.library_words}"
    return PartResult(tally.figures, (), notes, words, tally.counts)


def measure_places(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Score the probe's maps against the boxes of the table."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    tally, notes = places.score_places(material.films, readings)
    return PartResult(tally.figures, (), notes, material.words, tally.counts)


def measure_groups(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Score the films of each sex, age group and view."""
    material = _material_of(options)
    readings = _read(assistant, options, material, on_progress)
    known = _main_source(material.films)
    tally, notes, plots = groups.score_groups(material.films, readings, known, options.positives)
    return PartResult(tally.figures, (), notes, material.words, tally.counts, plots)


def measure_views(
    assistant: Assistant, options: SuiteOptions, on_progress: OnProgress
) -> PartResult:
    """Read the studies that have a lateral from the frontal alone and whole."""
    material = _material_of(options)
    name = f"mean AUROC {BY_REPORT}, {views.WHOLE}"
    pairs = views.pair_with_laterals(material.films, material.laterals)
    if not pairs:
        none = figure_of(None, 0, unscored=len(material.films))
        return PartResult({name: none}, (), {name: views.NONE_THERE}, material.words)
    readings = _read(assistant, options, material, on_progress)
    alone = [readings[number] for number, _ in pairs]
    whole = read_studies(
        assistant,
        [(material.films[number], lateral) for number, lateral in pairs],
        drafted=len(pairs) if any(r is not None and r.sentences is not None for r in alone) else 0,
        folder=_folder(options, "views"),
        on_progress=on_progress,
    )
    records = [material.films[number] for number, _ in pairs]
    tally = views.score_views(records, alone, whole, _main_source(records), options.positives)
    notes = {} if _reads_laterals(alone, whole) else {name: views.NOT_READ}
    words = f"{len(pairs)} studies with a lateral, of {material.words}"
    return PartResult(tally.figures, (), notes, words, tally.counts)


def _main_source(records: Sequence[FilmRecord]) -> KnownFindings | None:
    """The first source of truth that the films have: reports, then gold labels, then labels."""
    return next(iter(find_known(records)), None)


def _reads_laterals(
    alone: Sequence[FilmReading | None], whole: Sequence[FilmReading | None]
) -> bool:
    return any(
        a is not None and b is not None and a.probabilities != b.probabilities
        for a, b in zip(alone, whole, strict=True)
    )


def _has_truth(record: FilmRecord) -> bool:
    return bool(record.report.strip() or record.labelled)


def _library_embeddings(
    assistant: Assistant,
    options: SuiteOptions,
    material: Material,
    readings: Sequence[FilmReading | None],
    on_progress: OnProgress,
) -> list[np.ndarray | None]:
    """The embedding of each case of the library."""
    if not material.training and len(material.library) == len(material.films):
        return [None if reading is None else reading.embedding for reading in readings]
    folder = _folder(options, "library")
    return embed_records(assistant, material.library, folder, on_progress)


def _nearest(
    material: Material,
    readings: Sequence[FilmReading | None],
    embeddings: Sequence[np.ndarray | None],
    k: int,
    is_usable: Callable[[FilmRecord], bool],
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest cases (N, k) of each film, and which may be compared at all (N, M)."""
    usable = [
        code is not None and is_usable(record)
        for code, record in zip(embeddings, material.library, strict=True)
    ]
    allowed = np.array(
        [
            [
                fit and reading is not None and case.patient != film.patient
                for fit, case in zip(usable, material.library, strict=True)
            ]
            for film, reading in zip(material.films, readings, strict=True)
        ],
        bool,
    ).reshape(len(material.films), len(material.library))
    width = next((len(code) for code in embeddings if code is not None), 1)
    blank = np.zeros(width, np.float32)
    own = [blank if reading is None else reading.embedding for reading in readings]
    cases = [blank if code is None else code for code in embeddings]
    stacked = np.stack(cases) if cases else np.zeros((0, width), np.float32)
    return similar.nearest_of(np.stack(own), stacked, allowed, k), allowed


PARTS: Mapping[str, MeasurePart] = MappingProxyType(
    {
        "findings": measure_findings,
        "reports": measure_reports,
        "risk": measure_risk,
        "gate": measure_gate,
        "looking": measure_looking,
        "similar": measure_similar,
        "places": measure_places,
        "groups": measure_groups,
        "views": measure_views,
    }
)
