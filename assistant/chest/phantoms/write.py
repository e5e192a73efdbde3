"""Phantoms as a folder: `images/*.png`, `cases.csv` and `truth.jsonl`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from assistant.chest.phantoms.case import SPLITS, Phantom, make_phantom
from assistant.chest.phantoms.film import site_named
from assistant.errors import SettingsError

COLUMNS = ("image", "patient", "split", "site", "report")


def _box(mask: np.ndarray) -> list[int]:
    """The smallest box round a mask: x0, y0, x1, y1 in pixels, the last two exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def truth_of(phantom: Phantom, image: str) -> dict[str, Any]:
    """One line of `truth.jsonl`: what is in the film, where, and how large."""
    return {
        "image": image,
        "site": phantom.site,
        "spacing_mm": round(phantom.spacing_mm, 4),
        "assertions": [
            {
                "finding": lesion.finding,
                "polarity": "present",
                "side": lesion.side,
                "zone": lesion.zone,
                "degree": lesion.degree,
                "box": _box(lesion.mask),
                "measurements": dict(lesion.measurements),
            }
            for lesion in phantom.lesions
        ],
        "measurements": {"cardiothoracic_ratio": round(phantom.cardiothoracic_ratio, 3)},
    }


def _one(job: tuple[int, int, str, str, str]) -> tuple[list[str], str]:
    """Make and write one film; returns its row of `cases.csv` and its line of truth."""
    seed, index, site, split, folder = job
    phantom = make_phantom(seed, index, site, split)
    name = f"{split}-{site}-{seed}-{index:06d}"
    image = f"images/{name}.png"
    info = PngInfo()
    info.add_text("wetread:phantom", name)  # says what it is; carries no truth
    path = Path(folder) / image
    beside = path.with_suffix(".part")
    Image.fromarray(phantom.film).save(beside, "PNG", pnginfo=info)
    beside.replace(path)
    row = [image, f"phantom-{name}", split, site, phantom.report]
    return row, json.dumps(truth_of(phantom, image))


def _rows(jobs: list[tuple], workers: int) -> Iterator[tuple[list[str], str]]:
    if workers == 1 or len(jobs) < 16:
        yield from map(_one, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_one, jobs, chunksize=8)


def write_phantoms(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    site: str = "A",
    split: str = "test",
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write `count` phantoms of a seed, site and split into a folder, which may exist.

    The same arguments give the same bytes in every process. The two tables are written last
    and renamed into place. Raises SettingsError for a count below 1, an unknown site or split.
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
    jobs = [(seed, index, site, split, str(folder)) for index in range(count)]
    cases, truth = folder / "cases.csv.part", folder / "truth.jsonl.part"
    with (
        cases.open("w", encoding="utf-8", newline="") as table,
        truth.open("w", encoding="utf-8") as lines,
    ):
        writer = csv.writer(table)
        writer.writerow(COLUMNS)
        for done, (row, line) in enumerate(_rows(jobs, workers or os.cpu_count() or 1), start=1):
            writer.writerow(row)
            lines.write(line + "\n")
            progress(done, count)
    cases.replace(folder / "cases.csv")
    truth.replace(folder / "truth.jsonl")
