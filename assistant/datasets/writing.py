"""Writes a data set as a case folder: tables, links to the films, and what the set is.

The folder appears when it is whole. `cases.csv` has a row for each frontal film and for each film
whose view is not known, `laterals.csv` one for each lateral; identifiers of the set are in
neither, nor in the names of the links.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from assistant.atomic import new_folder
from assistant.datasets.card import CARD, NOTICE, SCHEMA, CaseFolder, card_of, notice_of
from assistant.datasets.case import DatasetInfo, FilmBox, LeftOut
from assistant.datasets.joining import CaseJoiner, JoinedFilm, key_of
from assistant.datasets.sets import OPENERS
from assistant.errors import SettingsError
from assistant.parsing import parse_json
from assistant.types import OnProgress
from retrieval.folders import is_file

FilmMode = Literal["link", "hard", "copy"]
COLUMNS = (
    *("image", "case", "patient", "study_id", "follow_up", "view", "projection", "sex", "age"),
    *("split", "source", "language", "report", "indication", "comparison", "findings"),
    *("impression", "original_report", "labels", "uncertain", "absent", "other_labels"),
    *("places", "boxes", "box_readers", "laterals", "prior_image", "prior_report"),
)
_STEP = 2000  # films between two reports of progress


class _Tally:
    """Counts what is written."""

    def __init__(self) -> None:
        self.films = self.laterals = 0
        self.patients: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.other: Counter[str] = Counter()

    def add(self, film: JoinedFilm) -> None:
        if film.patient:
            self.patients.add(film.patient)
        self.other.update(film.labels.other)
        if film.projection == "Lateral":
            self.laterals += 1
            return
        self.films += 1
        self.splits[film.split or "none"] += 1
        self.labels.update(film.labels.present)
        has = {
            "with a report": film.report,
            "with labels": film.labels.present or film.labels.absent or film.labels.uncertain,
            "with boxes": film.boxes,
            "with a lateral view": film.laterals,
            "with a prior film": film.prior_image,
            "of unknown view": not film.projection,
        }
        self.counts.update(name for name, value in has.items() if value)

    def summary(self, folder: Path, info: DatasetInfo, left_out: LeftOut) -> CaseFolder:
        return CaseFolder(
            folder=folder,
            info=info,
            films=self.films,
            laterals=self.laterals,
            patients=len(self.patients),
            counts=tuple(self.counts.most_common()),
            splits=tuple(self.splits.most_common()),
            labels=tuple(self.labels.most_common()),
            other_labels=tuple(self.other.most_common()),
            left_out=tuple(left_out.most_common()),
        )


def write_cases(
    name: str,
    root: Path,
    out: Path,
    *,
    reports: Path | None = None,
    films: FilmMode = "link",
    on_progress: OnProgress = lambda done, total: None,
) -> CaseFolder:
    """Turn the data set `name`, as it is published below `root`, into the case folder `out`.

    `reports` is where the reports lie if they do not lie below `root` (MIMIC-CXR). `films` says
    whether the folder holds symbolic links to the films, hard links or copies. A case folder in
    the place is replaced. Raises SettingsError for an unknown set, a root that lacks its tables or
    all its films, and for a place that holds anything but such a folder.
    """
    if name not in OPENERS:
        raise SettingsError(f"There is no data set {name}; name one of {', '.join(OPENERS)}.")
    info, open_set = OPENERS[name]
    if reports is not None and not reports.exists():
        raise SettingsError(f"There is no {reports} with the reports; correct --reports.")
    _check_place(out, root, reports)
    opened = open_set(root, reports)
    left_out: LeftOut = Counter()
    tally = _Tally()
    with new_folder(out) as folder:
        # The database holds the set's identifiers, so that it is for this user alone.
        with tempfile.TemporaryDirectory(dir=folder) as private:
            joiner = CaseJoiner(Path(private) / "films.db", info, key_of(opened.tables))
            total = joiner.add_all(opened.cases(left_out), left_out)
            if not total:
                raise _no_films(root, info, left_out)
            placer = _Placer(folder, out, joiner, films)
            lines = ((film, _cells_of(film, info, placer)) for film in joiner.joined())
            with _open_tables(folder) as tables:
                for number, (film, cells) in enumerate(lines, start=1):
                    tally.add(film)
                    tables[film.projection == "Lateral"].writerow(cells)
                    if number % _STEP == 0 or number == total:
                        on_progress(number, total)
        if not tally.films:
            raise _no_films(root, info, Counter({"films that are all lateral": total}))
        summary = tally.summary(out, info, left_out)
        (folder / CARD).write_text(
            json.dumps(card_of(summary), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        (folder / NOTICE).write_text(notice_of(summary), encoding="utf-8")
    return summary


def _check_place(out: Path, root: Path, reports: Path | None) -> None:
    """Raise SettingsError where a place is that of something else."""
    place = out.resolve()
    for other in filter(None, (root, reports)):
        data = other.resolve()
        if place == data or place in data.parents or data in place.parents:
            raise SettingsError(
                f"{out} and the data set {other} lie in each other; name a place beside it with "
                "--out."
            )
    if is_file(out) or (out.is_dir() and any(out.iterdir()) and not _is_case_folder(out)):
        raise SettingsError(
            f"{out} is there already and is no case folder of this command; name another with "
            "--out."
        )


def _is_case_folder(folder: Path) -> bool:
    try:
        card = parse_json((folder / CARD).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(card, dict) and card.get("schema") == SCHEMA


def _no_films(root: Path, info: DatasetInfo, left_out: LeftOut) -> SettingsError:
    reason = "; ".join(f"{reason}: {count}" for reason, count in left_out.most_common(3))
    return SettingsError(
        f"{root} gives no case of {info.title} ({reason or 'its tables have no rows'}); name the "
        f"folder in which its tables and films lie as they are published at {info.url}."
    )


class _Placer:
    """Puts films into the folder under names that say nothing."""

    def __init__(self, folder: Path, out: Path, joiner: CaseJoiner, mode: FilmMode) -> None:
        self._folder, self._joiner, self._mode = folder, joiner, mode
        self._out = Path(os.path.abspath(out))  # noqa: PTH100 - links in it are kept
        self._made: set[str] = set()

    def name_of(self, film: Path) -> str:
        """The path of a film in the folder, where it lies from now on."""
        digits = self._joiner.hash_of("film", str(film))
        shelf = f"images/{digits[:2]}"
        name = f"{shelf}/{digits}{film.suffix.lower()}"
        if shelf not in self._made:
            (self._folder / shelf).mkdir(parents=True)
            self._made.add(shelf)
        place = f"{self._folder}/{name}"
        if not os.path.lexists(place):
            self._put(os.path.abspath(film), place, f"{self._out}/{shelf}")  # noqa: PTH100
        return name

    def _put(self, film: str, place: str, shelf: str) -> None:
        # Sets have hundreds of thousands of films: os is several times faster here than Path.
        if self._mode == "copy":
            shutil.copyfile(film, place)
            return
        try:
            if self._mode == "hard":
                os.link(film, place)
            else:
                os.symlink(_target_of(film, shelf), place)  # noqa: PTH211
        except OSError as error:
            raise SettingsError(
                f"{self._out} cannot hold {self._mode} links to the films ({error.strerror}); "
                "copy them with --films copy."
            ) from None


def _target_of(film: str, shelf: str) -> str:
    """What a link in a folder says: a relative path, if both lie in one folder below the root.

    Such a folder is moved or mounted as a whole; a link that leads far away must stay right when
    the case folder is moved alone.
    """
    try:
        common = os.path.commonpath([film, shelf])
    except ValueError:  # on two drives
        return film
    return film if os.path.dirname(common) == common else os.path.relpath(film, shelf)  # noqa: PTH120


@contextmanager
def _open_tables(folder: Path) -> Iterator[list[Any]]:
    """The tables of frontal and of lateral films, with their header."""
    with ExitStack() as stack:
        tables = []
        for name in ("cases.csv", "laterals.csv"):
            file = stack.enter_context((folder / name).open("w", encoding="utf-8", newline=""))
            tables.append(csv.writer(file))
            tables[-1].writerow(COLUMNS)
        yield tables


def _cells_of(film: JoinedFilm, info: DatasetInfo, placer: _Placer) -> tuple[Any, ...]:
    """The cells of a row, in the order of `COLUMNS`."""
    labels = film.labels
    return (
        placer.name_of(film.image),
        film.case,
        film.patient,
        film.study,
        film.follow_up,
        film.view,
        film.projection,
        film.sex,
        film.age,
        film.split,
        info.name,
        info.language,
        film.report,
        film.sections.indication,
        film.sections.comparison,
        film.sections.findings,
        film.sections.impression,
        film.original_report,
        *(
            "|".join(names)
            for names in (labels.present, labels.uncertain, labels.absent, labels.other)
        ),
        json.dumps(labels.places) if labels.places else "",
        json.dumps([_box_as_json(box) for box in film.boxes], ensure_ascii=False)
        if film.boxes
        else "",
        "|".join(str(box.reader) for box in film.boxes),
        "|".join(map(placer.name_of, film.laterals)),
        placer.name_of(film.prior_image) if film.prior_image else "",
        film.prior_report,
    )


def _box_as_json(box: FilmBox) -> list[str | float]:
    """Label, left, top, width and height, as the tables of NIH have them, in fractions."""
    left, top, right, bottom = box.corners
    extent = (left, top, round(right - left, 5), round(bottom - top, 5))
    return [box.finding or box.label, *extent]
