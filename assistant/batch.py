"""Drafts of a whole folder of films, one line of JSON a case.

It knows tables and lines; every draft comes from `Assistant.draft_many`. A film that cannot be
read becomes a line that says why, and the rest goes on.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError, WetreadError
from assistant.exports import draft_dict
from assistant.intake import read_film
from assistant.types import Study
from assistant.walk import Assistant
from retrieval import FolderRow, read_folder
from retrieval.folders import TABLES

SIZE = 8  # films that are drafted together


@dataclass(frozen=True, slots=True)
class Drafted:
    """How drafting a folder went."""

    cases: int
    drafted: int
    failed: int  # films that could not be read; each has its line
    warned: int  # drafts whose film the backbone does not know
    refused: int = 0  # films that the gate refused: nothing is written of them


@dataclass(frozen=True, slots=True)
class Manifest:
    """The films of a folder, in the order of its table."""

    folder: Path
    table: Path | None  # None: a table in each folder of a split
    rows: tuple[FolderRow, ...]
    indications: Mapping[int, str]  # by the row's number


def read_manifest(path: Path) -> Manifest:
    """Read a folder's table of films; `path` is the folder or the table.

    The table is that of `retrieval.read_folder`; a `cases.csv` or `metadata.csv` may have a
    column `indication` too. Raises SettingsError where there is no such table, LibraryError
    naming the row for one that cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if not path.is_dir() and path != table:
        raise SettingsError(
            f"{path} is no manifest; name a folder that holds {' or '.join(TABLES)}, or that file."
        )
    rows = read_folder(folder)
    return Manifest(folder, table, rows, _indications(table) if table else {})


def _indications(table: Path) -> dict[int, str]:
    """The column `indication` by the number of the row, as a spreadsheet counts."""
    if table.suffix != ".csv":
        return {}
    with table.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        header = [name.strip().lower() for name in next(rows)]
        if "indication" not in header:
            return {}
        at = header.index("indication")
        return {number: row[at].strip() for number, row in enumerate(rows, start=2) if row[at:]}


def draft_folder(
    assistant: Assistant,
    path: Path,
    out: Path,
    *,
    neighbours: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Drafted:
    """Draft every film of a manifest into a file of JSON lines, in the manifest's order.

    A line is `{"image": ..., "draft": ...}`, the draft as `wetread draft --json` gives it, or
    `{"image": ..., "error": ...}` with the sentence that says why there is none. The file is
    written beside its place and renamed when it is whole. The same films, versions, library and
    seed give the same lines but for the drafts' times. Raises SettingsError for no manifest or a
    file that cannot be written.
    """
    manifest = read_manifest(path)
    taken = [row.image for row in manifest.rows] + ([manifest.table] if manifest.table else [])
    if out.resolve() in {file.resolve() for file in taken}:
        raise SettingsError(f"{out} is part of the manifest; name another file for the drafts.")
    beside = out.with_name(f".{out.name}.part")
    total, failed = len(manifest.rows), 0
    gates: Counter[str] = Counter()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as lines:
            for done, line in enumerate(_lines(assistant, manifest, neighbours, seed), start=1):
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                failed += "error" in line
                if "draft" in line:
                    gates[line["draft"]["gate"]["answer"]] += 1
                progress(done, total)
        beside.replace(out)
    except OSError as error:
        raise SettingsError(f"{out} cannot be written ({error.strerror}); name another.") from None
    finally:
        with suppress(OSError):  # renamed already, or never made
            beside.unlink()
    drafted = total - failed - gates["refuse"]
    return Drafted(total, drafted, failed, gates["warn"], gates["refuse"])


def _lines(
    assistant: Assistant, manifest: Manifest, neighbours: int, seed: int
) -> Iterator[dict[str, Any]]:
    for start in range(0, len(manifest.rows), SIZE):
        rows = manifest.rows[start : start + SIZE]
        read = [_study(row, manifest.indications.get(row.row, "")) for row in rows]
        studies = [study for study in read if isinstance(study, Study)]
        drafts = assistant.draft_many(studies, neighbours=neighbours, seed=seed, batch=SIZE)
        for row, study in zip(rows, read, strict=True):
            image = row.image.relative_to(manifest.folder).as_posix()
            if isinstance(study, Study):
                yield {"image": image, "draft": draft_dict(next(drafts))}
            else:
                yield {"image": image, "error": study}


def _study(row: FolderRow, indication: str) -> Study | str:
    """The study of a row, or the sentence that says why there is none."""
    try:
        return Study((read_film(row.image),), indication)
    except WetreadError as error:
        return str(error)
