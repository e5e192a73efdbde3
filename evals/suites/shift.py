"""Does what was measured at home hold elsewhere? Other sites, spoilt films, real films.

Quality, calibration and what the gate says, from condition to condition, on the same patients
where they are phantoms. The films that the gate refuses are drafted all the same, so that it is
seen what it keeps from the reader; its answer stands beside.
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
from evals.data.phantoms import as_film, film_of, phantoms, true_findings
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

    Unless `n` is told, these are 48 phantoms a condition and 100 films a folder. `data` is a
    folder with a table of films, or one that holds such folders.
    """
    count = FILMS if n is None else n
    folders = [] if data is None else tables_in(data)
    conditions = [*_phantom_conditions(seed, count)]
    tally, total = FigureTable(), len(conditions) + len(folders)
    cases: list[dict[str, Any]] = []
    for done, (name, made, films) in enumerate(conditions, start=1):
        reports = list(_drafts(assistant, films, [p.indication for p in made]))
        _score(tally, cases, name, made, reports)
        on_progress(done, total)
    for done, folder in enumerate(folders, start=len(conditions) + 1):
        _real(tally, cases, assistant, folder, n or REAL)
        on_progress(done, total)
    also = f", folders {', '.join(folder.name for folder in folders)}" if folders else ""
    material = f"{count} phantoms a condition, seed {seed}, split test{also}"
    told = {
        name.removeprefix("shift/").removesuffix(f", {F1}"): found
        for name, found in tally.figures.items()
        if name.endswith(F1)
    }
    plot = bar_plot(f"From condition to condition: {F1}", "F1", told)
    return PartResult(tally.figures, cases, {}, material, tally.counts, {"shift": plot})


def _phantom_conditions(seed: int, count: int) -> Iterator[tuple[str, list[Phantom], list[Film]]]:
    home: list[Phantom] = []
    for site in SITES:
        made = list(phantoms(seed, range(count), site))
        home = home or made
        yield f"site {site}", made, [as_film(p) for p in made]
    for kind, (spoil, grades) in SPOILS.items():
        for grade, words in grades:
            films = [
                film_of(spoil(p.film / 255.0, grade, np.random.default_rng([seed, i])).clip(0, 1))
                for i, p in enumerate(home)
            ]
            yield f"{kind} {words}", home, films


def _drafts(assistant: Assistant, films: Sequence[Film], why: Sequence[str]) -> Iterator[Report]:
    studies = [Study((film,), told) for film, told in zip(films, why, strict=True)]
    return assistant.draft_many(studies, neighbours=0, batch=BATCH, anyway=True)


def _score(
    tally: FigureTable,
    cases: list[dict[str, Any]],
    name: str,
    made: Sequence[Phantom],
    reports: Sequence[Report],
) -> None:
    people = [str(i) for i in range(len(made))]
    said = [
        restrict_to(finding_sides(a for s in r.sentences for a in s.assertions), FINDINGS)
        for r in reports
    ]
    rows = [
        count_matches(one, true_findings(p), true_findings(p, "uncertain"))
        for one, p in zip(said, made, strict=True)
    ]
    tally.add(f"shift/{name}, {F1}", rows, people, "f1")
    _gates(tally, name, reports, people)
    judged, owners, silent = [], [], 0
    for person, phantom, report in zip(people, made, reports, strict=True):
        known = truth_assertions(phantom)
        for sentence in report.sentences:
            wrong = [is_false(claim, known, complete=True) for claim in sentence.assertions]
            if sentence.risk is None or all(one is None for one in wrong):
                silent += 1
                continue
            judged.append([sentence.risk, float(any(wrong))])
            owners.append(person)
    table = np.array(judged, float).reshape(-1, 2)
    for words, statistic in (("AUROC", auroc), ("calibration error", calibration_error)):
        value = statistic(table) if len(table) else None
        between = bootstrap_rows(table, owners, statistic) if len(table) else (None, None)
        tally.figures[f"shift/{name}, risk, {words}"] = figure_of(
            value, len(table), between, unscored=silent
        )
    cases += [
        {"part": "shift", "condition": name, "case": i, "gate": r.gate.answer, "counts": row}
        for i, (r, row) in enumerate(zip(reports, rows, strict=True))
    ]


def _gates(tally: FigureTable, name: str, reports: Sequence[Report], people: Sequence[str]) -> None:
    answers = [report.gate.answer for report in reports]
    for words, kinds in (("warned of", ("warn",)), ("refused", ("refuse",))):
        tally.add(f"shift/{name}, {words}", [[a in kinds, 1] for a in answers], people, "ratio")


def _real(
    tally: FigureTable, cases: list[dict[str, Any]], assistant: Assistant, folder: Path, n: int
) -> None:
    rows: list[FolderRow] = []
    films: list[Film] = []
    tabled = read_folder(folder)[:n]
    for row in tabled:
        try:
            films.append(read_film(row.image))
        except WetreadError:
            continue
        rows.append(row)
    missing = len(tabled) - len(rows)
    people = [row.patient or film.sha256 for row, film in zip(rows, films, strict=True)]
    reports = list(_drafts(assistant, films, [""] * len(films)))
    scored = [(_labelled(row), report) for row, report in zip(rows, reports, strict=True)]
    counts, owners = [], []
    for person, (known, report) in zip(people, scored, strict=True):
        if known is None:
            continue
        told = finding_sides(a for s in report.sentences for a in s.assertions)
        said: set[FindingSide] = {(finding, None) for finding, _ in restrict_to(told, FINDINGS)}
        counts.append(count_matches(said, known))
        owners.append(person)
    unknown = missing + len(rows) - len(counts)
    tally.add(f"shift/{folder.name}, {REAL_F1}", counts, owners, "f1", unscored=unknown)
    _gates(tally, folder.name, reports, people)
    cases += [
        {"part": "shift", "condition": folder.name, "case": film.sha256[:16], "gate": r.gate.answer}
        for film, r in zip(films, reports, strict=True)
    ]


def _labelled(row: FolderRow) -> set[FindingSide] | None:
    """The findings that labels and report of a film name; None where it has neither."""
    if not row.labels and not row.report.strip():
        return None
    named = [Assertion(f) for f in map(finding_of_label, row.labels) if f]
    named += [a for a in find_assertions(row.report) if a.polarity == "present"]
    return {(a.finding, None) for a in named if a.finding in FINDINGS}
