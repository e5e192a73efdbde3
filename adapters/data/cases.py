"""Training cases: films with what is said of them, from phantoms or from a folder of one's own.

A patient's films all go to training or all to validation, never some to each. Raw patient ids
are hashed at the door. Films become squares of bytes, kept in a cache, so that a resumed run
reads no file again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from adapters.adapter_recipe import FolderData, PhantomData
from adapters.data.phantom_arrays import assertions_of, phantom_arrays
from assistant.atomic import write_file
from assistant.batch.run import TABLES, read_manifest
from assistant.chest.vocabulary import finding_of_label
from assistant.errors import IntakeError, SettingsError
from assistant.intake import read_film
from assistant.intake.resize import square
from assistant.labeller.labeller import find_assertions
from assistant.labeller.sentences import is_comparison, parse_sentences
from assistant.labeller.summary import summarise
from assistant.types import Assertion, Film, OnMessage

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm")
HELD_OUT = ("val", "valid", "validation", "dev")
NEVER = ("test", "testing")  # what a table marks so is left for measuring
SPLITS = ("train", "training", *HELD_OUT, *NEVER)


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """What is said and known of one film."""

    patient: str  # a hash
    findings: str = ""
    impression: str = ""
    indication: str = ""
    caption: str = ""
    site: str = ""
    claims: tuple[Assertion, ...] = ()
    prior: tuple[Assertion, ...] | None = None  # what an earlier film showed
    tube: tuple[tuple[str, str], ...] = ()  # a device and where its tip lies
    complete: bool = False  # the claims are the whole truth of the film
    reading: str = ""  # what the base's probe sees in it, where the base has one
    library_id: str = ""  # of a case that comes from a library

    @property
    def report(self) -> str:
        """Both sections as a draft has them; empty where there is neither."""
        parts = (("Findings", self.findings), ("Impression", self.impression))
        return "\n".join(f"{title}: {text}" for title, text in parts if text)


class Pictures:
    """Films of one edge length, uint8 (H, H) each, wherever they lie."""

    def __init__(self, parts: Sequence[np.ndarray], chosen: Sequence[int] | None = None) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self._chosen = range(int(self._starts[-1])) if chosen is None else tuple(chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> np.ndarray:
        at = self._chosen[index]
        part = int(np.searchsorted(self._starts, at, side="right")) - 1
        return np.asarray(self._parts[part][at - self._starts[part]])

    def of(self, indices: Sequence[int]) -> Pictures:
        """Some of the films, in the order given."""
        return Pictures(self._parts, [self._chosen[i] for i in indices])

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
    cover: np.ndarray | None = None  # bool (N, P): the patches that something covers, if known

    def __len__(self) -> int:
        return len(self.cases)

    def film(self, index: int) -> Film:
        """The film as intake would give it; one of a library's is known there by its case."""
        film = self.pictures.film(index)
        own = self.cases[index].library_id
        return replace(film, sha256=own.ljust(64, "0")) if own else film

    def of(self, indices: Sequence[int]) -> CaseSet:
        """Some of the cases, in the order given."""
        cover = None if self.cover is None else self.cover[list(indices)]
        return CaseSet(tuple(self.cases[i] for i in indices), self.pictures.of(indices), cover)


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """What an adapter learns from, and what it is measured on."""

    train: CaseSet
    validation: CaseSet
    sha256: str  # over films and texts
    description: str


def load_cases(
    data: PhantomData | FolderData, folder: Path, *, seed: int, edge: int, on_message: OnMessage
) -> Cases:
    """Load the cases of a recipe; `folder` keeps their films, `edge` pixels along each side.

    (Phantoms keep the size they are drawn in.) Films that cannot be read are left out and
    counted. Raises SettingsError or LibraryError for a folder that does not hold.
    """
    if isinstance(data, PhantomData):
        return _phantoms(data, folder, on_message)
    return _from_folder(data, folder, seed, edge, on_message)


def split_by_patient(
    patients: Sequence[str], marked: Sequence[str | None], share: float, seed: int
) -> tuple[list[int], list[int]]:
    """Indices to train and to validate on; all films of one patient fall on one side.

    By the hash of the patient, so that more patients move nobody; about `share` are held out,
    and at least one patient is on either side. Where a table marks rows: a patient with a row
    marked test is left out, one with a row marked validation is held out, and if there is any
    such, all others train. Raises SettingsError for fewer than two patients.
    """
    marks: dict[str, set[str]] = {}
    for patient, mark in zip(patients, marked, strict=True):
        marks.setdefault(patient, set()).add((mark or "").lower())
    usable = {p: m for p, m in marks.items() if m.isdisjoint(NEVER)}
    if len(usable) < 2:
        raise SettingsError(
            "The cases are of fewer than two patients that are not marked as test; "
            "add more, as at least one patient is held out."
        )
    held = {p for p, m in usable.items() if not m.isdisjoint(HELD_OUT)}
    if not held or len(held) == len(usable):
        places = {p: _place(p, seed) for p in usable}
        held = {p for p, place in places.items() if place < share}
        ordered = sorted(places, key=lambda p: places[p])
        held = held or {ordered[0]}
        held -= {ordered[-1]} if len(held) == len(usable) else set()
    train = [i for i, p in enumerate(patients) if p in usable and p not in held]
    return train, [i for i, p in enumerate(patients) if p in held]


def _place(patient: str, seed: int) -> float:
    """Where a patient lies in [0, 1)."""
    digest = hashlib.sha256(f"{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _phantoms(data: PhantomData, folder: Path, on_message: OnMessage) -> Cases:
    sets: dict[str, CaseSet] = {}
    digest = hashlib.sha256()
    for split, count in (("train", data.train), ("validation", data.validation)):
        parts, cases, covers = [], [], []
        for number, site in enumerate(data.sites):
            share = count // len(data.sites) + (number < count % len(data.sites))
            if share == 0:
                continue
            on_message(f"phantoms: {share} of site {site} ({split})")
            arrays = phantom_arrays(
                folder, share, data.seed, site=site, split=split, report=_every(500, on_message)
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


def _every(step: int, on_message: OnMessage) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if done % step == 0:
            on_message(f"phantoms: {done} of {total} rendered")

    return report


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


@dataclass(frozen=True, slots=True)
class _Row:
    """One film of a folder, before it is read."""

    image: Path
    group: str  # the patient, or the film itself where nobody knows the patient
    split: str | None
    digest: str  # of the file
    case: TrainingCase


def _from_folder(
    data: FolderData, folder: Path, seed: int, edge: int, on_message: OnMessage
) -> Cases:
    rows = _rows(data.cases)
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.digest} {row.group} {row.split} {row.case!r}\n".encode())
    sha256 = digest.hexdigest()
    films, refused = _films(rows, folder / f"films-{sha256[:16]}-{edge}", edge, on_message)
    if refused:
        on_message(f"{len(refused)} of {len(rows)} films cannot be read and are left out")
    kept = [i for i in range(len(rows)) if i not in set(refused)]
    train, held = split_by_patient(
        [rows[i].group for i in kept], [rows[i].split for i in kept], data.validation, seed
    )
    sets = [
        CaseSet(
            tuple(rows[kept[i]].case for i in part),
            Pictures([films], [kept[i] for i in part]),
        )
        for part in (train, held)
    ]
    on_message(f"cases: {len(train)} to train, {len(held)} to validate, no patient in both")
    return Cases(sets[0], sets[1], sha256, f"{len(kept)} films of the folder {data.cases.name}")


def _rows(path: Path) -> list[_Row]:
    """The films of a table, or of an imagefolder with a folder for each label."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise SettingsError(f"There is no folder {folder}; name one that holds films.")
    tabled = path.is_file() or any(next(folder.glob(f"**/{name}"), None) for name in TABLES)
    found = _tabled(path) if tabled else _labelled(folder)
    seen: set[str] = set()
    rows = []
    for image, patient, split, case in found:
        digest = hashlib.sha256(image.read_bytes()).hexdigest()
        if digest in seen:
            continue  # the same film twice could fall on both sides
        seen.add(digest)
        group = hashlib.sha256(f"{patient or digest}".encode()).hexdigest()[:32]
        rows.append(_Row(image, group, split, digest, case(group)))
    if not rows:
        raise SettingsError(f"The folder {folder} holds no films; name another.")
    return rows


def _tabled(path: Path) -> Iterable[tuple]:
    for row in read_manifest(path).rows:
        yield (
            row.image,
            row.patient,
            row.split,
            lambda group, row=row: _case(group, row.report, row.labels, row.indication),
        )


def _labelled(folder: Path) -> Iterable[tuple]:
    for image in sorted(folder.rglob("*")):
        if image.suffix.lower() not in SUFFIXES or not image.is_file():
            continue
        above = list(image.relative_to(folder).parts[:-1])
        split = above.pop(0).lower() if above and above[0].lower() in SPLITS else None
        labels = tuple(above[-1:])
        yield image, None, split, lambda group, labels=labels: _case(group, "", labels, "")


def _case(group: str, report: str, labels: Sequence[str], indication: str) -> TrainingCase:
    """A case from a report and labels; sentences that compare are not taught."""
    said = [s for s in parse_sentences(report) if not is_comparison(s.text)]
    known = [f for f in map(finding_of_label, labels) if f]
    claims = (*find_assertions(report), *(Assertion(f) for f in known))
    words = summarise(claims) if claims else ", ".join(labels)
    return TrainingCase(
        patient=group,
        findings=" ".join(s.text for s in said if s.section == "findings"),
        impression=" ".join(s.text for s in said if s.section == "impression"),
        indication=indication,
        caption=f"{words[:1].upper()}{words[1:]}." if words else "",
        claims=claims,
    )


def _films(
    rows: Sequence[_Row], home: Path, edge: int, on_message: OnMessage
) -> tuple[np.ndarray, list[int]]:
    """The rows' films as uint8 (N, edge, edge), from the cache, and which cannot be read."""
    done = home / "refused.json"
    if not done.is_file():
        home.mkdir(parents=True, exist_ok=True)
        shape = (len(rows), edge, edge)
        films = np.lib.format.open_memmap(home / "films.npy", "w+", np.uint8, shape)
        refused = []
        for index, row in enumerate(rows):
            try:
                film = read_film(row.image)
            except IntakeError:
                refused.append(index)
                continue
            films[index] = (square(film.pixels, edge) * 255).round().astype(np.uint8)
            if (index + 1) % 500 == 0:
                on_message(f"films read: {index + 1} of {len(rows)}")
        films.flush()
        write_file(done, json.dumps(refused).encode())
    return np.load(home / "films.npy", mmap_mode="r"), json.loads(done.read_text(encoding="utf-8"))
