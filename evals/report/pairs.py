"""Pairs of reports to be scored: a reference, and what a system wrote in its place.

It reads outputs made anywhere, as lines of JSON. What a report says is not known here. Patients
become numbers as they are read, in the order of the file: their ids go nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.batch.run import read_manifest
from assistant.errors import SettingsError

PREDICTION = ("prediction", "report", "candidate", "text")  # the first of these that a line has


@dataclass(frozen=True, slots=True)
class Pair:
    """One case: what its radiologist wrote, and what a system did."""

    case: str
    patient: str  # films of one patient are not independent; no id
    reference: str
    candidate: str | None  # None: no output, which is unscored; empty: it has missed everything
    indication: str = ""
    prior: str = ""  # the report of the earlier film that the system was given; empty: none

    @property
    def scored(self) -> bool:
        """Whether there is anything to score: an output, and a reference that says something."""
        return self.candidate is not None and bool(self.reference.strip())


def read_predictions(path: Path, data: Path | None = None) -> tuple[Pair, ...]:
    """The pairs of a file of JSON lines, in its order.

    A line has `case`, `reference` and `prediction` (or `report`, `candidate` or `text`; null or
    missing is no output), perhaps `patient`, `indication` and `prior`. A line of `wetread batch`
    has `image` and `draft` or `error`. A line without `reference` takes that of its `image`, or
    its `case`, in the table of the folder `data`, and its patient. Raises SettingsError naming
    the line that does not hold, LibraryError for a table that cannot be read.
    """
    known = {} if data is None else _references(data)
    numbers: dict[str, str] = {}
    made: list[Pair] = []
    seen: set[str] = set()
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        case = _text(line, "case", where) or _text(line, "image", where)
        if not case:
            raise SettingsError(f'{where}: there is no case; give each line a "case" or "image".')
        if case in seen:
            raise SettingsError(f"{where}: the case {case!r} was there before; give each one line.")
        seen.add(case)
        reference, patient = _text(line, "reference", where), _text(line, "patient", where)
        if reference is None:
            if case not in known:
                raise SettingsError(
                    f'{where}: there is no reference for {case!r}; give the line a "reference", '
                    "or name the folder whose table has its report with --data."
                )
            reference, theirs = known[case]
            patient = patient or theirs
        made.append(
            Pair(
                case=case,
                # A case of an unknown patient is a patient of its own.
                patient=numbers.setdefault(patient or f"case {case}", str(len(numbers) + 1)),
                reference=reference,
                candidate=_drafted(line, where) if "image" in line else _prediction(line, where),
                indication=_text(line, "indication", where) or "",
                prior=_text(line, "prior", where) or "",
            )
        )
    if not made:
        raise SettingsError(f"{path} has no lines; write one line of JSON for each case.")
    return tuple(made)


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); name another.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text in UTF-8; save it as such.") from None
    # Not splitlines(): a line of JSON may hold other marks that end a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise SettingsError(
                f"{path}, line {number} is not JSON; write one object a line."
            ) from None
        if not isinstance(found, dict):
            raise SettingsError(f"{path}, line {number} is no object; write one object a line.")
        yield number, found


def _text(line: Mapping[str, Any], key: str, where: str) -> str | None:
    """What a line has under a key; numbers may name a case or a patient."""
    value = line.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and key in ("case", "patient"):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f'{where}: "{key}" is not text; put it in quotes.')
    return value


def _prediction(line: Mapping[str, Any], where: str) -> str | None:
    key = next((key for key in PREDICTION if key in line), None)
    return None if key is None else _text(line, key, where)


def _drafted(line: Mapping[str, Any], where: str) -> str | None:
    """The text of a draft as `wetread batch` writes it, without what it withholds.

    A film that could not be read or that the gate refused has none.
    """
    draft = line.get("draft")
    if draft is None:
        return _prediction(line, where)
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


def _references(data: Path) -> dict[str, tuple[str, str | None]]:
    """The report and the patient of every film of a folder's table, by its path and by its name."""
    manifest = read_manifest(data)
    found: dict[str, tuple[str, str | None]] = {}
    for row in manifest.rows:
        for name in (row.image.relative_to(manifest.folder).as_posix(), row.image.stem):
            found.setdefault(name, (row.report, row.patient))
    return found
