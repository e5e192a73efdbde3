"""Pairs of reports in, scores out: text, clinical, composite, neural, and the baselines beside.

It knows no model and no film: the pairs may be Wetread's own or come from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.chest.vocabulary import finding_named
from assistant.errors import SettingsError
from assistant.types import OnProgress
from evals import plot_data
from evals.report import clinical
from evals.report.baselines import (
    FREQUENT,
    PERMUTED,
    baseline_figures,
    most_frequent,
    permuted,
)
from evals.report.clinical import PairClaims, Scored, clinical_figures, hold_against
from evals.report.composite import KINDS, Fault, between, by_kind, score
from evals.report.neural import neural_figures
from evals.report.pairs import Pair
from evals.report.parsed import ReportParser
from evals.report.summary import Summary, summarise
from evals.report.text import text_figures
from evals.results import FigureTable, PartResult

MEAN = "composite/mean"
_NOTES: dict[str, str] = {
    MEAN: "1 / (1 + E / 2) of the weighted errors E of a report; see evals/report/composite.py",
    "composite/weighted errors a report": "false or omitted findings count about 1 each",
}
_NONE: Mapping[str, Any] = MappingProxyType({})


class _Composer:
    """Composite errors of pairs, with what a report says put together once a text."""

    def __init__(self) -> None:
        self.reader = ReportParser()
        self._summaries: dict[str, Summary] = {}

    def scored(self, pair: Pair, candidate: str | None) -> Scored | None:
        """A pair with a candidate, read; None where there is nothing to score."""
        pair = replace(pair, candidate=candidate)
        if candidate is None or not pair.scored:
            return None
        return Scored(pair, self.reader(pair.reference), self.reader(candidate))

    def faults(self, one: Scored) -> tuple[Fault, ...]:
        return between(self._summary(one.reference.text), self._summary(one.candidate.text))

    def composite(self, one: Scored, found: Sequence[Fault] | None = None) -> float:
        found = self.faults(one) if found is None else found
        return score(found) if one.candidate.text.strip() else 0.0

    def _summary(self, text: str) -> Summary:
        if text not in self._summaries:
            self._summaries[text] = summarise(text, self.reader)
        return self._summaries[text]


def score_pairs(
    pairs: Sequence[Pair],
    *,
    baselines: Mapping[str, Sequence[str | None]] = _NONE,
    weights: Mapping[str, Path] = _NONE,
    seed: int = 0,
    on_progress: OnProgress = lambda done, total: None,
) -> PartResult:
    """Score every pair that has an output, and the baselines on the same pairs.

    `baselines` has a candidate for every pair (None where there is none) under the name of what
    wrote them, `weights` the local path of a neural score's weights under its name. Pairs without
    an output or a reference are unscored and never zero. Intervals are by patient. Raises
    SettingsError where no pair can be scored, a baseline has another length, or weights do not
    exist.
    """
    _check(pairs, baselines)
    composer = _Composer()
    taken: list[int] = []
    scored: list[Scored] = []
    for number, pair in enumerate(pairs):
        one = composer.scored(pair, pair.candidate)
        if one is not None:
            taken.append(number)
            scored.append(one)
        on_progress(number + 1, len(pairs))
    if not scored:
        raise SettingsError(
            f"None of the {len(pairs)} pairs has both a reference and an output; nothing is scored."
        )
    patients, unscored = [one.pair.patient for one in scored], len(pairs) - len(scored)
    chosen = [one.pair for one in scored]
    texts = [(one.reference.text, one.candidate.text) for one in scored]
    found = [composer.faults(one) for one in scored]
    values = [composer.composite(one, faults) for one, faults in zip(scored, found, strict=True)]
    held = [hold_against(one) for one in scored]
    tally = FigureTable()
    notes = _composite_figures(tally, found, values, patients, unscored)
    clinical_figures(tally, held, patients, unscored)
    notes |= clinical.NOTES
    notes |= text_figures(tally, texts, patients, unscored)
    notes |= neural_figures(tally, chosen, patients, unscored, weights)
    theirs = {name: [told[i] for i in taken] for name, told in baselines.items()}
    others = _others(composer, scored, theirs, seed)
    notes |= baseline_figures(tally, scored, others, patients, unscored, values, composer.composite)
    return PartResult(
        tally.figures,
        [_case(*row) for row in zip(held, found, values, strict=True)],
        {name: note for name, note in notes.items() if name in tally.figures},
        f"{len(scored)} pairs of reports of {len(set(patients))} patients, {unscored} unscored",
        tally.counts,
        _plots(tally, values),
    )


def _check(pairs: Sequence[Pair], baselines: Mapping[str, Sequence[str | None]]) -> None:
    for name, told in baselines.items():
        if len(told) != len(pairs):
            raise SettingsError(
                f"The baseline {name!r} has {len(told)} reports for {len(pairs)} pairs; "
                "give one for each, in their order."
            )


def _others(
    composer: _Composer,
    scored: Sequence[Scored],
    baselines: Mapping[str, Sequence[str | None]],
    seed: int,
) -> dict[str, list[Scored | None]]:
    """The same pairs with each baseline's candidates in place of the system's."""
    told = {
        FREQUENT: [most_frequent(scored)] * len(scored),
        PERMUTED: permuted(scored, seed),
        **baselines,
    }
    return {
        name: [composer.scored(o.pair, text) for o, text in zip(scored, texts, strict=True)]
        for name, texts in told.items()
    }


def _composite_figures(
    tally: FigureTable,
    found: Sequence[Sequence[Fault]],
    values: Sequence[float],
    patients: Sequence[str],
    unscored: int,
) -> dict[str, str]:
    """The mean score, and what took from it: weighted errors a report, in all and by kind."""
    tally.add(MEAN, [[value, 1] for value in values], patients, "mean", unscored=unscored)
    kinds = [by_kind(faults) for faults in found]
    sums = {"weighted errors": [sum(kind.values()) for kind in kinds]}
    sums |= {kind: [faults[kind] for faults in kinds] for kind in KINDS}
    for name, weighted in sums.items():
        table = [[value, 1] for value in weighted]
        tally.add(f"composite/{name} a report", table, patients, "mean", unscored=unscored)
    return dict(_NOTES)


def _case(held: PairClaims, found: Sequence[Fault], value: float) -> dict[str, Any]:
    def names(findings: Sequence[str]) -> list[str]:
        return [finding_named(finding).name for finding in findings]

    pair = held.scored.pair
    return {
        "part": "report",
        "case": pair.case,
        "patient": pair.patient,
        "composite": round(value, 6),
        "errors": [
            {"kind": f.kind, "finding": f.finding, "weight": round(f.weight, 4)} for f in found
        ],
        "omissions": names(held.omissions),
        "fabrications": names(held.fabrications),
        "wrong_side": names(held.wrong_side),
        "invented_measurements": [f"{number:g} {unit}" for unit, number in held.invented],
        "reference": pair.reference,
        "draft": pair.candidate,
    }


def _plots(tally: FigureTable, values: Sequence[float]) -> dict[str, plot_data.Plot]:
    known = {finding_named(key).name for key in clinical.TIERS}
    found = {
        name: tally.figures[f"clinical/{name}, F1"]
        for name in sorted(known)
        if f"clinical/{name}, F1" in tally.figures
    }
    return {
        "report/F1 by finding": plot_data.bar_plot("F1 of present findings", "F1", found),
        "report/composite": plot_data.histogram(
            values, [i / 20 for i in range(21)], title="Composite score of each report"
        ),
    }
