"""Training cases: films with their texts and claims, from phantoms or from the user's folder.

All films of a patient are either in training or in validation. Patient ids are hashed when they
are read. Films are cached as square uint8 arrays, so that a resumed run reads no file again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from adapters.adapter_recipe import FolderData, PhantomData
from adapters.data.folder_films import (
    TEST_MARKS,
    VALIDATION_MARKS,
    FolderFilm,
    list_films,
    load_films,
)
from adapters.data.phantom_arrays import assertions_of, load_phantom_arrays
from assistant.chest.vocabulary import finding_of_label
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from assistant.labeller.sentences import is_comparison, parse_sentences
from assistant.labeller.summary import summarise
from assistant.types import Assertion, Film, OnMessage


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """The texts and the known claims of one film.

    Its representation is part of the data's hash (`Cases.sha256`): a renamed field changes it.
    """

    patient: str  # a hash
    findings: str = ""
    impression: str = ""
    indication: str = ""
    caption: str = ""
    site: str = ""
    claims: tuple[Assertion, ...] = ()
    prior: tuple[Assertion, ...] | None = None  # the claims of an earlier film
    tube: tuple[tuple[str, str], ...] = ()  # devices, and where their tips lie
    complete: bool = False  # whether the claims are the whole truth of the film
    reading: str = ""  # the findings of the base's probe as text, if the base has one
    library_id: str = ""  # of a case from a library

    @property
    def report(self) -> str:
        """Both sections as in a draft; empty without any."""
        parts = (("Findings", self.findings), ("Impression", self.impression))
        return "\n".join(f"{title}: {text}" for title, text in parts if text)


class Pictures:
    """Films of one edge length, uint8 (H, H) each, from one or more arrays."""

    def __init__(self, parts: Sequence[np.ndarray], indices: Sequence[int] | None = None) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self._indices = range(int(self._starts[-1])) if indices is None else tuple(indices)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> np.ndarray:
        position = self._indices[index]
        part = int(np.searchsorted(self._starts, position, side="right")) - 1
        return np.asarray(self._parts[part][position - self._starts[part]])

    def joined(self, other: Pictures) -> Pictures:
        """These films, and then those of another set."""
        offset = int(self._starts[-1])
        indices = [*self._indices, *(offset + i for i in other._indices)]
        return Pictures([*self._parts, *other._parts], indices)

    def select(self, indices: Sequence[int]) -> Pictures:
        """Some of the films, in the order of `indices`."""
        return Pictures(self._parts, [self._indices[i] for i in indices])

    def film(self, index: int) -> Film:
        """The film as intake would give it."""
        picture = self[index]
        pixels = picture.astype(np.float32) / 255
        pixels.setflags(write=False)
        return Film(pixels, hashlib.sha256(picture.tobytes()).hexdigest())


@dataclass(frozen=True, slots=True, eq=False)
class CaseSet:
    """Cases with their films, in the same order."""

    cases: tuple[TrainingCase, ...]
    pictures: Pictures
    cover: np.ndarray | None = None  # bool (N, P): patches covered by a finding or device, if known

    def __len__(self) -> int:
        return len(self.cases)

    def film(self, index: int) -> Film:
        """The film as intake would give it; a library case's film gets a sha256 from its id."""
        film = self.pictures.film(index)
        library_id = self.cases[index].library_id
        return replace(film, sha256=library_id.ljust(64, "0")) if library_id else film

    def select(self, indices: Sequence[int]) -> CaseSet:
        """Some of the cases, in the order of `indices`."""
        cover = None if self.cover is None else self.cover[list(indices)]
        return CaseSet(tuple(self.cases[i] for i in indices), self.pictures.select(indices), cover)


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """The cases that an adapter is trained on, and those that it is measured on."""

    train: CaseSet
    validation: CaseSet
    sha256: str  # of films and texts
    description: str
    drawn: tuple[TrainingCase, ...] = ()  # without films, for the steps that learn text


def join_cases(first: CaseSet, second: CaseSet) -> CaseSet:
    """Two sets as one; where the cover of one is not known, that of none is."""
    return CaseSet((*first.cases, *second.cases), first.pictures.joined(second.pictures))


def load_cases(
    data: PhantomData | FolderData, folder: Path, *, seed: int, edge: int, on_message: OnMessage
) -> Cases:
    """Load the cases of a recipe; `folder` caches their films, `edge` pixels along each side.

    (Phantoms keep the size in which they are drawn.) Films that cannot be read are left out and
    counted. Raises SettingsError or LibraryError for an invalid folder.
    """
    if isinstance(data, PhantomData):
        return _load_phantoms(data, folder, on_message)
    return _load_folder(data, folder, seed, edge, on_message)


def split_by_patient(
    patients: Sequence[str], splits: Sequence[str | None], share: float, seed: int
) -> tuple[list[int], list[int]]:
    """Split films by patient: the indices to train on and those to validate on.

    The patient's hash decides, so that adding patients moves nobody. About `share` of the patients
    are held out, and at least one is on either side. `splits` holds a table's mark for each row: a
    patient with a row marked test is left out, and one with a row marked validation is held out;
    if there is any such patient, all others are for training. Raises SettingsError for fewer than
    two patients.
    """
    marks: dict[str, set[str]] = {}
    for patient, mark in zip(patients, splits, strict=True):
        marks.setdefault(patient, set()).add((mark or "").lower())
    usable = {p: m for p, m in marks.items() if m.isdisjoint(TEST_MARKS)}
    if len(usable) < 2:
        raise SettingsError(
            "The cases are of fewer than two patients that are not marked as test; "
            "add more, as at least one patient is held out."
        )
    held_out = {p for p, m in usable.items() if not m.isdisjoint(VALIDATION_MARKS)}
    if not held_out or len(held_out) == len(usable):
        positions = {p: _position_of(p, seed) for p in usable}
        held_out = {p for p, position in positions.items() if position < share}
        ordered = sorted(positions, key=lambda p: positions[p])
        held_out = held_out or {ordered[0]}
        held_out -= {ordered[-1]} if len(held_out) == len(usable) else set()
    train = [i for i, p in enumerate(patients) if p in usable and p not in held_out]
    return train, [i for i, p in enumerate(patients) if p in held_out]


def _position_of(patient: str, seed: int) -> float:
    """A patient's position in [0, 1), by hash."""
    digest = hashlib.sha256(f"{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _load_phantoms(data: PhantomData, folder: Path, on_message: OnMessage) -> Cases:
    sets: dict[str, CaseSet] = {}
    digest = hashlib.sha256()
    for split, count in (("train", data.train), ("validation", data.validation)):
        parts, cases, covers = [], [], []
        for number, site in enumerate(data.sites):
            share = count // len(data.sites) + (number < count % len(data.sites))
            if share == 0:
                continue
            on_message(f"phantoms: {share} of site {site} ({split})")
            arrays = load_phantom_arrays(
                folder,
                share,
                data.seed,
                site=site,
                split=split,
                on_progress=_report_every(500, on_message),
            )
            parts.append(arrays.films)
            covers.append(arrays.cover())
            for index, record in enumerate(arrays.records):
                cases.append(_phantom_case(record, f"{split}-{site}-{data.seed}-{index}"))
                digest.update(np.ascontiguousarray(arrays.films[index]).data)
            digest.update(json.dumps(arrays.records).encode())
        sets[split] = CaseSet(tuple(cases), Pictures(parts), np.concatenate(covers))
    sites = ", ".join(data.sites)
    description = f"phantoms of sites {sites}, seed {data.seed}; no patient's film or report"
    return Cases(sets["train"], sets["validation"], digest.hexdigest(), description)


def _report_every(step: int, on_message: OnMessage) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        if done % step == 0:
            on_message(f"phantoms: {done} of {total} rendered")

    return on_progress


def _phantom_case(record: dict[str, Any], name: str) -> TrainingCase:
    return TrainingCase(
        patient=f"phantom-{name}",
        findings=record["findings"],
        impression=record["impression"],
        indication=record["indication"],
        caption=record["caption"],
        site=record["site"],
        claims=tuple(assertions_of(record["truth"])),
        prior=None if record["prior"] is None else tuple(assertions_of(record["prior"])),
        tube=tuple(record["tube"].items()),
        complete=True,
    )


def _load_folder(
    data: FolderData, folder: Path, seed: int, edge: int, on_message: OnMessage
) -> Cases:
    rows = [row for row in list_films(data.cases) if _is_used(row, data)]
    cases = [_build_case(row, data.redaction) for row in rows]
    digest = hashlib.sha256()
    for row, case in zip(rows, cases, strict=True):
        digest.update(f"{row.digest} {row.group} {row.split} {case!r}\n".encode())
        if row.shape is not None:
            digest.update(f"{row.shape}\n".encode())
    sha256 = digest.hexdigest()
    films, refused = load_films(rows, folder / f"films-{sha256[:16]}-{edge}", edge, on_message)
    if unknown := [row.number for row in rows if row.has_unknown_label]:
        # A label may be a slip of the table and name a patient: the row says where it is.
        on_message(
            f"{len(unknown)} of {len(rows)} films have a label that names no finding, first in "
            f"row {unknown[0]}; it makes no claim"
        )
    if refused:
        on_message(f"{len(refused)} of {len(rows)} films cannot be read and are left out")
    readable = [i for i in range(len(rows)) if i not in set(refused)]
    if data.only:
        chosen = CaseSet(tuple(cases[i] for i in readable), Pictures([films], readable))
        return Cases(chosen.select(()), chosen, sha256, f"films of {data.cases.name}")
    train, held_out = split_by_patient(
        [rows[i].group for i in readable], [rows[i].split for i in readable], data.validation, seed
    )
    sets = [
        CaseSet(
            tuple(cases[readable[i]] for i in part),
            Pictures([films], [readable[i] for i in part]),
        )
        for part in (train, held_out)
    ]
    on_message(f"cases: {len(train)} to train, {len(held_out)} to validate, no patient in both")
    return Cases(sets[0], sets[1], sha256, f"{len(readable)} films of the folder {data.cases.name}")


def _is_used(row: FolderFilm, data: FolderData) -> bool:
    """Whether a film is of a split that the recipe names, held out, or of no split."""
    mark = (row.split or "").lower()
    if data.only:
        return mark in data.only
    return not data.splits or mark in ("", *data.splits, *VALIDATION_MARKS)


def _build_case(row: FolderFilm, redaction: str) -> TrainingCase:
    """A case from a film's report and labels.

    Sentences of comparison are left out, since a film alone shows none, and those with the mark
    of a removed word, which nobody should read in a draft.
    """
    sentences = [
        s
        for s in parse_sentences(row.report)
        if not is_comparison(s.text) and not (redaction and redaction in s.text)
    ]
    findings = [f for f in map(finding_of_label, row.labels) if f]
    claims = (*find_assertions(row.report), *(Assertion(f) for f in findings))
    summary = summarise(claims) if claims else ", ".join(row.labels)
    return TrainingCase(
        patient=row.group,
        findings=" ".join(s.text for s in sentences if s.section == "findings"),
        impression=" ".join(s.text for s in sentences if s.section == "impression"),
        indication=row.indication,
        caption=f"{summary[:1].upper()}{summary[1:]}." if summary else "",
        claims=claims,
    )
