"""How well the probe tells the findings of a film: AUROC and AUPRC for each, and their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from assistant.chest.vocabulary import finding_named
from evals.bootstrap import auroc, average_precision, bootstrap_rows
from evals.films.labels import KnownFindings
from evals.films.readings import FilmReading
from evals.plot_data import Plot, bar_plot
from evals.results import Figure, figure_of

MEAN = "mean {} {}"
MEASURES: tuple[tuple[str, Callable[[np.ndarray], float]], ...] = (
    ("AUROC", auroc),
    ("AUPRC", average_precision),
)


@dataclass(slots=True)
class FindingFigures:
    """Figures, notes and plots, as they are collected."""

    figures: dict[str, Figure] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    plots: dict[str, Plot] = field(default_factory=dict)


def probabilities_of(readings: Sequence[FilmReading | None], finding: str) -> np.ndarray:
    """The probe's probability of a finding in each film, float (N,); NaN where there is none."""
    values = [
        None if r is None or r.probabilities is None else r.probabilities.get(finding)
        for r in readings
    ]
    return np.array([np.nan if value is None else value for value in values], float)


def is_probed(readings: Sequence[FilmReading | None], finding: str) -> bool:
    """Whether the probe has a probability of a finding for any film."""
    return bool(np.isfinite(probabilities_of(readings, finding)).any())


def score_findings(
    readings: Sequence[FilmReading | None],
    known: KnownFindings,
    patients: Sequence[str],
    least: int,
) -> FindingFigures:
    """Score each finding of a source, and the mean over those with `least` positives or more."""
    result = FindingFigures()
    unknown: list[str] = []
    means: list[str] = []
    by_name: dict[str, Figure] = {}
    for finding in known.findings:
        name = finding_named(finding).name
        scores, labels = probabilities_of(readings, finding), known.column_of(finding)
        if not is_probed(readings, finding):
            unknown.append(name)
            none = figure_of(None, 0, unscored=len(scores))
            result.figures[f"{MEASURES[0][0]} {known.source}, {name}"] = none
            continue
        table = _scored_rows(scores, labels, patients)
        for measure, statistic in MEASURES:
            figure = _figure(table, statistic, len(scores))
            result.figures[f"{measure} {known.source}, {name}"] = figure
            if measure == MEASURES[0][0]:
                by_name[f"{figure['positives']}: {name}"] = figure
        if table[0][:, 1].sum() >= least:
            means.append(finding)
    _add_means(result, readings, known, patients, means, least)
    frequent = [
        finding_named(finding).name
        for finding in known.findings
        if not is_probed(readings, finding) and np.nansum(known.column_of(finding)) >= least
    ]
    if frequent:
        mean = MEAN.format(MEASURES[0][0], known.source)
        result.notes[mean] += f"; as frequent, but unknown to the probe: {', '.join(frequent)}"
    if unknown:
        result.notes[f"unknown to the probe, {known.source}"] = f"not scored: {', '.join(unknown)}"
        result.figures[f"unknown to the probe, {known.source}"] = figure_of(
            len(unknown), len(known.findings)
        )
    if by_name:
        title = f"Positives and AUROC of each finding {known.source}"
        result.plots[f"AUROC {known.source}"] = bar_plot(title, "AUROC", by_name)
    return result


def mean_of_findings(
    readings: Sequence[FilmReading | None],
    known: KnownFindings,
    patients: Sequence[str],
    findings: Sequence[str],
    statistic: Callable[[np.ndarray], float] = auroc,
) -> Figure:
    """The mean of a statistic over findings, with its interval by patient.

    A finding that has not both kinds of films in a resample is left out there.
    """
    scores = [probabilities_of(readings, finding) for finding in findings]
    labels = [known.column_of(finding) for finding in findings]
    table = np.stack([*scores, *labels], axis=1) if findings else np.empty((len(readings), 0))
    used = np.array([
        bool(len(findings)) and bool(np.isfinite(row[: len(findings)]).any())
        and bool(np.isfinite(row[len(findings) :]).any())
        for row in table
    ], bool)  # fmt: skip
    count = len(findings)

    def mean(rows: np.ndarray) -> float:
        values = []
        for number in range(count):
            pair = rows[:, [number, count + number]]
            values.append(statistic(pair[np.isfinite(pair).all(axis=1)]))
        finite = [value for value in values if np.isfinite(value)]
        return float(np.mean(finite)) if finite else float("nan")

    if not used.any():
        return figure_of(None, 0, unscored=len(readings))
    rows, kept = table[used], [p for p, is_used in zip(patients, used, strict=True) if is_used]
    return figure_of(
        mean(rows), len(rows), bootstrap_rows(rows, kept, mean), unscored=int((~used).sum())
    )


def _add_means(
    result: FindingFigures,
    readings: Sequence[FilmReading | None],
    known: KnownFindings,
    patients: Sequence[str],
    findings: Sequence[str],
    least: int,
) -> None:
    names = ", ".join(finding_named(finding).name for finding in findings) or "none"
    means: dict[str, Figure] = {}
    for measure, statistic in MEASURES:
        name = MEAN.format(measure, known.source)
        means[name] = mean_of_findings(readings, known, patients, findings, statistic)
        result.notes[name] = (
            f"over {len(findings)} findings with {least} positives or more: {names}"
        )
    result.figures = means | result.figures


def _scored_rows(
    scores: np.ndarray, labels: np.ndarray, patients: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    table = np.stack([scores, labels], axis=1)
    used = [bool(np.isfinite(row).all()) for row in table]
    return table[used], [p for p, is_used in zip(patients, used, strict=True) if is_used]


def _figure(
    scored: tuple[np.ndarray, list[str]], statistic: Callable[[np.ndarray], float], films: int
) -> Figure:
    rows, patients = scored
    value = statistic(rows)
    interval = bootstrap_rows(rows, patients, statistic) if np.isfinite(value) else (None, None)
    figure = figure_of(value, len(rows), interval, unscored=films - len(rows))
    return figure | {"positives": int(rows[:, 1].sum())}
