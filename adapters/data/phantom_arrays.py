"""Phantoms rendered once into arrays, which every stage of training reads.

The arrays are a cache: deleted ones are rendered again, the same. Arrays that another version of
the drawing code rendered are not used.
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

from adapters.backbone_recipe import GRID
from adapters.data.phantom_measurements import measurements_of
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

COVERED = 20  # of 255: a patch counts as covered when more of it is
FILM_LABELS: tuple[Label, ...] = tuple(Label(*key) for key in LABEL_KEYS)


@dataclass(frozen=True, slots=True, eq=False)
class PhantomArrays:
    """Phantoms of one split as arrays; N films."""

    films: np.ndarray  # uint8 (N, 256, 256), air dark
    patches: np.ndarray  # uint8 (N, 256, C): share of a patch that each of CHANNELS covers, of 255
    labels: np.ndarray  # uint8 (N, L): FILM_LABELS, 0 or 1
    records: tuple[dict[str, Any], ...]  # the texts and the truth of each film; see `_record_of`

    def __len__(self) -> int:
        return len(self.films)

    def cover(self) -> np.ndarray:
        """The patches that a finding, distractor or device covers, bool (N, 256)."""
        return self.patches.max(axis=2) > COVERED

    def first(self, count: int) -> PhantomArrays:
        """The first `count` films."""
        return PhantomArrays(
            self.films[:count], self.patches[:count], self.labels[:count], self.records[:count]
        )


def _is_true_of(label: Label, lesion: Lesion) -> bool:
    """Whether a lesion makes a label true."""
    same_place = label.side in (None, lesion.side) and label.zone in (None, lesion.zone)
    same_degree = not label.degrees or lesion.degree in label.degrees
    return lesion.finding == label.finding and same_place and same_degree


def _targets_of(phantom: Phantom) -> tuple[np.ndarray, np.ndarray]:
    cell = SIZE // GRID
    patches = np.zeros((GRID * GRID, len(CHANNELS)), np.float32)
    lesions = (*phantom.lesions, *phantom.distractors, *phantom.devices)
    for lesion in lesions:
        cover = lesion.mask.reshape(GRID, cell, GRID, cell).mean(axis=(1, 3)).reshape(-1)
        column = CHANNELS.index(lesion.finding)
        patches[:, column] = np.maximum(patches[:, column], cover)
    labels = [any(_is_true_of(label, lesion) for lesion in lesions) for label in FILM_LABELS]
    return (patches * 255).astype(np.uint8), np.array(labels, np.uint8)


def _record_of(phantom: Phantom) -> dict[str, Any]:
    """The texts and the truth of a phantom, as JSON values."""
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
    """The reading of a perfect probe: all findings of a record's film, however faint."""
    tubes = {tube: position for tube, position in record["tube"].items() if position != "in place"}
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
    """Questions about a record's film, in the wording for training."""
    prior = record["prior"]
    prior_assertions = None if prior is None else assertions_of(prior)
    return ask_about(rng, assertions_of(record["truth"]), prior_assertions, "train", record["tube"])


def _render_block(job: tuple[int, int, int, str, str]):
    """Render phantoms `start` to `stop` of one split, stacked; runs in a worker process."""
    start, stop, seed, site, split = job
    rendered = [make_phantom(seed, index, site, split) for index in range(start, stop)]
    targets = [_targets_of(phantom) for phantom in rendered]
    return (
        start,
        np.stack([p.film for p in rendered]),
        np.stack([t[0] for t in targets]),
        np.stack([t[1] for t in targets]),
        [_record_of(p) for p in rendered],
    )


def load_phantom_arrays(
    folder: Path,
    count: int,
    seed: int,
    *,
    site: str = "A",
    split: str = "train",
    workers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> PhantomArrays:
    """Load a split's phantoms from the cache; render them first if they are missing.

    `on_progress(done, total)` is called as films are rendered. The records are written last, by
    renaming a temporary file, so that what a killed run leaves behind is not taken for complete.
    """
    stem = f"phantoms-{_hash_source()}-{split}-{site}-seed{seed}-n"
    cache = _find_cache(folder, stem, count)
    if cache is None:
        cache = folder / f"{stem}{count}"
        _fill_cache(cache, count, (seed, site, split), workers, on_progress)
    records = json.loads((cache / "records.json").read_text(encoding="utf-8"))
    films, patches, labels = (
        np.load(cache / f"{name}.npy", mmap_mode="r") for name in ("films", "patches", "labels")
    )
    return PhantomArrays(films, patches, labels, tuple(records)).first(count)


def _find_cache(folder: Path, stem: str, count: int) -> Path | None:
    """The smallest complete cache of at least `count` phantoms; the first `count` are the same."""
    sizes = [int(path.name.removeprefix(stem)) for path in folder.glob(f"{stem}*")]
    for size in sorted(size for size in sizes if size >= count):
        if (folder / f"{stem}{size}" / "records.json").exists():
            return folder / f"{stem}{size}"
    return None


def _hash_source() -> str:
    """A short hash of the labels and of the code that draws phantoms, not of what writes them."""
    digest = hashlib.sha256()
    for path in sorted(Path(phantoms.__file__).parent.glob("*.py")):
        if path.name not in ("write.py", "truth.py", "__init__.py"):
            digest.update(path.read_bytes())
    digest.update(repr((CHANNELS, LABEL_KEYS)).encode())
    return digest.hexdigest()[:12]


def _fill_cache(
    cache: Path, count: int, drawing: tuple[int, str, str], workers, on_progress
) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    shapes = {
        "films": (count, SIZE, SIZE),
        "patches": (count, GRID * GRID, len(CHANNELS)),
        "labels": (count, len(FILM_LABELS)),
    }
    arrays = {
        name: np.lib.format.open_memmap(cache / f"{name}.npy", "w+", np.uint8, shape)
        for name, shape in shapes.items()
    }
    records: list[dict[str, Any]] = []
    for start, films, patches, labels, block_records in _render_blocks(count, drawing, workers):
        stop = start + len(films)
        arrays["films"][start:stop], arrays["patches"][start:stop] = films, patches
        arrays["labels"][start:stop] = labels
        records.extend(block_records)
        on_progress(stop, count)
    for array in arrays.values():
        array.flush()
    # The records are written last, by renaming: if they exist, the arrays are complete.
    write_file(cache / "records.json", json.dumps(records).encode())


def _render_blocks(count: int, drawing: tuple[int, str, str], workers: int | None) -> Iterator:
    jobs = [(i, min(i + 50, count), *drawing) for i in range(0, count, 50)]
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        yield from pool.map(_render_block, jobs)
