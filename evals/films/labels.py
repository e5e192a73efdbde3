"""What is known of each film: its findings by the radiologist's report, by gold labels, by labels.

Present is positive, and what is not mentioned, or denied, is negative; what the report leaves open
is unscored. A table that names no finding, as NIH's "No Finding", says that nothing was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.vocabulary import NORMAL, finding_of_label
from assistant.labeller.labeller import find_assertions
from evals.data.real_films import FilmRecord
from evals.report.significance import TIERS

Truth = dict[str, bool | None]  # by finding: present; None: left open
BY_REPORT, BY_GOLD, BY_LABELS = "by report", "by gold labels", "by labels"
AGAINST_NORMAL = "by labels against No Finding"


@dataclass(frozen=True, slots=True, eq=False)
class KnownFindings:
    """What one source says about all films."""

    source: str
    findings: tuple[str, ...]  # that it can tell of
    known: tuple[Truth | None, ...]  # a film; None: the source is silent

    def column_of(self, finding: str) -> np.ndarray:
        """Whether a finding is present in each film, float (N,); NaN where that is not known."""
        return np.array(
            [
                np.nan
                if truth is None or (present := truth.get(finding, False)) is None
                else present
                for truth in self.known
            ],
            float,
        )


def abnormal_findings_in(record: FilmRecord) -> frozenset[str]:
    """The abnormal findings of a film by its report or, without one, by its labels."""
    if record.report.strip():
        truth = truth_of_report(record.report) or {}
    else:
        truth = _truth_of_labels(record.labels)
    return frozenset(
        f for f, present in truth.items() if present and TIERS.get(f, "device") != "device"
    )


def find_known(records: Sequence[FilmRecord]) -> list[KnownFindings]:
    """What each source that the table has says of the findings of its films."""
    sources = [_by_report(records), _by_gold(records), *_by_labels(records)]
    return [source for source in sources if any(truth is not None for truth in source.known)]


def truth_of_report(report: str) -> Truth | None:
    """The findings that a report names; None for an empty one."""
    if not report.strip():
        return None
    truth: Truth = {}
    for claim in find_assertions(report):
        if claim.polarity == "present":
            truth[claim.finding] = True
        elif claim.polarity == "uncertain":
            truth.setdefault(claim.finding, None)
    return truth


def _by_report(records: Sequence[FilmRecord]) -> KnownFindings:
    known = tuple(truth_of_report(record.report) for record in records)
    return KnownFindings(BY_REPORT, _findings_in(known), known)


def _by_gold(records: Sequence[FilmRecord]) -> KnownFindings:
    known = tuple(None if r.gold is None else _truth_of_labels(r.gold) for r in records)
    return KnownFindings(BY_GOLD, _findings_in(known), known)


def _by_labels(records: Sequence[FilmRecord]) -> Iterable[KnownFindings]:
    known = tuple(_truth_of_labels(r.labels, r.uncertain) if r.labelled else None for r in records)
    findings = _findings_in(known)
    yield KnownFindings(BY_LABELS, findings, known)
    is_normal = [truth is not None and truth.get(NORMAL) is True for truth in known]
    if any(is_normal):
        # A film with another finding and without this one says neither.
        against = tuple(
            truth if truth is None or normal else {f: truth.get(f) or None for f in findings}
            for truth, normal in zip(known, is_normal, strict=True)
        )
        yield KnownFindings(AGAINST_NORMAL, findings, against)


def _truth_of_labels(labels: Sequence[str], uncertain: Sequence[str] = ()) -> Truth:
    truth: Truth = {}
    for names, present in ((uncertain, None), (labels, True)):
        keys = (finding_of_label(name) for name in names)
        truth |= {key: present for key in keys if key is not None}
    return truth


def _findings_in(known: Iterable[Truth | None]) -> tuple[str, ...]:
    """The findings that are present in a film at least, in the order of the vocabulary."""
    present = {f for truth in known for f, is_present in (truth or {}).items() if is_present}
    return tuple(finding for finding in TIERS if finding in present)
