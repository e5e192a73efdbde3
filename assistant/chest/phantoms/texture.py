"""Smooth noise, blood vessels and strokes: what more than one part of a phantom draws with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms.chest import Chest
from assistant.chest.phantoms.pathology import SIGN

FINE = 4  # sub-pixels along an edge, for what is thinner than a pixel


def noise_field(rng: np.random.Generator, size: int, cell: int) -> np.ndarray:
    """Smooth noise of zero mean and unit spread, with structures of about `cell` pixels."""
    coarse = rng.standard_normal((size // cell + 3, size // cell + 3), dtype=np.float32)
    edge = coarse.shape[0] * cell
    field = Image.fromarray(coarse).resize((edge, edge), Image.Resampling.BICUBIC)
    field = np.asarray(field)[:size, :size]
    return field / max(float(field.std()), 1e-6)


def stroke(
    chest: Chest, points: Sequence[tuple[float, float]], width: float, *, closed: bool = False
) -> np.ndarray:
    """How much of each pixel a line of `width` mm through body points (mm) covers, in [0, 1]."""
    size, spacing = chest.grid.x.shape[0], chest.grid.spacing
    person = chest.person
    cos, sin = np.cos(person.lean), np.sin(person.lean)
    at = np.asarray(points, dtype=np.float64)
    # Back from the body's axes to the film's: the inverse of `Grid.of`.
    x = at[:, 0] * cos - at[:, 1] * sin + person.shift[0]
    y = at[:, 0] * sin + at[:, 1] * cos + person.shift[1]
    line = (np.stack([x, y], axis=1) / spacing + size / 2) * FINE
    canvas = Image.new("L", (size * FINE, size * FINE))
    pen = ImageDraw.Draw(canvas)
    thick = max(1, round(width / spacing * FINE))
    dots = [tuple(dot) for dot in line.tolist()]
    if closed:
        pen.polygon(dots, fill=255, outline=255, width=thick)
    else:
        pen.line(dots, fill=255, width=thick, joint="curve")
    return np.asarray(canvas.reduce(FINE), dtype=np.float32) / 255


def curve(points: Sequence[tuple[float, float]], count: int = 40) -> list[tuple[float, float]]:
    """A smooth line through a few points: Catmull and Rom's spline."""
    p = np.asarray(points, dtype=np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(points) - 1 - 1e-9, count)
    i, u = t.astype(int), (t % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    out = 0.5 * (
        2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3
    )
    return [(float(x), float(y)) for x, y in out]


def vessels(rng: np.random.Generator, chest: Chest, fullness: float) -> np.ndarray:
    """Thickness of the blood vessels, branching from the hila into both lungs, in mm.

    `fullness` 1 is normal; oedema widens the vessels, most of all towards the apices.
    """
    person, grid = chest.person, chest.grid
    size = grid.x.shape[0]
    canvas = Image.new("L", (size * 2, size * 2))
    pen = ImageDraw.Draw(canvas)
    for sign in SIGN.values():
        # Nine arteries leave each hilum like a fan; those that run down are the wider ones.
        heading = np.linspace(-1.35, 1.45, 9) + rng.normal(0, 0.12, 9)
        width = rng.uniform(3.0, 4.6, 9) * fullness * np.where(heading > 0, 1.1, 0.8 * fullness)
        start = np.tile((24 + 5 * rng.random(), person.apex + 104 - 8 * (sign > 0)), (9, 1))
        for generation in range(7):
            length = rng.uniform(13, 24, len(width)) * 0.93**generation
            step = np.stack([np.cos(heading), np.sin(heading)], axis=1) * length[:, None]
            end = start + step
            _draw(pen, start, end, width, (sign, person, size, grid.spacing))
            start, heading, width = _fork(rng, end, heading, width)
    drawn = np.asarray(canvas.resize((size, size), Image.Resampling.BOX), dtype=np.float32)
    lung = np.clip((chest.lungs[0] + chest.lungs[1]) / 60, 0, 1)
    return gaussian_filter(drawn / 255 * 9.0, 0.6) * lung


def _fork(rng: np.random.Generator, end, heading, width):
    """The daughters of every vessel, two each, without those too thin to show."""
    turn = rng.normal((-0.32, 0.32), 0.16, (len(width), 2))
    narrow = width[:, None] * rng.uniform(0.62, 0.84, (len(width), 2))
    keep = narrow.ravel() >= 0.6
    return (
        np.repeat(end, 2, axis=0)[keep],
        (heading[:, None] + turn).ravel()[keep],
        narrow.ravel()[keep],
    )


def _draw(pen, start, end, width, frame) -> None:
    sign, person, size, spacing = frame
    scale = 2 / spacing
    middle = (size + person.shift[0] * scale, size + person.shift[1] * scale)
    lines = np.concatenate([start, end], axis=1) * (sign * scale, scale, sign * scale, scale)
    lines += (*middle, *middle)
    tones = np.clip(50 * width, 22, 255).astype(int).tolist()
    thick = np.maximum(1, np.round(width * scale * 0.8)).astype(int).tolist()
    for line, tone, wide in zip(lines.tolist(), tones, thick, strict=True):
        pen.line(line, fill=tone, width=wide)
