"""Phantoms as a folder: `images/*.png`, `cases.csv` and `truth.jsonl`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from assistant.atomic import new_file
from assistant.chest.phantoms.case import SPLITS, Phantom, make_phantom
from assistant.chest.phantoms.film import site_named
from assistant.chest.phantoms.truth import truth_of
from assistant.errors import SettingsError

COLUMNS = ("image", "patient", "split", "site", "view", "indication", "report", "prior", "days")


def _save(film: np.ndarray, path: Path, name: str) -> None:
    info = PngInfo()
    info.add_text("wetread:phantom", name)  # says what it is; carries no truth
    with new_file(path) as temporary:
        Image.fromarray(film).save(temporary, "PNG", pnginfo=info)


def _row(phantom: Phantom, image: str, patient: str, split: str, prior: str, days: object):
    return [
        image,
        patient,
        split,
        phantom.site,
        phantom.view,
        phantom.indication,
        phantom.report,
        prior,
        str(days),
    ]


def _draw_case(job: tuple[int, int, str, str, str, bool]) -> tuple[list[list[str]], list[str]]:
    """Make and write one film, with its prior if asked: rows of `cases.csv`, lines of truth."""
    seed, index, site, split, folder, priors = job
    phantom = make_phantom(seed, index, site, split)
    name = f"{split}-{site}-{seed}-{index:06d}"
    image, before, days = f"images/{name}.png", "", ""
    rows, lines = [], []
    if priors and phantom.prior is not None:
        then = make_phantom(seed, index, site, split, earlier_film=True)
        before, days = f"images/{name}-prior.png", str(phantom.prior.days)
        _save(then.film, Path(folder) / before, f"{name}-prior")
        rows.append(_row(then, before, f"phantom-{name}", split, "", ""))
        lines.append(json.dumps(truth_of(then, before)))
    _save(phantom.film, Path(folder) / image, name)
    rows.append(_row(phantom, image, f"phantom-{name}", split, before, days))
    lines.append(json.dumps(truth_of(phantom, image)))
    return rows, lines


def _rows(jobs: list[tuple], workers: int) -> Iterator[tuple[list[list[str]], list[str]]]:
    if workers == 1 or len(jobs) < 16:
        yield from map(_draw_case, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_draw_case, jobs, chunksize=8)


def write_phantoms(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    site: str = "A",
    split: str = "test",
    priors: bool = False,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write `count` phantoms of a seed, site and split into a folder, which may exist.

    With `priors`, the earlier film of those who have one is written too, as a row of its own
    that the later one names in `prior`. The same arguments give the same bytes in every
    process. The two tables are written last and renamed into place. Raises SettingsError for a
    count below 1, an unknown site or split.
    """
    site_named(site)
    if split not in SPLITS:
        raise SettingsError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
    if count < 1 or seed < 0:
        raise SettingsError(f"n = {count} must be at least 1 and seed = {seed} at least 0.")
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} cannot be made ({error.strerror}); name another with --out."
        ) from None
    jobs = [(seed, index, site, split, str(folder), priors) for index in range(count)]
    with (
        new_file(folder / "cases.csv") as cases,
        new_file(folder / "truth.jsonl") as truth,
        cases.open("w", encoding="utf-8", newline="") as table,
        truth.open("w", encoding="utf-8") as lines,
    ):
        writer = csv.writer(table)
        writer.writerow(COLUMNS)
        made = _rows(jobs, workers or os.cpu_count() or 1)
        for done, (rows, truths) in enumerate(made, start=1):
            writer.writerows(rows)
            lines.writelines(line + "\n" for line in truths)
            on_progress(done, count)
