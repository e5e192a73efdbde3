"""Drafts any number of films into one line of JSON each.

This module knows rows and lines; every draft comes from `Assistant.draft_many`. A film that cannot
be read becomes a line with the reason, and the rest goes on. A run that was killed continues when
it is run again, and gives the same lines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from assistant.assistant import Assistant
from assistant.atomic import take_place
from assistant.batch.checkpoint import OutcomeCounts, RowFile, open_run, remove_run
from assistant.batch.manifest import (
    Manifest,
    RowListing,
    batch_row_of,
    find_manifest,
    list_rows,
    read_manifest,
)
from assistant.drafting.draft import DraftOptions
from assistant.drafting.schedule import BatchPlan
from assistant.drafting.sources import BatchRow, FailedStudy, FileSource
from assistant.drafting.study_files import may_be_film
from assistant.errors import LibraryError, SettingsError
from assistant.export.draft_json import draft_dict
from assistant.provenance import provenance_of
from assistant.types import OnProgress, OnText, Study
from retrieval import FolderRow
from retrieval.folders import TABLES

__all__ = [
    "TABLES",
    "BatchSummary",
    "FolderRow",
    "Manifest",
    "draft_folder",
    "draft_rows",
    "find_manifest",
    "may_be_film",
    "plan_of",
    "read_manifest",
]
BATCH_SIZE = 16  # films that are drafted together
WINDOW = 2  # batches that are read and sorted by draft length together


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """The counts of a batch that is done."""

    cases: int
    drafted: int
    failed: int  # films that could not be read; each has its line
    warned: int  # drafts whose film the backbone does not know
    refused: int = 0  # films that the gate refused: nothing is written of them

    @classmethod
    def from_counts(cls, counts: OutcomeCounts) -> BatchSummary:
        """The summary of the rows that were counted."""
        kinds = counts.kinds
        drafted = kinds["pass"] + kinds["warn"]
        return cls(kinds.total(), drafted, kinds["failed"], kinds["warn"], kinds["refuse"])


def draft_folder(
    assistant: Assistant,
    path: Path,
    out: Path,
    *,
    neighbours: int = 5,
    seed: int = 0,
    workers: int = 0,
    resume: bool = True,
    show_paths: bool = False,
    on_progress: OnProgress = lambda done, total: None,
) -> BatchSummary:
    """Draft every film of a manifest into a file of JSON lines, in the manifest's order.

    `path` is what `list_rows` takes. A line is `{"case": ..., "row": ..., "draft": ...}`, the
    draft as `wetread draft --json` gives it, or has `"error"`, the reason in a sentence, instead
    of the draft. No line names a file, unless `show_paths` is True: then it has the path as
    `"image"`. `workers` processes read the films. The file appears when it is complete; until then
    finished rows are in a folder beside it, and the same call continues from there, unless
    `resume` is False. The same films, versions, library and seed give the same lines but for the
    drafts' times. Raises SettingsError for no manifest, a file that cannot be written or that
    another run is writing, and where a run with another manifest, backbone, library or seed began
    it.
    """
    listing = replace(check_listing(path, out), show_paths=show_paths)
    plan = plan_of(neighbours, seed)
    header = run_header(assistant, listing, plan)
    folder = out.with_name(f".{out.name}.part")
    with open_run(folder, out, header, resume=resume):
        rows_file = folder / "rows.jsonl"
        with closing(RowFile(rows_file, plan.rows)) as file:
            on_progress(file.rows, listing.total)
            batch_rows = listing.rows(file.rows)
            for row in draft_lines(assistant, batch_rows, plan, workers, header["library"]):
                file.add(row)
                on_progress(file.rows, listing.total)
        take_place(rows_file, out)
        remove_run(folder)
    return BatchSummary.from_counts(file.counts)


def plan_of(
    neighbours: int = 5, seed: int = 0, *, batch: int = BATCH_SIZE, window: int = WINDOW
) -> BatchPlan:
    """The plan of a batch: `batch` films written together, of `window` times as many read."""
    return BatchPlan(DraftOptions(neighbours, seed), batch=batch, window=window)


def check_listing(path: Path, out: Path) -> RowListing:
    """The rows to draft; SettingsError where `out` would overwrite a part of them."""
    listing = list_rows(path)
    if out.is_dir():
        raise SettingsError(f"{out} is a folder; name a file for the drafts.")
    if listing.holds(out):
        raise SettingsError(f"{out} is part of the manifest; name another file for the drafts.")
    return listing


def run_header(assistant: Assistant, listing: RowListing, plan: BatchPlan) -> dict[str, Any]:
    """The header of a run: everything that decides its rows."""
    task = "report" if "report" in assistant.backbone.tasks else None
    provenance = provenance_of(
        assistant.backbone.identity_for(task), assistant.library, "", plan.options.seed
    )
    return {
        "manifest": f"{listing.kind} of {listing.total}, {listing.digest}",
        "backbone": f"{provenance.backbone} {provenance.revision}",
        "adapter": provenance.adapter,
        "library": provenance.library,
        "options": [
            *(plan.options.neighbours, plan.options.seed, plan.batch, plan.window),
            listing.show_paths,
        ],
        "versions": dict(provenance.versions),
    }


def draft_lines(
    assistant: Assistant,
    batch_rows: Iterable[BatchRow],
    plan: BatchPlan,
    workers: int = 0,
    library: str | None = None,
    on_text: OnText | None = None,
) -> Iterator[dict[str, Any]]:
    """One `{"case": ..., "row": ..., "draft" or "error": ...}` for each row, in order.

    Raises LibraryError where a draft rests on another snapshot of the library than `library`.
    """
    heads: deque[dict[str, str | int]] = deque()

    def sources() -> Iterator[FileSource | Study | FailedStudy]:
        for row in batch_rows:
            heads.append(row.head)
            yield row.source

    outcomes = assistant.draft_many(
        sources(),
        errors="give",
        neighbours=plan.options.neighbours,
        seed=plan.options.seed,
        batch=plan.batch,
        window=plan.window,
        workers=workers,
        on_text=on_text,
    )
    for outcome in outcomes:
        if isinstance(outcome, FailedStudy):
            yield {**heads.popleft(), "error": outcome.reason}
            continue
        if library is not None and outcome.provenance.library != library:
            raise LibraryError(
                "The library of cases was changed while the batch ran; leave it as it is, and "
                "begin anew with --no-resume."
            )
        yield {**heads.popleft(), "draft": draft_dict(outcome)}


def draft_rows(
    assistant: Assistant,
    manifest: Manifest,
    *,
    neighbours: int = 5,
    seed: int = 0,
    on_text: OnText | None = None,
    batch: int = BATCH_SIZE,
) -> Iterator[dict[str, Any]]:
    """Draft the films of a manifest, one `{"case": ..., "row": ..., "draft" or "error": ...}` each.

    `batch` films are drafted together. `case` is what the table calls the film, else "film 3", by
    its number from 1; no error names a file either. `on_text` is called, while a batch is written,
    with the text so far of its first film; what it raises (`Stopped`, say) ends the run and goes
    through.
    """
    names = (f"film {number}" for number in count(1))
    rows = (
        batch_row_of(row, row.case or name, name)
        for row, name in zip(manifest.rows, names, strict=False)
    )
    yield from draft_lines(
        assistant, rows, plan_of(neighbours, seed, batch=batch, window=1), on_text=on_text
    )
