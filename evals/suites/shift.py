"""Do the results at site A hold under shift: at other sites, on spoilt films, on real films?

The figures are quality, calibration and the answers of the gate, condition by condition, for the
same patients where they are phantoms. Films that the gate refuses are drafted all the same, to
show what it keeps from the reader; its answer is reported too.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate

from assistant import Assistant, WetreadError
from assistant.chest.phantoms import FINDINGS, SITES, Phantom, truth_assertions
from assistant.chest.truth_check import is_false
from assistant.chest.vocabulary import finding_of_label
from assistant.intake import read_film
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion, Film, OnProgress, Report, Study
from evals.bootstrap import auroc, bootstrap_rows, calibration_error
from evals.counting import FindingSide, count_matches, finding_sides, restrict_to
from evals.data.phantoms import as_film, film_of, make_phantoms, true_findings
from evals.data.real_films import tables_in
from evals.plot_data import bar_plot
from evals.results import FigureTable, PartResult, figure_of
from retrieval import FolderRow, read_folder

FILMS, REAL = 48, 100  # of each condition; of each folder of real films
BATCH = 16
F1 = "present findings with side, micro-F1"
REAL_F1 = "labelled findings, micro-F1"
Spoil = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _noise(film: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    return film + rng.normal(0, spread, film.shape)


def _blur(film: np.ndarray, pixels: float, _: np.random.Generator) -> np.ndarray:
    return gaussian_filter(film, pixels * film.shape[0] / 256)


def _contrast(film: np.ndarray, gain: float, _: np.random.Generator) -> np.ndarray:
    return film.mean() + gain * (film - film.mean())


def _rotation(film: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    turn = degrees * rng.choice([-1, 1])
    return rotate(film, turn, reshape=False, order=1, mode="nearest")


def _jpeg(film: np.ndarray, quality: float, _: np.random.Generator) -> np.ndarray:
    packed = io.BytesIO()
    Image.fromarray((film * 255).round().astype(np.uint8)).save(
        packed, "JPEG", quality=int(quality)
    )
    with Image.open(packed) as picture:
        return np.asarray(picture, np.float32) / 255


# Each with three grades: a trace, plain to see, and beyond what one would read.
SPOILS: MappingProxyType[str, tuple[Spoil, tuple[tuple[float, str], ...]]] = MappingProxyType(
    {
        "noise": (_noise, ((0.02, "0.02"), (0.05, "0.05"), (0.12, "0.12"))),
        "blur": (_blur, ((0.7, "0.7 px"), (1.5, "1.5 px"), (3.0, "3 px"))),
        "contrast": (_contrast, ((0.75, "0.75"), (0.5, "0.5"), (0.25, "0.25"))),
        "rotation": (_rotation, ((4, "4°"), (8, "8°"), (16, "16°"))),
        "JPEG": (_jpeg, ((50, "quality 50"), (20, "quality 20"), (5, "quality 5"))),
    }
)


def measure(
    assistant: Assistant, *, data: Path | None, n: int | None, seed: int, on_progress: OnProgress
) -> PartResult:
    """Draft `n` held-out phantoms of every site, those of site A spoilt, and real films.

    Unless `n` is given, these are 48 phantoms a condition and 100 films a folder. `data` is a
    folder with a table of films, or one that holds such folders.
    """
    count = FILMS if n is None else n
    folders = [] if data is None else tables_in(data)
    conditions = [*_phantom_conditions(seed, count)]
    tally, total = FigureTable(), len(conditions) + len(folders)
    cases: list[dict[str, Any]] = []
    for done, (name, condition_phantoms, films) in enumerate(conditions, start=1):
        reports = list(_draft_films(assistant, films, [p.indication for p in condition_phantoms]))
        _score_condition(tally, cases, name, condition_phantoms, reports)
        on_progress(done, total)
    for done, folder in enumerate(folders, start=len(conditions) + 1):
        _score_folder(tally, cases, assistant, folder, n or REAL)
        on_progress(done, total)
    folder_words = f", folders {', '.join(folder.name for folder in folders)}" if folders else ""
    material = f"{count} phantoms a condition, seed {seed}, split test{folder_words}"
    plotted = {
        name.removeprefix("shift/").removesuffix(f", {F1}"): found
        for name, found in tally.figures.items()
        if name.endswith(F1)
    }
    plot = bar_plot(f"From condition to condition: {F1}", "F1", plotted)
    return PartResult(tally.figures, cases, {}, material, tally.counts, {"shift": plot})


def _phantom_conditions(seed: int, count: int) -> Iterator[tuple[str, list[Phantom], list[Film]]]:
    home_phantoms: list[Phantom] = []
    for site in SITES:
        site_phantoms = list(make_phantoms(seed, range(count), site))
        home_phantoms = home_phantoms or site_phantoms
        yield f"site {site}", site_phantoms, [as_film(p) for p in site_phantoms]
    for kind, (spoil, grades) in SPOILS.items():
        for grade, words in grades:
            films = [
                film_of(spoil(p.film / 255.0, grade, np.random.default_rng([seed, i])).clip(0, 1))
                for i, p in enumerate(home_phantoms)
            ]
            yield f"{kind} {words}", home_phantoms, films


def _draft_films(
    assistant: Assistant, films: Sequence[Film], indications: Sequence[str]
) -> Iterator[Report]:
    studies = [
        Study((film,), indication) for film, indication in zip(films, indications, strict=True)
    ]
    return assistant.draft_many(studies, neighbours=0, batch=BATCH, anyway=True)


def _score_condition(
    tally: FigureTable,
    cases: list[dict[str, Any]],
    name: str,
    condition_phantoms: Sequence[Phantom],
    reports: Sequence[Report],
) -> None:
    patients = [str(i) for i in range(len(condition_phantoms))]
    findings = [
        restrict_to(finding_sides(a for s in r.sentences for a in s.assertions), FINDINGS)
        for r in reports
    ]
    rows = [
        count_matches(claims, true_findings(p), true_findings(p, "uncertain"))
        for claims, p in zip(findings, condition_phantoms, strict=True)
    ]
    tally.add(f"shift/{name}, {F1}", rows, patients, "f1")
    _add_gate_shares(tally, name, reports, patients)
    risk_rows, owners, unscored = [], [], 0
    for person, phantom, report in zip(patients, condition_phantoms, reports, strict=True):
        truth = truth_assertions(phantom)
        for sentence in report.sentences:
            verdicts = [is_false(claim, truth, complete=True) for claim in sentence.assertions]
            if sentence.risk is None or all(verdict is None for verdict in verdicts):
                unscored += 1
                continue
            risk_rows.append([sentence.risk, float(any(verdicts))])
            owners.append(person)
    table = np.array(risk_rows, float).reshape(-1, 2)
    for label, statistic in (("AUROC", auroc), ("calibration error", calibration_error)):
        value = statistic(table) if len(table) else None
        interval = bootstrap_rows(table, owners, statistic) if len(table) else (None, None)
        tally.figures[f"shift/{name}, risk, {label}"] = figure_of(
            value, len(table), interval, unscored=unscored
        )
    cases += [
        {"part": "shift", "condition": name, "case": i, "gate": r.gate.answer, "counts": row}
        for i, (r, row) in enumerate(zip(reports, rows, strict=True))
    ]


def _add_gate_shares(
    tally: FigureTable, name: str, reports: Sequence[Report], patients: Sequence[str]
) -> None:
    answers = [report.gate.answer for report in reports]
    for label, counted in (("warned of", ("warn",)), ("refused", ("refuse",))):
        tally.add(f"shift/{name}, {label}", [[a in counted, 1] for a in answers], patients, "ratio")


def _score_folder(
    tally: FigureTable, cases: list[dict[str, Any]], assistant: Assistant, folder: Path, n: int
) -> None:
    rows: list[FolderRow] = []
    films: list[Film] = []
    table_rows = read_folder(folder)[:n]
    for row in table_rows:
        try:
            films.append(read_film(row.image))
        except WetreadError:
            continue
        rows.append(row)
    missing = len(table_rows) - len(rows)
    patients = [row.patient or film.sha256 for row, film in zip(rows, films, strict=True)]
    reports = list(_draft_films(assistant, films, [""] * len(films)))
    scored = [(_labelled_findings(row), report) for row, report in zip(rows, reports, strict=True)]
    counts, owners = [], []
    for person, (labels, report) in zip(patients, scored, strict=True):
        if labels is None:
            continue
        claimed = finding_sides(a for s in report.sentences for a in s.assertions)
        findings: set[FindingSide] = {
            (finding, None) for finding, _ in restrict_to(claimed, FINDINGS)
        }
        counts.append(count_matches(findings, labels))
        owners.append(person)
    unscored = missing + len(rows) - len(counts)
    tally.add(f"shift/{folder.name}, {REAL_F1}", counts, owners, "f1", unscored=unscored)
    _add_gate_shares(tally, folder.name, reports, patients)
    cases += [
        {"part": "shift", "condition": folder.name, "case": film.sha256[:16], "gate": r.gate.answer}
        for film, r in zip(films, reports, strict=True)
    ]


def _labelled_findings(row: FolderRow) -> set[FindingSide] | None:
    """The findings that labels and report of a film name; None where it has neither."""
    if not row.labels and not row.report.strip():
        return None
    assertions = [Assertion(f) for f in map(finding_of_label, row.labels) if f]
    assertions += [a for a in find_assertions(row.report) if a.polarity == "present"]
    return {(a.finding, None) for a in assertions if a.finding in FINDINGS}
