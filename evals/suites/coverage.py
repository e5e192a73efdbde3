"""What the labeller's vocabulary covers of what abnormal reports say, and what librarians coded.

A sentence is covered if the labeller reads a claim in it. Which sentences are abnormal is defined
without the labeller (`evals.data.abnormal`). The reports are those of the Open-i collection; only
their ids are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from assistant.chest.mesh import MESH_FINDINGS
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion
from evals.bootstrap import ratio
from evals.data import openi
from evals.data.abnormal import SAYS_NOTHING, abnormal_sentences, words_of_sentence
from evals.data.openi import CodedReport
from evals.results import Bar, Figure, PartResult, compute_figure, figure_of

BARS = {"coverage/abnormal sentences with a claim, train": Bar("at least", 0.95)}
SPLITS = ("train", "val", "extra")
_LONGEST_NGRAM = 3
_NO_CASES = f"unscored: the folder has no {openi.CASES}"


def measure(*, data: Path, n: int | None, on_progress: Callable[[int, int], None]) -> PartResult:
    """Measure how many abnormal sentences of the Open-i reports carry a claim, for each split.

    A claim of any polarity covers a sentence; the share with a present or possible finding is
    given too. The codes check: of the MeSH codes of abnormal reports that name a finding of the
    vocabulary, the share that the labeller finds, present or possible. `n` limits the reports of
    each split. Intervals are by patient. Raises SettingsError where a file cannot be read.
    """
    reports = openi.read_coded(data)
    if not reports:
        name = next(iter(BARS))
        return PartResult({name: figure_of(None, 0)}, (), {name: _NO_CASES}, "no coded reports")
    figures: dict[str, Figure] = {}
    for number, split in enumerate(SPLITS):
        chosen = _limit(reports, split, n)
        rows = [(report, find_assertions(text)) for report, text in chosen]
        patients = [report.patient for report, _ in rows]
        for title, is_covered in (
            (f"abnormal sentences with a claim, {split}", bool),
            (f"abnormal sentences with a present or possible finding, {split}", _is_positive),
        ):
            counts = np.array([(is_covered(claims), 1) for _, claims in rows], int).reshape(-1, 2)
            figures[f"coverage/{title}"] = compute_figure(counts, patients, ratio)
        figures[f"coverage/coded findings that are read, {split}"] = _find_coded(reports, split)
        on_progress(number + 1, len(SPLITS))
    return PartResult(figures, (), {}, f"Open-i reports with MeSH codes, {len(reports)} read")


def list_uncovered(data: Path, most: int, split: str = SPLITS[0]) -> list[tuple[str, int]]:
    """List the commonest abnormal sentences without a claim, and then their commonest word groups.

    As (text, count), lower case and without numbers, `most` of each, the commonest first. The text
    is that of reports: it is for the reader's screen, and is kept nowhere. Raises SettingsError
    where the folder has no coded reports.
    """
    reports = openi.read_coded(data)
    sentences = [
        words_of_sentence(text)
        for _, text in abnormal_sentences(reports, split)
        if not find_assertions(text)
    ]
    groups = Counter(
        " ".join(group)
        for words in sentences
        for length in range(1, _LONGEST_NGRAM + 1)
        for group in {words[i : i + length] for i in range(len(words) - length + 1)}
        if not SAYS_NOTHING.issuperset(group)
    )
    whole = Counter(" ".join(words) for words in sentences)
    return whole.most_common(most) + groups.most_common(most)


def _limit(
    reports: Sequence[CodedReport], split: str, n: int | None
) -> list[tuple[CodedReport, str]]:
    """Return the abnormal sentences of the first `n` abnormal reports of a split, or of all."""
    sentences = abnormal_sentences(reports, split)
    names = list(dict.fromkeys(report.name for report, _ in sentences))[:n]
    kept = frozenset(names)
    return [(report, text) for report, text in sentences if report.name in kept]


def _is_positive(claims: Sequence[Assertion]) -> bool:
    return any(claim.polarity != "absent" for claim in claims)


def _find_coded(reports: Sequence[CodedReport], split: str) -> Figure:
    """The share of the coded findings of a split's reports that the labeller finds in them."""
    rows, patients = [], []
    for report in reports:
        wanted = [keys for code in report.codes if (keys := MESH_FINDINGS.get(_head_of(code)))]
        if report.split != split or not wanted:
            continue
        claims = find_assertions(f"{report.findings}\n{report.impression}")
        found = {claim.finding for claim in claims if claim.polarity != "absent"}
        rows.append((sum(not found.isdisjoint(keys) for keys in wanted), len(wanted)))
        patients.append(report.patient)
    return compute_figure(np.array(rows, int).reshape(-1, 2), patients, ratio)


def _head_of(code: str) -> str:
    return code.split("/")[0].strip().casefold()
