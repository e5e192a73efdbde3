"""What the view network learns from: films of the chest, and everything that is none.

Chest films are phantoms of every site, and the real films of folders that the user names. What
is no chest film is drawn here or in `assistant/chest`: no photograph and no other picture is
used, so that those that the gate is measured on are all new to it. "Dead leaves" and the like
stand in for photographs (Baradad et al. 2021, "Learning to see by looking at noise").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from adapters.data.phantom_arrays import phantom_arrays
from assistant.batch.run import read_manifest
from assistant.chest.lateral import make_lateral
from assistant.chest.other_body_parts import make_other_body_part
from assistant.chest.phantoms import SITES
from assistant.intake import read_film
from assistant.intake.resize import square
from assistant.types import OnMessage

KEPT = 96  # pixels a side of what is kept; training cuts 64 from it
PATTERNS = 2  # for every lateral film: nothing else is as manifold


@dataclass(frozen=True, slots=True, eq=False)
class ViewFilms:
    """Films, uint8 (N, 96, 96) each, air dark, upright but for `elsewhere`."""

    phantoms: np.ndarray
    real: np.ndarray
    lateral: np.ndarray
    elsewhere: np.ndarray
    patterns: np.ndarray


def is_held_out(patient: str) -> bool:
    """Whether a patient's films are kept from training: about three in ten, by a hash."""
    return hashlib.sha256(patient.encode()).digest()[0] % 10 >= 7


def gather_films(
    work: Path, folders: Sequence[Path], count: int, split: str, seed: int, on_message: OnMessage
) -> ViewFilms:
    """Material of a split, "train" or "validation": `count` films of each kind.

    Phantoms come from the cache in `work`, as in the training of a backbone. Of the folders'
    patients, those held out are the validation's.
    """
    sites = tuple(SITES)
    share = max(1, count // len(sites))
    phantoms = [
        shrink_film(film)
        for site in sites
        for film in phantom_arrays(work, share, seed, site=site, split=split).films
    ]
    on_message(f"{len(phantoms)} phantoms ({split})")
    real = [film for folder in folders for film in _real(folder, split)]
    on_message(f"{len(real)} real films ({split})")
    lateral, elsewhere = [], []
    for number in range(count):
        site = sites[number % len(sites)]
        lateral.append(shrink_film(make_lateral(seed, number, site, split)))
        elsewhere.append(shrink_film(make_other_body_part(seed, number, site, split)[1]))
    on_message(f"{count} lateral films and as many of other body parts ({split})")
    rng = np.random.default_rng([seed, split == "train"])
    patterns = [draw_pattern(rng) for _ in range(PATTERNS * count)]
    on_message(f"{len(patterns)} patterns ({split})")
    empty = np.zeros((0, KEPT, KEPT), np.uint8)
    return ViewFilms(*(np.stack(x) if x else empty for x in
                      (phantoms, real, lateral, elsewhere, patterns)))  # fmt: skip


def _real(folder: Path, split: str) -> list[np.ndarray]:
    return [
        (square(read_film(row.image).pixels, KEPT) * 255).astype(np.uint8)
        for row in read_manifest(folder).rows
        if is_held_out(f"{folder.name}/{row.patient}") == (split != "train")
    ]


def shrink_film(film: np.ndarray) -> np.ndarray:
    """A film uint8 (H, H) at 96 pixels a side."""
    picture = Image.fromarray(film).resize((KEPT, KEPT), Image.Resampling.BOX)
    return np.asarray(picture)


def draw_pattern(rng: np.random.Generator) -> np.ndarray:
    """A picture of nothing in particular, uint8 (96, 96)."""
    kinds = (_leaves, _leaves, _leaves, _spectrum, _clouds, _stripes, _grey, _page, _scene)
    picture = kinds[int(rng.integers(len(kinds)))](rng).astype(np.float32)
    if rng.random() < 0.3:
        picture = gaussian_filter(picture, rng.uniform(0.5, 2.5))
    if rng.random() < 0.3:
        picture = picture + rng.normal(0, rng.uniform(1, 40), picture.shape)
    if rng.random() < 0.3:
        picture = picture * rng.uniform(0.1, 1) + rng.uniform(0, 60)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _leaves(rng: np.random.Generator) -> np.ndarray:
    """Dead leaves: shapes upon shapes, their sizes by a power law, some of them textured."""
    canvas = Image.new("L", (2 * KEPT, 2 * KEPT), int(rng.integers(256)))
    pen = ImageDraw.Draw(canvas)
    least = rng.uniform(4, 30)
    for _ in range(int(rng.integers(3, 140))):
        size = min(least / max(rng.random(), 0.02) ** 0.6, 160)
        x, y = rng.uniform(-20, 2 * KEPT + 20, 2)
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
        texture = _spectrum(rng) - 128
        picture = picture + texture * rng.uniform(0.1, 0.6)
    if rng.random() < 0.5:  # light falls from one side
        picture = picture * (0.6 + 0.4 * _ramp(rng))
    return picture


def _spectrum(rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency, as that of scenes does, or faster, or slower."""
    power = rng.uniform(0.3, 2.2)
    frequency = np.hypot(np.fft.fftfreq(KEPT)[:, None], np.fft.rfftfreq(KEPT)[None])
    frequency[0, 0] = 1 / KEPT
    shape = (KEPT, KEPT // 2 + 1)
    waves = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    field = np.fft.irfft2(waves / frequency**power, s=(KEPT, KEPT))
    return 128 + field / max(float(field.std()), 1e-9) * rng.uniform(20, 70)


def _clouds(rng: np.random.Generator) -> np.ndarray:
    """Soft blobs, half the time with the left side the mirror of the right, as bodies have."""
    y, x = np.mgrid[0:KEPT, 0:KEPT] / KEPT
    field = np.full((KEPT, KEPT), rng.uniform(0, 255))
    for _ in range(int(rng.integers(1, 9))):
        at, size = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.45, 2)
        blob = np.exp(-((((x - at[0]) / size[0]) ** 2 + ((y - at[1]) / size[1]) ** 2) ** 2))
        field = field + rng.uniform(-255, 255) * blob
    return (field + field[:, ::-1]) / 2 if rng.random() < 0.5 else field


def _stripes(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:KEPT, 0:KEPT] / KEPT
    turn, waves = rng.uniform(0, np.pi), rng.uniform(1, 20)
    field = np.sin(2 * np.pi * waves * (x * np.cos(turn) + y * np.sin(turn)) + rng.uniform(0, 6))
    if rng.random() < 0.5:
        field = field * np.sin(2 * np.pi * waves * (y * np.cos(turn) - x * np.sin(turn)))
    return 128 + rng.uniform(20, 127) * (np.sign(field) if rng.random() < 0.4 else field)


def _ramp(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:KEPT, 0:KEPT] / KEPT
    if rng.random() < 0.5:
        at = rng.uniform(0, 1, 2)
        far = np.hypot(x - at[0], y - at[1])
        return 1 - far / far.max()
    turn = rng.uniform(0, 2 * np.pi)
    return np.clip(0.5 + (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn), 0, 1)


def _grey(rng: np.random.Generator) -> np.ndarray:
    """Nearly nothing: a grey or a ramp, perhaps with a border or a marker."""
    picture = rng.uniform(0, 255) * (_ramp(rng) if rng.random() < 0.6 else np.ones((KEPT, KEPT)))
    if rng.random() < 0.4:
        edge = int(rng.integers(2, 24))
        picture[:edge] = picture[:, :edge] = rng.uniform(0, 255)
    return picture


def _page(rng: np.random.Generator) -> np.ndarray:
    """Lines of text, dark on light or light on dark, as on a page or a screen."""
    paper, ink = sorted(rng.uniform(0, 255, 2))[:: rng.choice((-1, 1))]
    canvas = Image.new("L", (2 * KEPT, 2 * KEPT), int(paper))
    pen = ImageDraw.Draw(canvas)
    size = rng.uniform(7, 30)
    font = ImageFont.load_default(size)
    y = rng.uniform(0, 30)
    while y < 2 * KEPT:
        letters = rng.integers(97, 123, 40).astype(np.uint8)
        letters[rng.random(40) < 0.2] = 32
        pen.text((rng.uniform(0, 20), y), letters.tobytes().decode(), fill=int(ink), font=font)
        y += size * rng.uniform(1.1, 2.0)
    return np.asarray(canvas.reduce(2), np.float32)


def _scene(rng: np.random.Generator) -> np.ndarray:
    """A light sky over dark ground, with things standing on it: what landscapes look like."""
    level = KEPT * rng.uniform(0.25, 0.75)
    line = level + gaussian_filter(rng.normal(0, 60, KEPT), rng.uniform(3, 12))
    y = np.arange(KEPT)[:, None]
    sky, ground = rng.uniform(0, 255, 2)
    field = np.where(y < line[None], sky, ground) + (_spectrum(rng) - 128) * rng.uniform(0.1, 0.7)
    canvas = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(0, 8))):
        x, wide, high = rng.uniform(0, KEPT), rng.uniform(2, 30), rng.uniform(5, 70)
        pen.rectangle([x, level - high, x + wide, level + 20], fill=int(rng.integers(256)))
    return np.asarray(canvas, np.float32)
