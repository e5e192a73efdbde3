"""The films of a run: those that are measured, their laterals, and the cases known beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.errors import SettingsError
from evals.data.real_films import (
    FilmRecord,
    PatientNumbers,
    choose_split,
    has_table,
    lateral_table_of,
    read_table,
    tables_in,
)
from evals.image.film_folders import list_sources
from evals.options import SuiteOptions

LIBRARY, CASES_PER_FILM = 3000, 10  # cases of the library at most; for each film with --n
OTHERS = 300  # films of a folder that the gate should not pass
TRAINING = ("train", "training")


@dataclass(frozen=True, slots=True)
class Material:
    """The films of a run, as records."""

    films: tuple[FilmRecord, ...]  # frontal
    laterals: tuple[FilmRecord, ...]
    training: tuple[FilmRecord, ...]  # other patients' films with reports; empty: there are none
    library: tuple[FilmRecord, ...]  # the cases that are compared with
    faulty: int  # rows of the table that do not hold
    words: str  # what it is

    @property
    def library_words(self) -> str:
        """What the library is, in words."""
        count = len(self.library)
        if self.training:
            return f"{count} training films of other patients"
        return f"the {count} measured films themselves, those of other patients"


def load_material(options: SuiteOptions, data: Path) -> Material:
    """Read the tables of a run. Raises SettingsError or LibraryError for what cannot be used."""
    numbers = PatientNumbers()
    table = read_table(data, numbers)
    chosen = choose_split(table, options.split)
    films = tuple(r for r in chosen.records if not r.lateral)[: options.n]
    if not films:
        raise SettingsError(f"The table of {data.name} has no frontal film; name another folder.")
    patients = {record.patient for record in films}
    laterals = [record for record in chosen.records if record.lateral]
    lateral_path = options.laterals or lateral_table_of(data)
    if lateral_path is not None:
        beside = read_table(lateral_path, numbers).records
        splits = {record.split for record in beside if record.split}
        laterals += [
            record
            for record in beside
            if not options.split
            or (record.split == options.split if splits else record.patient in patients)
        ]
    training = _training_of(options, table.records, numbers, patients)
    known = training or films
    most = LIBRARY if options.n is None else min(LIBRARY, CASES_PER_FILM * options.n)
    words = f"{len(films)} films of {len(patients)} patients of the folder {data.name}"
    words += f", split {options.split}" if options.split else ""
    words += f"; {chosen.faulty} rows of its table do not hold" if chosen.faulty else ""
    words += f"; {chosen.foreign} of its reports are not in English" if chosen.foreign else ""
    return Material(
        films, tuple(laterals), training, _sample(known, most, options.seed), chosen.faulty, words
    )


def records_of_folder(folder: Path, n: int | None, seed: int) -> tuple[FilmRecord, ...]:
    """The films of a folder with a table, of one that holds such folders, or of pictures alone.

    At most 300, or `n`, drawn at random and in their order.
    """
    numbers = PatientNumbers()
    inside = folder.is_dir() and any(has_table(p) for p in folder.glob("*") if p.is_dir())
    if folder.is_file() or has_table(folder) or inside:
        tables = [folder] if folder.is_file() else tables_in(folder)
        records = [record for table in tables for record in read_table(table, numbers).records]
    else:
        names = ((f"picture {i}", source) for i, source in enumerate(list_sources(folder)))
        records = [FilmRecord(source.path, name, name) for name, source in names]
    return _sample(records, OTHERS if n is None else n, seed)


def _training_of(
    options: SuiteOptions,
    records: Sequence[FilmRecord],
    numbers: PatientNumbers,
    patients: set[str],
) -> tuple[FilmRecord, ...]:
    """The frontal films of other patients that are marked for training, with report or labels."""
    if options.train is not None:
        records = read_table(options.train, numbers).records
    marked = [record for record in records if record.split.casefold() in TRAINING]
    if options.train is not None and not marked:
        marked = list(records)
    if options.split.casefold() in TRAINING or (not options.split and options.train is None):
        return ()
    return tuple(
        record
        for record in marked
        if not record.lateral
        and record.patient not in patients
        and (record.report.strip() or record.labelled)
    )


def _sample(records: Sequence[FilmRecord], most: int, seed: int) -> tuple[FilmRecord, ...]:
    if len(records) <= most:
        return tuple(records)
    picked = np.random.default_rng(seed).permutation(len(records))[:most]
    return tuple(records[i] for i in sorted(picked.tolist()))
