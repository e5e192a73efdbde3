"""Scores pairs of reports: text, clinical, composite and neural figures, and the baselines.

This module knows no model and no film: the pairs may come from Wetread or any other system.
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
    add_baseline_figures,
    most_frequent_report_of,
    permute_candidates,
)
from evals.report.clinical import PairClaims, ScoredPair, add_clinical_figures, compare_claims
from evals.report.composite import KINDS, Fault, compare_summaries, score_faults, sum_by_kind
from evals.report.neural import add_neural_figures
from evals.report.pairs import Pair
from evals.report.parsed import ReportParser
from evals.report.summary import Summary, summarise
from evals.report.text import add_text_figures
from evals.results import FigureTable, PartResult

MEAN = "composite/mean"
_NOTES: dict[str, str] = {
    MEAN: "1 / (1 + E / 2) of the weighted errors E of a report; see evals/report/composite.py",
    "composite/weighted errors a report": "false or omitted findings count about 1 each",
}
_NO_ENTRIES: Mapping[str, Any] = MappingProxyType({})


class _CompositeScorer:
    """Computes composite errors of pairs; it summarises each text once."""

    def __init__(self) -> None:
        self.parser = ReportParser()
        self._summaries: dict[str, Summary] = {}

    def parse_pair(self, pair: Pair, candidate: str | None) -> ScoredPair | None:
        """Parse a pair with this candidate; None where there is nothing to score."""
        pair = replace(pair, candidate=candidate)
        if candidate is None or not pair.can_be_scored:
            return None
        return ScoredPair(pair, self.parser(pair.reference), self.parser(candidate))

    def find_faults(self, pair: ScoredPair) -> tuple[Fault, ...]:
        return compare_summaries(
            self._summary_of(pair.reference.text), self._summary_of(pair.candidate.text)
        )

    def score(self, pair: ScoredPair, faults: Sequence[Fault] | None = None) -> float:
        faults = self.find_faults(pair) if faults is None else faults
        return score_faults(faults) if pair.candidate.text.strip() else 0.0

    def _summary_of(self, text: str) -> Summary:
        if text not in self._summaries:
            self._summaries[text] = summarise(text, self.parser)
        return self._summaries[text]


def score_pairs(
    pairs: Sequence[Pair],
    *,
    baselines: Mapping[str, Sequence[str | None]] = _NO_ENTRIES,
    weights: Mapping[str, Path] = _NO_ENTRIES,
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
    _check_lengths(pairs, baselines)
    scorer = _CompositeScorer()
    scored_indices: list[int] = []
    scored: list[ScoredPair] = []
    for number, pair in enumerate(pairs):
        scored_pair = scorer.parse_pair(pair, pair.candidate)
        if scored_pair is not None:
            scored_indices.append(number)
            scored.append(scored_pair)
        on_progress(number + 1, len(pairs))
    if not scored:
        raise SettingsError(
            f"None of the {len(pairs)} pairs has both a reference and an output; nothing is scored."
        )
    patients, unscored = [pair.pair.patient for pair in scored], len(pairs) - len(scored)
    pairs_scored = [pair.pair for pair in scored]
    texts = [(pair.reference.text, pair.candidate.text) for pair in scored]
    faults_of_pairs = [scorer.find_faults(pair) for pair in scored]
    composite_scores = [
        scorer.score(pair, faults) for pair, faults in zip(scored, faults_of_pairs, strict=True)
    ]
    compared = [compare_claims(pair) for pair in scored]
    tally = FigureTable()
    notes = _add_composite_figures(tally, faults_of_pairs, composite_scores, patients, unscored)
    add_clinical_figures(tally, compared, patients, unscored)
    notes |= clinical.NOTES
    notes |= add_text_figures(tally, texts, patients, unscored)
    notes |= add_neural_figures(tally, pairs_scored, patients, unscored, weights)
    candidates = {name: [texts[i] for i in scored_indices] for name, texts in baselines.items()}
    others = _parse_baselines(scorer, scored, candidates, seed)
    notes |= add_baseline_figures(
        tally, scored, others, patients, unscored, composite_scores, scorer.score
    )
    return PartResult(
        tally.figures,
        [_case_of(*row) for row in zip(compared, faults_of_pairs, composite_scores, strict=True)],
        {name: note for name, note in notes.items() if name in tally.figures},
        f"{len(scored)} pairs of reports of {len(set(patients))} patients, {unscored} unscored",
        tally.counts,
        _plots_of(tally, composite_scores),
    )


def _check_lengths(pairs: Sequence[Pair], baselines: Mapping[str, Sequence[str | None]]) -> None:
    for name, candidates in baselines.items():
        if len(candidates) != len(pairs):
            raise SettingsError(
                f"The baseline {name!r} has {len(candidates)} reports for {len(pairs)} pairs; "
                "give one for each, in their order."
            )


def _parse_baselines(
    scorer: _CompositeScorer,
    scored: Sequence[ScoredPair],
    baselines: Mapping[str, Sequence[str | None]],
    seed: int,
) -> dict[str, list[ScoredPair | None]]:
    """Parse the same pairs with each baseline's candidates in place of the system's."""
    candidates = {
        FREQUENT: [most_frequent_report_of(scored)] * len(scored),
        PERMUTED: permute_candidates(scored, seed),
        **baselines,
    }
    return {
        name: [scorer.parse_pair(s.pair, text) for s, text in zip(scored, texts, strict=True)]
        for name, texts in candidates.items()
    }


def _add_composite_figures(
    tally: FigureTable,
    faults_of_pairs: Sequence[Sequence[Fault]],
    composite_scores: Sequence[float],
    patients: Sequence[str],
    unscored: int,
) -> dict[str, str]:
    """Add the mean score and the weighted errors a report, in all and by kind."""
    tally.add(MEAN, [[value, 1] for value in composite_scores], patients, "mean", unscored=unscored)
    kinds = [sum_by_kind(faults) for faults in faults_of_pairs]
    sums = {"weighted errors": [sum(kind.values()) for kind in kinds]}
    sums |= {kind: [faults[kind] for faults in kinds] for kind in KINDS}
    for name, weighted in sums.items():
        table = [[value, 1] for value in weighted]
        tally.add(f"composite/{name} a report", table, patients, "mean", unscored=unscored)
    return dict(_NOTES)


def _case_of(claims: PairClaims, faults: Sequence[Fault], composite_score: float) -> dict[str, Any]:
    def names_of(findings: Sequence[str]) -> list[str]:
        return [finding_named(finding).name for finding in findings]

    pair = claims.scored.pair
    return {
        "part": "report",
        "case": pair.case,
        "patient": pair.patient,
        "composite": round(composite_score, 6),
        "errors": [
            {"kind": f.kind, "finding": f.finding, "weight": round(f.weight, 4)} for f in faults
        ],
        "omissions": names_of(claims.omissions),
        "fabrications": names_of(claims.fabrications),
        "wrong_side": names_of(claims.wrong_sides),
        "invented_measurements": [
            f"{number:g} {unit}" for unit, number in claims.invented_measurements
        ],
        "reference": pair.reference,
        "draft": pair.candidate,
    }


def _plots_of(tally: FigureTable, composite_scores: Sequence[float]) -> dict[str, plot_data.Plot]:
    known = {finding_named(key).name for key in clinical.TIERS}
    figures = {
        name: tally.figures[f"clinical/{name}, F1"]
        for name in sorted(known)
        if f"clinical/{name}, F1" in tally.figures
    }
    return {
        "report/F1 by finding": plot_data.bar_plot("F1 of present findings", "F1", figures),
        "report/composite": plot_data.histogram_plot(
            composite_scores, [i / 20 for i in range(21)], title="Composite score of each report"
        ),
    }
