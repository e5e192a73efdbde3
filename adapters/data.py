"""Training data: phantoms rendered once into arrays that every stage of training reads.

The arrays are a cache: they can be deleted at any time and come back the same, and those of
phantoms that were drawn by other code are never taken for today's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.chest import phantoms
from assistant.chest.phantoms import SIZE, Phantom, make_phantom

GRID = 16  # patches along one edge of the film
SIDES, ZONES = ("right", "left"), ("upper", "mid", "lower")
FINDINGS = (
    "cardiomegaly",
    "oedema",
    "pleural_effusion",
    "pneumothorax",
    "consolidation",
    "nodule",
)
# What the encoder learns to tell of a whole film: a finding with the place it has.
FILM_LABELS: tuple[tuple[str, str | None, str | None], ...] = (
    ("cardiomegaly", None, None),
    ("oedema", None, None),
    *((f, s, None) for f in ("pleural_effusion", "pneumothorax") for s in SIDES),
    *((f, s, z) for f in ("consolidation", "nodule") for s in SIDES for z in ZONES),
)


@dataclass(frozen=True, slots=True, eq=False)
class PhantomArrays:
    """Phantoms of one split as arrays; N films."""

    films: np.ndarray  # uint8 (N, 256, 256), air dark
    patches: np.ndarray  # uint8 (N, 256, 6): share of a patch each finding covers, 255 is all
    labels: np.ndarray  # uint8 (N, 18): FILM_LABELS, 0 or 1
    texts: tuple[tuple[str, str], ...]  # findings and impression of each report

    def __len__(self) -> int:
        return len(self.films)

    def first(self, count: int) -> PhantomArrays:
        """The first `count` films."""
        return PhantomArrays(
            self.films[:count], self.patches[:count], self.labels[:count], self.texts[:count]
        )


def _targets(phantom: Phantom) -> tuple[np.ndarray, np.ndarray]:
    cell = SIZE // GRID
    patches = np.zeros((GRID * GRID, len(FINDINGS)), np.float32)
    labels = np.zeros(len(FILM_LABELS), np.uint8)
    for lesion in phantom.lesions:
        cover = lesion.mask.reshape(GRID, cell, GRID, cell).mean(axis=(1, 3)).reshape(-1)
        column = FINDINGS.index(lesion.finding)
        patches[:, column] = np.maximum(patches[:, column], cover)
        labels[FILM_LABELS.index((lesion.finding, lesion.side, lesion.zone))] = 1
    return (patches * 255).astype(np.uint8), labels


def _render(job: tuple[int, int, int, str, str]):
    """Phantoms start to stop of one split, stacked; runs in a worker process."""
    start, stop, seed, site, split = job
    made = [make_phantom(seed, index, site, split) for index in range(start, stop)]
    targets = [_targets(phantom) for phantom in made]
    return (
        start,
        np.stack([p.film for p in made]),
        np.stack([t[0] for t in targets]),
        np.stack([t[1] for t in targets]),
        [(p.findings, p.impression) for p in made],
    )


def phantom_arrays(
    folder: Path,
    count: int,
    seed: int,
    *,
    site: str = "A",
    split: str = "train",
    workers: int | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> PhantomArrays:
    """Load a split's phantoms from the cache, rendering them first if they are not there.

    `report(done, total)` is called as films are finished. The cache is written beside and
    renamed, so that a killed run leaves nothing half-written behind.
    """
    home = folder / f"phantoms-{_source()}-{split}-{site}-seed{seed}-n{count}"
    if not (home / "texts.json").exists():
        _fill(home, count, (seed, site, split), workers, report)
    texts = json.loads((home / "texts.json").read_text(encoding="utf-8"))
    films, patches, labels = (
        np.load(home / f"{name}.npy", mmap_mode="r") for name in ("films", "patches", "labels")
    )
    return PhantomArrays(films, patches, labels, tuple((t[0], t[1]) for t in texts))


def _source() -> str:
    """A short hash of the code that draws phantoms."""
    digest = hashlib.sha256()
    for path in sorted(Path(phantoms.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _fill(home: Path, count: int, stream: tuple[int, str, str], workers, report) -> None:
    home.mkdir(parents=True, exist_ok=True)
    shapes = {
        "films": (count, SIZE, SIZE),
        "patches": (count, GRID * GRID, len(FINDINGS)),
        "labels": (count, len(FILM_LABELS)),
    }
    out = {
        name: np.lib.format.open_memmap(home / f"{name}.npy", "w+", np.uint8, shape)
        for name, shape in shapes.items()
    }
    texts: list[tuple[str, str]] = []
    for start, films, patches, labels, written in _stream(count, stream, workers):
        stop = start + len(films)
        out["films"][start:stop], out["patches"][start:stop] = films, patches
        out["labels"][start:stop] = labels
        texts.extend(written)
        report(stop, count)
    for array in out.values():
        array.flush()
    # The texts come last and by renaming: where they are, the arrays are whole.
    beside = home / "texts.json.part"
    beside.write_text(json.dumps(texts), encoding="utf-8")
    beside.replace(home / "texts.json")


def _stream(count: int, stream: tuple[int, str, str], workers: int | None) -> Iterator:
    jobs = [(i, min(i + 50, count), *stream) for i in range(0, count, 50)]
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        yield from pool.map(_render, jobs)
