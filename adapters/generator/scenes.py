"""Phantoms rendered in blocks, each with what the same patient would look like otherwise.

Beside a phantom's film there may be the film without one of its findings, without its bones, and
as site A would have made it: pairs whose difference is known exactly.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation

from adapters.generator.conditions import (
    DEBONE,
    EDIT,
    RESTYLE,
    Condition,
    PlacedClaim,
    ShareBox,
    encode,
)
from assistant.chest.phantoms import FINDINGS, SITES
from assistant.chest.phantoms.case import SIZE, _film, _Scene, _scene
from assistant.chest.phantoms.film import Site
from assistant.chest.phantoms.lesions import Lesion
from assistant.chest.phantoms.pathology import Pathology, draw_pathology
from assistant.chest.vocabulary import NORMAL
from assistant.types import Assertion

BLOCK = 64  # phantoms a file
FILM, EDITED, BONELESS, RESTYLED = range(4)  # kinds of films in a block
SHARE = {EDITED: 0.5, BONELESS: 0.25, RESTYLED: 0.35}
COARSE = 4  # pixels along the edge of a cell of the map of small lesions
SMALL_LESION = 500  # pixels
DENIED = 0.3  # share of phantoms whose condition names something that they do not have


def box_of(mask: np.ndarray) -> ShareBox:
    """The smallest box round a mask, as shares of the film's edges."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def _lesions(scene: _Scene) -> tuple[Lesion, ...]:
    return (*scene.added.lesions, *scene.added.distractors, *scene.added.devices)


def _claim(lesion: Lesion) -> PlacedClaim:
    """The truth about a lesion; the degree of a tube is where its tip lies."""
    polarity = "uncertain" if lesion.faint else "present"
    claim = Assertion(lesion.finding, polarity, lesion.side, lesion.zone, lesion.degree)
    return PlacedClaim(claim, box_of(lesion.mask))


def _condition(rng: np.random.Generator, scene: _Scene, site: Site) -> Condition:
    claims = [_claim(lesion) for lesion in _lesions(scene)]
    if not scene.added.lesions:
        claims.append(PlacedClaim(Assertion(NORMAL)))
    elif rng.random() < DENIED:
        present = {lesion.finding for lesion in scene.added.lesions}
        others = [finding for finding in FINDINGS if finding not in present]
        for finding in rng.choice(others, 2, replace=False):
            claims.append(PlacedClaim(Assertion(str(finding), "absent")))
    sex = "F" if scene.chest.person.breast else "M"
    return Condition(style=site.name, view=site.view, sex=sex, claims=tuple(claims))


def _without_one(rng, stream: list[int], site: Site, pathology: Pathology, scene: _Scene):
    """The scene without one of its lesions, and that lesion; None where there is none."""
    if not pathology.ills:
        return None
    gone = int(rng.integers(len(pathology.ills)))
    rest = tuple(ill for number, ill in enumerate(pathology.ills) if number != gone)
    ill = pathology.ills[gone]
    shown = [x for x in _lesions(scene) if (x.finding, x.side) == (ill.finding, ill.side)]
    shown = [x for x in shown if x.zone in (None, ill.zone)]
    if len(shown) != 1:
        return None
    return _scene(stream, site, Pathology(rest)), shown[0]


def _aligned(film: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A film whose grey scale fits the reference outside a mask: both are windowed by content."""
    outside = np.asarray(binary_dilation(mask, iterations=6)) == 0
    if outside.sum() < SIZE:
        return film
    slope, offset = np.polyfit(film[outside].astype(float), reference[outside].astype(float), 1)
    return np.clip(slope * film + offset, 0, 255).round().astype(np.uint8)


def _small_lesions(scene: _Scene) -> np.ndarray:
    """Cells that a small lesion or a device covers: uint8 (64, 64), 0 or 255."""
    cover = np.zeros((SIZE, SIZE), bool)
    for lesion in _lesions(scene):
        if lesion.mask.sum() < SMALL_LESION or lesion in scene.added.devices:
            cover |= binary_dilation(lesion.mask, iterations=2)
    cells = cover.reshape(SIZE // COARSE, COARSE, SIZE // COARSE, COARSE).any(axis=(1, 3))
    return np.where(cells, 255, 0).astype(np.uint8)


def render(seed: int, index: int, site_name: str) -> list[tuple]:
    """Render a phantom and its other looks: (film, kind, tokens, boxes, small lesions) each.

    The first is the phantom's own film. Films are uint8 (256, 256); the same arguments give the
    same films.
    """
    site = SITES[site_name]
    stream = [seed, ord(site_name), index]
    rng = np.random.default_rng([*stream, 5])
    pathology = draw_pathology(rng, site.devices)
    scene = _scene(stream, site, pathology)
    small = _small_lesions(scene)

    def expose(what: _Scene, how: Site) -> np.ndarray:
        return _film(np.random.default_rng([*stream, 6]), what, how)

    film = expose(scene, site)
    rows = [(film, FILM, *encode(_condition(rng, scene, site)), small)]
    draws = rng.random(4)
    if draws[EDITED] < SHARE[EDITED]:
        edited = _without_one(rng, stream, site, pathology, scene)
        if edited is not None:
            other, lesion = edited
            after = _aligned(expose(other, site), film, lesion.mask)
            claims = (_claim(lesion),)
            rows.append((after, EDITED, *encode(Condition(EDIT, site_name, claims=claims)), small))
    if draws[BONELESS] < SHARE[BONELESS]:
        soft = replace(scene, chest=replace(scene.chest, bone=np.zeros_like(scene.chest.bone)))
        tokens = encode(Condition(DEBONE, site_name))
        rows.append((expose(soft, site), BONELESS, *tokens, small))
    if site_name != "A" and draws[RESTYLED] < SHARE[RESTYLED]:
        tokens = encode(Condition(RESTYLE, "A"))
        rows.append((expose(scene, SITES["A"]), RESTYLED, *tokens, small))
    return rows


def render_block(seed: int, number: int, folder: Path) -> Path:
    """Render block `number` into a file of arrays; it appears only when it is complete."""
    path = folder / f"block-{number:05d}.npz"
    if path.exists():
        return path
    rows, base = [], []
    for index in range(number * BLOCK, (number + 1) * BLOCK):
        made = render(seed, index, sorted(SITES)[index % len(SITES)])
        base += [len(rows)] * len(made)
        rows += made
    films, kinds, tokens, boxes, small = zip(*rows, strict=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            films=np.stack(films),
            kinds=np.array(kinds, np.uint8),
            base=np.array(base, np.int32),  # where in the block the phantom's own film lies
            tokens=np.stack(tokens),
            boxes=np.stack(boxes),
            cover=np.stack(small),
        )
    unfinished.rename(path)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Render blocks into a folder, several at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=2100)
    parser.add_argument("--blocks", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    os.nice(10)  # training goes first
    numbers = range(given.first, given.first + given.blocks)
    with ProcessPoolExecutor(given.workers) as pool:
        jobs = [pool.submit(render_block, given.seed, number, given.folder) for number in numbers]
        for job in jobs:
            job.result()
    return 0


if __name__ == "__main__":
    sys.exit(main())
