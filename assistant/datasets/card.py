"""What stands beside a case folder: the set's licence and citation, what was read, what was not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.datasets.case import DatasetInfo

SCHEMA = "wetread.cases/1"
CARD, NOTICE = "source.json", "SOURCE.md"
_BOXES = "label, left, top, width and height, in fractions of the film from its top left corner"
_MOST_LISTED = 12  # labels on one line


@dataclass(frozen=True, slots=True)
class CaseFolder:
    """What was written, and what was not."""

    folder: Path
    info: DatasetInfo
    films: int  # rows of cases.csv
    laterals: int  # rows of laterals.csv
    patients: int  # distinct known ones
    counts: tuple[tuple[str, int], ...]  # rows of cases.csv that have something, in words
    splits: tuple[tuple[str, int], ...]
    labels: tuple[tuple[str, int], ...]  # findings present, the most frequent first
    other_labels: tuple[tuple[str, int], ...]  # labels that name no finding
    left_out: tuple[tuple[str, int], ...]  # by reason


def card_of(written: CaseFolder) -> dict[str, Any]:
    """The summary as JSON: what `source.json` holds, and what the command prints with --json."""
    info = written.info
    return {
        "schema": SCHEMA,
        "set": info.name,
        "title": info.title,
        "licence": info.licence,
        "citation": info.citation,
        "url": info.url,
        "language": info.language,
        "labels_from": info.labels,
        "follow_up": info.order,
        "boxes": _BOXES,
        "films": written.films,
        "laterals": written.laterals,
        "patients": written.patients,
        "counts": dict(written.counts),
        "splits": dict(written.splits),
        "labels": dict(written.labels),
        "other_labels": dict(written.other_labels),
        "left_out": dict(written.left_out),
    }


def notice_of(written: CaseFolder) -> str:
    """The text of `SOURCE.md`."""
    info = written.info
    return "\n".join(
        [
            f"# {info.title}",
            "",
            f"Made by `wetread cases {info.name}` from {info.url}. The films and their reports "
            "stay under the licence of the set.",
            "",
            f"- Licence: {info.licence}",
            f"- Cite: {info.citation}",
            "",
            "## What is here",
            "",
            *(f"- {line}" for line in lines_of(written)),
            f"- Labels: {info.labels}",
            f"- `follow_up`: {info.order or 'empty; the set states no order'}",
            f"- Boxes: {_BOXES}",
            "- Patients, studies and cases are called by hashes; no date is kept",
            "",
        ]
    )


def lines_of(written: CaseFolder) -> Iterator[str]:
    """What was written and what was left out, a line each, for a person."""
    yield (
        f"{written.films} films of {written.patients or 'unknown'} patients, "
        f"{written.laterals} lateral views"
    )
    if written.counts:
        yield "films " + ", ".join(f"{name}: {count}" for name, count in written.counts)
    if [name for name, _ in written.splits] != ["none"]:
        yield "split: " + ", ".join(f"{name} {count}" for name, count in written.splits)
    for title, labels in (
        ("findings", written.labels),
        ("labels that name no finding", written.other_labels),
    ):
        if labels:
            listed = ", ".join(f"{name} {count}" for name, count in labels[:_MOST_LISTED])
            more = f" and {len(labels) - _MOST_LISTED} more" if len(labels) > _MOST_LISTED else ""
            yield f"{title}: {listed}{more}"
    for reason, count in written.left_out:
        yield f"left out: {reason}: {count}"
