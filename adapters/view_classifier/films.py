"""The training pictures of the view network: chest films, and pictures that are none.

Chest films are phantoms of every site, and real films from folders that the user names, where a
table `laterals.csv` may name the lateral ones. All other
pictures are drawn, here or in `assistant/chest`. No photograph is used, so that all those that
the gate is measured on are new to it; "dead leaves" and other patterns stand in for them
(Baradad et al. 2021, "Learning to see by looking at noise").
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from adapters.data.phantom_arrays import load_phantom_arrays
from assistant.batch.run import read_manifest
from assistant.chest.lateral import make_lateral
from assistant.chest.other_body_parts import make_other_body_part
from assistant.chest.phantoms import SITES
from assistant.intake import read_film
from assistant.intake.resize import restore_shape, square
from assistant.types import OnMessage

FILM_EDGE = 96  # pixels along one edge; training resamples to 64
TRAINING_SPLITS = ("train", "training", "extra")  # of what a folder states; others are left out
PATTERNS = 2  # for every lateral film, as patterns vary most


def _no_films() -> np.ndarray:
    return np.zeros((0, FILM_EDGE, FILM_EDGE), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class ViewFilms:
    """Films of each kind, uint8 (N, 96, 96), air dark; all upright except `elsewhere`."""

    phantoms: np.ndarray
    real: np.ndarray
    lateral: np.ndarray
    elsewhere: np.ndarray
    patterns: np.ndarray
    real_lateral: np.ndarray = field(default_factory=_no_films)


def is_held_out(patient: str) -> bool:
    """Whether a patient's films are held out from training: about three in ten, by hash."""
    return hashlib.sha256(patient.encode()).digest()[0] % 10 >= 7


def gather_films(
    work: Path, folders: Sequence[Path], count: int, split: str, seed: int, on_message: OnMessage
) -> ViewFilms:
    """Gather the films of a split, "train" or "validation": `count` of each drawn kind.

    Phantoms come from the cache in `work`, as in the training of a backbone. The held-out
    patients of the folders are in the validation split.
    """
    sites = tuple(SITES)
    share = max(1, count // len(sites))
    phantoms = [
        shrink_film(film)
        for site in sites
        for film in load_phantom_arrays(work, share, seed, site=site, split=split).films
    ]
    on_message(f"{len(phantoms)} phantoms ({split})")
    real = [film for folder in folders for film in _read_real_films(folder, split)]
    real_lateral = [film for folder in folders for film in _read_laterals(folder, split)]
    on_message(f"{len(real)} real films and {len(real_lateral)} laterals ({split})")
    lateral, elsewhere = [], []
    for number in range(count):
        site = sites[number % len(sites)]
        lateral.append(shrink_film(make_lateral(seed, number, site, split)))
        elsewhere.append(shrink_film(make_other_body_part(seed, number, site, split)[1]))
    on_message(f"{count} lateral films and as many of other body parts ({split})")
    rng = np.random.default_rng([seed, split == "train"])
    patterns = [draw_pattern(rng) for _ in range(PATTERNS * count)]
    on_message(f"{len(patterns)} patterns ({split})")
    return ViewFilms(*(np.stack(x) if x else _no_films() for x in
                      (phantoms, real, lateral, elsewhere, patterns, real_lateral)))  # fmt: skip


def _read_real_films(folder: Path, split: str) -> list[np.ndarray]:
    return [
        _read_square(row.image, row.shape)
        for row in read_manifest(folder).rows
        if _is_of(f"{folder.name}/{row.patient}", row.split, split)
    ]


def _read_laterals(folder: Path, split: str) -> list[np.ndarray]:
    """The films of `laterals.csv`, a table with the columns `image` and `patient`."""
    table = folder / "laterals.csv"
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as lines:
        return [
            _read_square(folder / row["image"], _shape_of(row))
            for row in csv.DictReader(lines)
            if _is_of(f"{folder.name}/{row['patient']}", row.get("split"), split)
        ]


def _is_of(patient: str, stated: str | None, split: str) -> bool:
    """Whether a film is of a split; what its folder keeps for measuring is of none."""
    kept_apart = (stated or "train") not in TRAINING_SPLITS
    return not kept_apart and is_held_out(patient) == (split != "train")


def _shape_of(row: Mapping[str, str]) -> tuple[int, int] | None:
    columns, rows = (row.get(f"original_{name}") or "" for name in ("columns", "rows"))
    return (int(columns), int(rows)) if columns.isdigit() and rows.isdigit() else None


def _read_square(image: Path, shape: tuple[int, int] | None) -> np.ndarray:
    pixels = read_film(image).pixels
    pixels = restore_shape(pixels, shape) if shape else pixels
    return (square(pixels, FILM_EDGE) * 255).astype(np.uint8)


def shrink_film(film: np.ndarray) -> np.ndarray:
    """Resize a film uint8 (H, H) to 96 pixels along each edge."""
    picture = Image.fromarray(film).resize((FILM_EDGE, FILM_EDGE), Image.Resampling.BOX)
    return np.asarray(picture)


def draw_pattern(rng: np.random.Generator) -> np.ndarray:
    """Draw a random picture that is no radiograph, uint8 (96, 96)."""
    draws = (
        _draw_leaves,
        _draw_leaves,
        _draw_leaves,
        _draw_noise,
        _draw_clouds,
        _draw_stripes,
        _draw_grey,
        _draw_page,
        _draw_scene,
    )
    picture = draws[int(rng.integers(len(draws)))](rng).astype(np.float32)
    if rng.random() < 0.3:
        picture = gaussian_filter(picture, rng.uniform(0.5, 2.5))
    if rng.random() < 0.3:
        picture = picture + rng.normal(0, rng.uniform(1, 40), picture.shape)
    if rng.random() < 0.3:
        picture = picture * rng.uniform(0.1, 1) + rng.uniform(0, 60)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _draw_leaves(rng: np.random.Generator) -> np.ndarray:
    """Dead leaves: overlapping shapes whose sizes follow a power law, some of them textured."""
    canvas = Image.new("L", (2 * FILM_EDGE, 2 * FILM_EDGE), int(rng.integers(256)))
    pen = ImageDraw.Draw(canvas)
    least = rng.uniform(4, 30)
    for _ in range(int(rng.integers(3, 140))):
        size = min(least / max(rng.random(), 0.02) ** 0.6, 160)
        x, y = rng.uniform(-20, 2 * FILM_EDGE + 20, 2)
        corners = int(rng.integers(2, 7))
        tone = int(rng.integers(256))
        if corners == 2:
            wide, high = size * rng.uniform(0.3, 1, 2)
            pen.ellipse([x - wide, y - high, x + wide, y + high], fill=tone)
        else:
            turns = np.sort(rng.uniform(0, 2 * np.pi, corners))
            dots = np.stack([x + size * np.cos(turns), y + size * np.sin(turns)], axis=1)
            pen.polygon([tuple(dot) for dot in dots.tolist()], fill=tone)
    picture = np.asarray(canvas.reduce(2), np.float32)
    if rng.random() < 0.6:
        texture = _draw_noise(rng) - 128
        picture = picture + texture * rng.uniform(0.1, 0.6)
    if rng.random() < 0.5:  # light falls from one side
        picture = picture * (0.6 + 0.4 * _draw_ramp(rng))
    return picture


def _draw_noise(rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency, as in natural scenes, or faster, or slower."""
    power = rng.uniform(0.3, 2.2)
    frequency = np.hypot(np.fft.fftfreq(FILM_EDGE)[:, None], np.fft.rfftfreq(FILM_EDGE)[None])
    frequency[0, 0] = 1 / FILM_EDGE
    shape = (FILM_EDGE, FILM_EDGE // 2 + 1)
    waves = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    field = np.fft.irfft2(waves / frequency**power, s=(FILM_EDGE, FILM_EDGE))
    return 128 + field / max(float(field.std()), 1e-9) * rng.uniform(20, 70)


def _draw_clouds(rng: np.random.Generator) -> np.ndarray:
    """Soft blobs, in half of the cases symmetric, as bodies are."""
    y, x = np.mgrid[0:FILM_EDGE, 0:FILM_EDGE] / FILM_EDGE
    field = np.full((FILM_EDGE, FILM_EDGE), rng.uniform(0, 255))
    for _ in range(int(rng.integers(1, 9))):
        centre, size = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.45, 2)
        blob = np.exp(-((((x - centre[0]) / size[0]) ** 2 + ((y - centre[1]) / size[1]) ** 2) ** 2))
        field = field + rng.uniform(-255, 255) * blob
    return (field + field[:, ::-1]) / 2 if rng.random() < 0.5 else field


def _draw_stripes(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:FILM_EDGE, 0:FILM_EDGE] / FILM_EDGE
    turn, waves = rng.uniform(0, np.pi), rng.uniform(1, 20)
    field = np.sin(2 * np.pi * waves * (x * np.cos(turn) + y * np.sin(turn)) + rng.uniform(0, 6))
    if rng.random() < 0.5:
        field = field * np.sin(2 * np.pi * waves * (y * np.cos(turn) - x * np.sin(turn)))
    return 128 + rng.uniform(20, 127) * (np.sign(field) if rng.random() < 0.4 else field)


def _draw_ramp(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:FILM_EDGE, 0:FILM_EDGE] / FILM_EDGE
    if rng.random() < 0.5:
        centre = rng.uniform(0, 1, 2)
        distance = np.hypot(x - centre[0], y - centre[1])
        return 1 - distance / distance.max()
    turn = rng.uniform(0, 2 * np.pi)
    return np.clip(0.5 + (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn), 0, 1)


def _draw_grey(rng: np.random.Generator) -> np.ndarray:
    """A nearly empty picture: one grey or a ramp, sometimes with a border."""
    picture = rng.uniform(0, 255) * (
        _draw_ramp(rng) if rng.random() < 0.6 else np.ones((FILM_EDGE, FILM_EDGE))
    )
    if rng.random() < 0.4:
        edge = int(rng.integers(2, 24))
        picture[:edge] = picture[:, :edge] = rng.uniform(0, 255)
    return picture


def _draw_page(rng: np.random.Generator) -> np.ndarray:
    """Lines of text, dark on light or light on dark, as on a page or screen."""
    paper, ink = sorted(rng.uniform(0, 255, 2))[:: rng.choice((-1, 1))]
    canvas = Image.new("L", (2 * FILM_EDGE, 2 * FILM_EDGE), int(paper))
    pen = ImageDraw.Draw(canvas)
    size = rng.uniform(7, 30)
    font = ImageFont.load_default(size)
    y = rng.uniform(0, 30)
    while y < 2 * FILM_EDGE:
        letters = rng.integers(97, 123, 40).astype(np.uint8)
        letters[rng.random(40) < 0.2] = 32
        pen.text((rng.uniform(0, 20), y), letters.tobytes().decode(), fill=int(ink), font=font)
        y += size * rng.uniform(1.1, 2.0)
    return np.asarray(canvas.reduce(2), np.float32)


def _draw_scene(rng: np.random.Generator) -> np.ndarray:
    """A sky over ground, with objects standing on it, as in a landscape."""
    level = FILM_EDGE * rng.uniform(0.25, 0.75)
    line = level + gaussian_filter(rng.normal(0, 60, FILM_EDGE), rng.uniform(3, 12))
    y = np.arange(FILM_EDGE)[:, None]
    sky, ground = rng.uniform(0, 255, 2)
    field = np.where(y < line[None], sky, ground) + (_draw_noise(rng) - 128) * rng.uniform(0.1, 0.7)
    canvas = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(0, 8))):
        x, wide, high = rng.uniform(0, FILM_EDGE), rng.uniform(2, 30), rng.uniform(5, 70)
        pen.rectangle([x, level - high, x + wide, level + 20], fill=int(rng.integers(256)))
    return np.asarray(canvas, np.float32)
