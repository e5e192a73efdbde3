"""Training data: phantoms rendered once into arrays that every stage of training reads.

The arrays are a cache: they can be deleted at any time and come back the same, and those of
phantoms that were drawn by other code are never taken for today's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.data.measured_truth import measurements_of
from assistant.atomic import write_file
from assistant.backbones.probe.probe import Label
from assistant.chest import phantoms
from assistant.chest.phantoms import (
    SIZE,
    Phantom,
    make_phantom,
    truth_assertions,
    tube_positions,
)
from assistant.chest.phantoms.lesions import Lesion
from assistant.chest.phantoms.truth import assertions
from assistant.chest.probe_labels import CHANNELS, LABEL_KEYS, ZONED
from assistant.labeller.summary import describe_probe
from assistant.types import Assertion
from assistant.vqa.question_bank import Question, ask_about

GRID = 16  # patches along one edge of the film
COVERED = 20  # of 255, the share of a patch from which it counts as covered
FILM_LABELS: tuple[Label, ...] = tuple(Label(*key) for key in LABEL_KEYS)


@dataclass(frozen=True, slots=True, eq=False)
class PhantomArrays:
    """Phantoms of one split as arrays; N films."""

    films: np.ndarray  # uint8 (N, 256, 256), air dark
    patches: np.ndarray  # uint8 (N, 256, C): share of a patch each of CHANNELS covers, 255 is all
    labels: np.ndarray  # uint8 (N, L): FILM_LABELS, 0 or 1
    records: tuple[dict[str, Any], ...]  # what is said and true of each film; see `_record`

    def __len__(self) -> int:
        return len(self.films)

    def cover(self) -> np.ndarray:
        """The patches that a finding, a distractor or a device covers, bool (N, 256)."""
        return self.patches.max(axis=2) > COVERED

    def first(self, count: int) -> PhantomArrays:
        """The first `count` films."""
        return PhantomArrays(
            self.films[:count], self.patches[:count], self.labels[:count], self.records[:count]
        )


def _holds(label: Label, lesion: Lesion) -> bool:
    """Whether a lesion makes a label true."""
    same = (lesion.finding, lesion.side) == (label.finding, label.side)
    there = label.zone in (None, lesion.zone)
    return same and there and (not label.degrees or lesion.degree in label.degrees)


def _targets(phantom: Phantom) -> tuple[np.ndarray, np.ndarray]:
    cell = SIZE // GRID
    patches = np.zeros((GRID * GRID, len(CHANNELS)), np.float32)
    everything = (*phantom.lesions, *phantom.distractors, *phantom.devices)
    for lesion in everything:
        cover = lesion.mask.reshape(GRID, cell, GRID, cell).mean(axis=(1, 3)).reshape(-1)
        column = CHANNELS.index(lesion.finding)
        patches[:, column] = np.maximum(patches[:, column], cover)
    labels = [any(_holds(label, lesion) for lesion in everything) for label in FILM_LABELS]
    return (patches * 255).astype(np.uint8), np.array(labels, np.uint8)


def _record(phantom: Phantom) -> dict[str, Any]:
    """The texts of a phantom and its truth, as plain values that JSON can hold."""
    prior = phantom.prior
    return {
        "site": phantom.site,
        "indication": phantom.indication,
        "findings": phantom.findings,
        "impression": phantom.impression,
        "caption": phantom.caption,
        "comparison": phantom.comparison,
        "truth": [astuple(a)[:5] for a in truth_assertions(phantom)],
        "tube": tube_positions(phantom),
        "measured": measurements_of(phantom),
        "prior": None
        if prior is None
        else [
            astuple(a)[:5] for a in assertions((*prior.lesions, *prior.distractors, *prior.devices))
        ],
    }


def assertions_of(rows: Sequence[Sequence[Any]]) -> list[Assertion]:
    """The assertions of a record's `truth` or `prior`."""
    return [Assertion(*row) for row in rows]


def reading_of(record: dict[str, Any]) -> str:
    """What a probe would read in a record's film that misses nothing, however faint."""
    tubes = {tube: at for tube, at in record["tube"].items() if at != "in place"}
    return describe_probe(
        Assertion(
            finding,
            side=side,
            zone=zone if finding in ZONED else None,
            degree=tubes.get(finding, degree),
        )
        for finding, _, side, zone, degree in record["truth"]
    )


def questions_of(record: dict[str, Any], rng: np.random.Generator) -> list[Question]:
    """Questions about a record's film, in the words of training."""
    prior = record["prior"]
    then = None if prior is None else assertions_of(prior)
    return ask_about(rng, assertions_of(record["truth"]), then, "train", record["tube"])


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
        [_record(p) for p in made],
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
    stem = f"phantoms-{_source()}-{split}-{site}-seed{seed}-n"
    home = _whole(folder, stem, count)
    if home is None:
        home = folder / f"{stem}{count}"
        _fill(home, count, (seed, site, split), workers, report)
    records = json.loads((home / "records.json").read_text(encoding="utf-8"))
    films, patches, labels = (
        np.load(home / f"{name}.npy", mmap_mode="r") for name in ("films", "patches", "labels")
    )
    return PhantomArrays(films, patches, labels, tuple(records)).first(count)


def _whole(folder: Path, stem: str, count: int) -> Path | None:
    """The smallest finished cache that holds so many: phantom 7 is the same among 10 and 100."""
    sizes = [int(home.name.removeprefix(stem)) for home in folder.glob(f"{stem}*")]
    for size in sorted(size for size in sizes if size >= count):
        if (folder / f"{stem}{size}" / "records.json").exists():
            return folder / f"{stem}{size}"
    return None


def _source() -> str:
    """A short hash of the code that draws phantoms, but not of that which writes folders."""
    digest = hashlib.sha256()
    for path in sorted(Path(phantoms.__file__).parent.glob("*.py")):
        if path.name not in ("write.py", "truth.py", "__init__.py"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _fill(home: Path, count: int, stream: tuple[int, str, str], workers, report) -> None:
    home.mkdir(parents=True, exist_ok=True)
    shapes = {
        "films": (count, SIZE, SIZE),
        "patches": (count, GRID * GRID, len(CHANNELS)),
        "labels": (count, len(FILM_LABELS)),
    }
    out = {
        name: np.lib.format.open_memmap(home / f"{name}.npy", "w+", np.uint8, shape)
        for name, shape in shapes.items()
    }
    records: list[dict[str, Any]] = []
    for start, films, patches, labels, written in _stream(count, stream, workers):
        stop = start + len(films)
        out["films"][start:stop], out["patches"][start:stop] = films, patches
        out["labels"][start:stop] = labels
        records.extend(written)
        report(stop, count)
    for array in out.values():
        array.flush()
    # The records come last and by renaming: where they are, the arrays are whole.
    write_file(home / "records.json", json.dumps(records).encode())


def _stream(count: int, stream: tuple[int, str, str], workers: int | None) -> Iterator:
    jobs = [(i, min(i + 50, count), *stream) for i in range(0, count, 50)]
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        yield from pool.map(_render, jobs)
