"""Pairs of reports to be scored: a reference, and the report of a system.

This module reads the outputs of any system from lines of JSON, and knows nothing of what a report
says. It replaces patient ids by numbers, in the order of the file; the ids go no further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.batch.manifest import list_rows, read_manifest
from assistant.errors import SettingsError
from assistant.parsing import read_text
from retrieval.parsing import RepeatedKey, parse_json

MAX_PREDICTIONS = 4_000_000_000  # bytes; a line of `wetread batch` has some tens of thousands
PREDICTION = ("prediction", "report", "candidate", "text")  # the first of these that a line has


@dataclass(frozen=True, slots=True)
class Pair:
    """One case: the radiologist's report and the system's."""

    case: str
    patient: str  # films of one patient are not independent; no id
    reference: str
    candidate: str | None  # None: no output, which is unscored; empty: it has missed everything
    indication: str = ""
    prior: str = ""  # the report of the earlier film that the system was given; empty: none

    @property
    def can_be_scored(self) -> bool:
        """Whether there is anything to score: an output, and a reference that says something."""
        return self.candidate is not None and bool(self.reference.strip())


def read_predictions(path: Path, data: Path | None = None) -> tuple[Pair, ...]:
    """Read the pairs of a file of JSON lines, in its order.

    A line has `case`, `reference` and `prediction` (or `report`, `candidate` or `text`; null or
    missing is no output), perhaps `patient`, `indication` and `prior`. A line of `wetread batch`
    has `case` and `draft` or `error`. A line without `reference` takes that of its `case`, or its
    `image`, in the table of the folder `data`, and its patient. Raises SettingsError naming
    the line that does not hold, LibraryError for a table that cannot be read.
    """
    references = {} if data is None else _read_references(data)
    numbers: dict[str, str] = {}
    pairs: list[Pair] = []
    cases: set[str] = set()
    for number, line in _read_lines(path):
        where = f"{path}, line {number}"
        case = _text_field_of(line, "case", where) or _text_field_of(line, "image", where)
        if not case:
            raise SettingsError(f'{where}: there is no case; give each line a "case" or "image".')
        if case in cases:
            raise SettingsError(f"{where}: the case was there before; give each one line.")
        cases.add(case)
        reference, patient = (
            _text_field_of(line, "reference", where),
            _text_field_of(line, "patient", where),
        )
        if reference is None:
            image = _text_field_of(line, "image", where)
            found = references.get(case) or references.get(image or "")
            if found is None:
                raise SettingsError(
                    f'{where}: there is no reference for its case; give the line a "reference", '
                    "or name the folder whose table has its report with --data."
                )
            reference, table_patient = found
            patient = patient or table_patient
        pairs.append(
            Pair(
                case=case,
                # A case of an unknown patient is a patient of its own.
                patient=numbers.setdefault(patient or f"case {case}", str(len(numbers) + 1)),
                reference=reference,
                candidate=_draft_text_of(line, where)
                if "draft" in line or "error" in line
                else _prediction_text_of(line, where),
                indication=_text_field_of(line, "indication", where) or "",
                prior=_text_field_of(line, "prior", where) or "",
            )
        )
    if not pairs:
        raise SettingsError(f"{path} has no lines; write one line of JSON for each case.")
    return tuple(pairs)


def _read_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    text = read_text(path, most=MAX_PREDICTIONS)
    # Not splitlines(): a line of JSON may hold other marks that end a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = parse_json(line, unique=True)
        except RepeatedKey as key:
            raise SettingsError(f"{path}, line {number} has {str(key)[:40]!r} twice.") from None
        except ValueError:
            raise SettingsError(
                f"{path}, line {number} is not JSON; write one object a line."
            ) from None
        if not isinstance(record, dict):
            raise SettingsError(f"{path}, line {number} is no object; write one object a line.")
        yield number, record


def _text_field_of(line: Mapping[str, Any], key: str, where: str) -> str | None:
    """The text of a line under a key; a case or patient may be a number."""
    value = line.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and key in ("case", "patient"):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f'{where}: "{key}" is not text; put it in quotes.')
    return value


def _prediction_text_of(line: Mapping[str, Any], where: str) -> str | None:
    key = next((key for key in PREDICTION if key in line), None)
    return None if key is None else _text_field_of(line, key, where)


def _draft_text_of(line: Mapping[str, Any], where: str) -> str | None:
    """The text of a draft from `wetread batch`, without the withheld sentences.

    None where the film could not be read or the gate refused it.
    """
    draft = line.get("draft")
    if draft is None:
        return _prediction_text_of(line, where)
    try:
        if draft["gate"]["answer"] == "refuse":
            return None
        shown = [s for s in draft["sentences"] if s["action"] != "withhold"]
        sections = {
            name: " ".join(s["text"] for s in shown if s["section"] == name)
            for name in ("findings", "impression")
        }
    except (KeyError, TypeError):
        raise SettingsError(
            f"{where}: the draft is not in the form of `wetread batch`; write it with that command."
        ) from None
    return "\n".join(f"{name.capitalize()}: {text}" for name, text in sections.items() if text)


def _read_references(data: Path) -> dict[str, tuple[str, str | None]]:
    """Return report and patient of every film in a folder's table, by its case, path and name."""
    listing = list_rows(data)
    references: dict[str, tuple[str, str | None]] = {}
    for row in read_manifest(data).rows:
        path = row.image.relative_to(listing.folder)
        for name in (listing.case_of_row(row), path.as_posix(), path.stem):
            references.setdefault(name, (row.report, row.patient))
    return references
