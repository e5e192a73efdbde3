"""Drafts of real films against the radiologists' reports: text metrics and claims, with baselines.

One film a report is scored, the first frontal of its study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion
from evals.data.real_films import FilmRecord
from evals.films.published import PUBLISHED, TEST_SET
from evals.films.r2gen import (
    BLEU,
    METEOR,
    ROUGE,
    add_text_metrics,
    candidate_words,
    reference_words,
    vocabulary_of,
)
from evals.films.readings import DraftedSentence, FilmReading
from evals.plot_data import Plot, bar_plot
from evals.report.claims import collect_claims, count_claim_matches
from evals.results import FigureTable, figure_of

DRAFT, SHOWN = "draft", "draft as shown"
FREQUENT, NEAREST, PERMUTED, HEALTHY = (
    "most frequent report",
    "nearest case's report",
    "drafts of other films",
    "always normal",
)
NORMAL_REPORT = (
    "The heart is normal in size. The mediastinum is unremarkable. The lungs are clear. "
    "There is no pleural effusion or pneumothorax. The bones are intact."
)
SIDED = "present with side, micro-{}"
ABOVE = "present with side, micro-F1 above {}"


@dataclass(frozen=True, slots=True)
class Text:
    """A report or draft as it is scored: its findings section, and the claims of all of it."""

    findings: str
    claims: tuple[Assertion, ...]


@dataclass(frozen=True, slots=True)
class KnownReports:
    """The reports from which baselines and vocabulary are taken."""

    texts: tuple[Text, ...]
    nearest: Mapping[int, Text]  # by the number of a film: the report of the nearest case
    trained: bool  # whether they are of training films, and not of the scored ones
    material: str  # in words


@dataclass(frozen=True, slots=True)
class ReportScores:
    """Figures with their counts, notes and plots."""

    tally: FigureTable
    notes: dict[str, str] = field(default_factory=dict)
    plots: dict[str, Plot] = field(default_factory=dict)


def text_of_report(record: FilmRecord) -> Text:
    """A radiologist's report as it is scored."""
    return Text(record.findings, find_assertions(record.report))


def text_of_draft(sentences: Sequence[DraftedSentence]) -> Text:
    """A draft as it is scored; the findings section alone goes into the text metrics."""
    findings = " ".join(s.text for s in sentences if s.section == "findings")
    return Text(findings, tuple(claim for s in sentences for claim in s.claims))


def count_claims(record: FilmRecord, reading: FilmReading) -> list[int]:
    """True and false positives, and false negatives of a draft's present claims with side."""
    return _count(text_of_report(record), text_of_draft(_sentences(reading)))


def first_films(records: Sequence[FilmRecord]) -> list[int]:
    """The number of the first film of each study that has a report."""
    numbers: dict[str, int] = {}
    for number, record in enumerate(records):
        if record.report.strip():
            numbers.setdefault(record.study, number)
    return list(numbers.values())


def most_frequent_of(texts: Sequence[Text]) -> Text | None:
    """The report whose findings section most reports share word for word, the first of equals."""
    counts = Counter(text.findings.casefold().strip() for text in texts if text.findings.strip())
    if not counts:
        return None
    wanted = counts.most_common(1)[0][0]
    return next(text for text in texts if text.findings.casefold().strip() == wanted)


def score_reports(
    records: Sequence[FilmRecord],
    readings: Sequence[FilmReading | None],
    known: KnownReports,
    seed: int,
) -> ReportScores:
    """Score the drafts and every baseline against the reports, study by study."""
    studies = first_films(records)
    readable = [
        n for n in studies if (reading := readings[n]) is not None and reading.sentences is not None
    ]
    references = [text_of_report(records[n]) for n in readable]
    drafts = [text_of_draft(_sentences(readings[n])) for n in readable]
    shown = [text_of_draft([s for s in _sentences(readings[n]) if s.shown]) for n in readable]
    frequent, healthy = most_frequent_of(known.texts), _normal_text()
    systems: dict[str, Sequence[Text | None]] = {
        DRAFT: drafts,
        SHOWN: shown,
        FREQUENT: [frequent] * len(readable),
        NEAREST: [known.nearest.get(n) for n in readable],
        PERMUTED: _permute(drafts, seed),
        HEALTHY: [healthy] * len(readable),
    }
    vocabulary = vocabulary_of(t.findings for t in known.texts) if known.trained else frozenset()
    patients = [records[n].patient for n in readable]
    scores = ReportScores(FigureTable())
    missing = len(studies) - len(readable)
    for system, texts in systems.items():
        _score_text(scores, system, references, texts, patients, missing, vocabulary)
    for system, texts in systems.items():
        _score_claims(scores, system, references, texts, patients, missing)
    for system in (FREQUENT, NEAREST, PERMUTED, HEALTHY):
        _score_lead(scores, system, references, (drafts, systems[system]), patients, missing)
    _add_notes(scores, known, bool(vocabulary))
    return scores


def _sentences(reading: FilmReading | None) -> tuple[DraftedSentence, ...]:
    return () if reading is None or reading.sentences is None else reading.sentences


def _normal_text() -> Text:
    return Text(NORMAL_REPORT, find_assertions(NORMAL_REPORT))


def _permute(drafts: Sequence[Text], seed: int) -> list[Text | None]:
    """Each film with the draft of another, in a random cycle; None where there is no other."""
    permuted: list[Text | None] = [None] * len(drafts)
    if len(drafts) > 1:
        order = np.random.default_rng(seed).permutation(len(drafts))
        for own, other in zip(order, np.roll(order, 1), strict=True):
            permuted[own] = drafts[other]
    return permuted


def _score_text(
    scores: ReportScores,
    system: str,
    references: Sequence[Text],
    texts: Sequence[Text | None],
    patients: Sequence[str],
    missing: int,
    vocabulary: frozenset[str],
) -> None:
    """The text metrics, over the studies whose report has a findings section."""
    rows = [
        ((reference_words(r.findings, vocabulary), candidate_words(t.findings)), patient)
        for r, t, patient in zip(references, texts, patients, strict=True)
        if t is not None and r.findings.strip()
    ]
    unscored = missing + len(references) - len(rows)
    notes = add_text_metrics(
        scores.tally, _prefix(system), [p for p, _ in rows], [p for _, p in rows], unscored
    )
    if system == DRAFT:
        scores.notes.update(notes)


def _score_claims(
    scores: ReportScores,
    system: str,
    references: Sequence[Text],
    texts: Sequence[Text | None],
    patients: Sequence[str],
    missing: int,
) -> None:
    rows = [
        (_count(reference, text), patient)
        for reference, text, patient in zip(references, texts, patients, strict=True)
        if text is not None
    ]
    unscored = missing + len(references) - len(rows)
    counts, kept = [c for c, _ in rows], [p for _, p in rows]
    for statistic, name in (("f1", "F1"), ("precision", "precision"), ("recall", "recall")):
        figure = _prefix(system) + SIDED.format(name)
        scores.tally.add(figure, counts, kept, statistic, unscored=unscored)


def _score_lead(
    scores: ReportScores,
    system: str,
    references: Sequence[Text],
    both: tuple[Sequence[Text], Sequence[Text | None]],
    patients: Sequence[str],
    missing: int,
) -> None:
    """By how much the draft is above a baseline, over the studies that both have."""
    rows = [
        ([*_count(reference, draft), *_count(reference, text)], patient)
        for reference, draft, text, patient in zip(references, *both, patients, strict=True)
        if text is not None
    ]
    name = ABOVE.format(system)
    unscored = missing + len(references) - len(rows)
    counts, kept = [c for c, _ in rows], [p for _, p in rows]
    scores.tally.add(name, counts, kept, "f1_gain", unscored=unscored)
    low = scores.tally.figures[name]["ci_low"]
    if low is None or low <= 0:
        scores.notes[name] = "the draft does not beat this baseline: the interval is not above 0"


def _count(reference: Text, text: Text) -> list[int]:
    return count_claim_matches(collect_claims(text.claims), collect_claims(reference.claims))


def _prefix(system: str) -> str:
    """What stands before a measure's name; nothing for the draft as it was written."""
    return "" if system == DRAFT else f"{system}: "


def _add_notes(scores: ReportScores, known: KnownReports, has_vocabulary: bool) -> None:
    figures = scores.tally.figures
    scores.notes[BLEU.format(4)] = (
        "by R2Gen's protocol: findings section, cleaned, lower case, the COCO evaluation's BLEU; "
        + ("words under three times in the training reports are <unk>" if has_vocabulary else
           "without training reports no word is <unk>, unlike there")
        + "; a rare word of a draft stays as it is, and studies are drafted from one frontal film"
    )  # fmt: skip
    scores.notes[_prefix(FREQUENT) + ROUGE] = f"of {known.material}"
    scores.notes[_prefix(NEAREST) + ROUGE] = f"by the encoder's embedding, among {known.material}"
    scores.notes[SIDED.format("F1")] = (
        "present claims of the whole draft with their side against those of the whole report; "
        "'as shown' leaves out what is withheld"
    )
    for result in PUBLISHED:
        scores.notes[f"published: {result.system}"] = result.text
    scores.notes["published"] = TEST_SET
    for measure in (BLEU.format(4), METEOR, ROUGE):
        names = {system: _prefix(system) + measure for system in
                 (DRAFT, FREQUENT, NEAREST, PERMUTED, HEALTHY)}  # fmt: skip
        bars = {system: figures[name] for system, name in names.items()}
        for result in PUBLISHED:
            value = {BLEU.format(4): result.bleu[3], METEOR: result.meteor, ROUGE: result.rouge_l}
            bars[f"{result.system}, published"] = figure_of(value[measure], 0)
        title = f"{measure} of drafts, baselines and published systems"
        scores.plots[measure] = bar_plot(title, measure, bars)
