"""Crude phantom radiographs of other body parts: limbs, hands, skulls, necks, bellies, hips.

They train and test the gate, which must refuse all of them, so they only need to look like
radiographs of bone and soft tissue. Lengths are millimetres.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms import SIZE, SPLITS
from assistant.chest.phantoms.chest import Grid, ball, smooth_step, tube
from assistant.chest.phantoms.film import expose, mark, site_named
from assistant.chest.phantoms.lesions import BONE, TISSUE
from assistant.chest.phantoms.texture import noise_field
from assistant.errors import SettingsError

MAX_ATTENUATION = 4.5  # most attenuation in nepers: thicker parts are exposed with harder rays
# Path lengths through soft tissue (negative: air in it) and through bone.
DrawnBody = tuple[np.ndarray, np.ndarray]
Point = tuple[float, float]


def _distance_to_segment(grid: Grid, a: Point, b: Point) -> np.ndarray:
    """Return the distance of every pixel from the segment between two points."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = ((grid.x - a[0]) * dx + (grid.y - a[1]) * dy) / max(dx * dx + dy * dy, 1e-6)
    t = np.clip(along, 0, 1)
    return np.hypot(grid.x - a[0] - t * dx, grid.y - a[1] - t * dy)


def _draw_bone(grid: Grid, a: Point, b: Point, radius: float) -> np.ndarray:
    """Draw a long bone with its marrow, thicker at both ends."""
    distance = _distance_to_segment(grid, a, b)
    shaft = tube(distance, radius) - 0.6 * tube(distance, 0.62 * radius)
    ends = [2 * ball(grid, end, (1.25 * radius,) * 3) for end in (a, b)]
    return np.maximum.reduce([shaft, 0.6 * ends[0], 0.6 * ends[1]])


def _draw_limb(rng: np.random.Generator, grid: Grid) -> DrawnBody:
    """Draw a length of arm or leg, with one bone or two, and often a joint."""
    thick, bend = rng.uniform(28, 75), rng.uniform(-0.5, 0.5)
    joint = (rng.uniform(-15, 15), rng.uniform(-60, 60))
    up = (joint[0] + rng.uniform(-20, 20), -260.0)
    down = (joint[0] + 260 * np.sin(bend), joint[1] + 260 * np.cos(bend))
    soft = np.maximum(
        tube(_distance_to_segment(grid, up, joint), thick),
        tube(_distance_to_segment(grid, joint, down), thick * rng.uniform(0.7, 1)),
    )
    radius = thick * rng.uniform(0.22, 0.36)
    gap = (joint[0], joint[1] - 0.8 * radius), (joint[0], joint[1] + 0.8 * radius)
    if rng.random() < 0.5:
        bones = _draw_bone(grid, up, gap[0], radius) + _draw_bone(grid, gap[1], down, radius)
        return soft, bones
    apart = thick * rng.uniform(0.3, 0.5)
    bones = _draw_bone(grid, up, gap[0], radius)
    for side in (-1, 1):
        bones = bones + _draw_bone(
            grid,
            (gap[1][0] + side * apart, gap[1][1]),
            (down[0] + side * apart * 0.6, down[1]),
            0.6 * radius,
        )
    return soft, bones


def _draw_hand(rng: np.random.Generator, grid: Grid) -> DrawnBody:
    """Draw a hand or a foot: five rays of bones from a palm."""
    scale, spread = rng.uniform(0.8, 1.5), rng.uniform(0.08, 0.2)
    soft = 0.5 * ball(grid, (0, 30 * scale), (42 * scale, 48 * scale, 40))
    soft = np.maximum(soft, tube(_distance_to_segment(grid, (0, 60 * scale), (0, 300)), 30 * scale))
    bones = np.zeros_like(grid.x)
    for side in (-11, 11):
        bones += _draw_bone(grid, (side * scale, 92 * scale), (side * scale, 320), 8 * scale)
    for _ in range(8):
        at = (rng.uniform(-22, 22) * scale, rng.uniform(58, 82) * scale)
        bones += ball(grid, at, (8 * scale, 7 * scale, 8 * scale))
    for ray in range(5):
        turn = (ray - 2) * spread + rng.normal(0, 0.03)
        at = np.array([(ray - 2) * 14.0 * scale, 48 * scale])
        step = np.array([np.sin(turn), -np.cos(turn)])
        for length in (46, 28, 20, 13):
            end = at + step * length * scale * rng.uniform(0.9, 1.1)
            soft = np.maximum(
                soft, tube(_distance_to_segment(grid, tuple(at), tuple(end)), 10 * scale)
            )
            bones += _draw_bone(grid, tuple(at + 2 * step), tuple(end - 2 * step), 4.5 * scale)
            at = end
    return soft, bones


def _draw_skull(rng: np.random.Generator, grid: Grid) -> DrawnBody:
    """Draw a head from the front or from the side, with jaw, teeth, sinuses and neck."""
    side_on = rng.random() < 0.5
    wide, high, wall = (96 if side_on else 76), 92, rng.uniform(5, 9)
    scale = rng.uniform(0.85, 1.1)
    at = (rng.uniform(-15, 15), rng.uniform(-45, -15))
    face = rng.choice((-1, 1)) * (52 if side_on else 0) * scale
    radii = (wide * scale, high * scale, 80 * scale)
    inner = tuple(r - wall for r in radii)
    shell = 2 * ball(grid, at, radii) - 2 * ball(grid, at, inner)
    skin = tuple(r + 8 for r in radii)
    jaw = (at[0] + face, at[1] + 82 * scale)
    soft = np.maximum(2 * ball(grid, at, skin), 2 * ball(grid, jaw, (58, 62, 60)))
    soft = np.maximum(soft, tube(_distance_to_segment(grid, (at[0], at[1] + 60), (at[0], 320)), 56))
    bones = 0.7 * shell + 0.5 * (ball(grid, jaw, (46, 48, 40)) - ball(grid, jaw, (38, 40, 34)))
    for _ in range(10):
        tooth = (jaw[0] + rng.uniform(-25, 25), jaw[1] + rng.uniform(-6, 14))
        bones += 0.8 * ball(grid, tooth, (5, 9, 8))
    for sign in (-1, 1):
        hole = (at[0] + face + sign * (12 if side_on else 32), at[1] + 34 * scale)
        soft = soft - 0.6 * ball(grid, hole, (17, 17, 25))
    spine = smooth_step((15 - np.abs(grid.x - at[0] + 0.4 * face)) / 4) * (grid.y > at[1] + 90)
    return np.clip(soft, 0, None), bones + 14 * spine * (np.abs((grid.y / 18) % 1 - 0.5) < 0.43)


def _draw_neck(rng: np.random.Generator, grid: Grid) -> DrawnBody:
    """Draw a neck: stacked vertebrae with an airway in front of them."""
    curve = rng.uniform(-25, 25) * (grid.y / 150) ** 2
    soft = 2 * np.sqrt(np.clip(rng.uniform(55, 75) ** 2 - (grid.x - curve) ** 2, 0, None))
    soft = soft + 160 * smooth_step((grid.y - rng.uniform(60, 120) - 0.3 * np.abs(grid.x)) / 60)
    block = np.abs((grid.y / rng.uniform(15, 22) + rng.random()) % 1 - 0.5)
    bones = 20 * smooth_step((13 - np.abs(grid.x - curve)) / 3) * smooth_step((0.42 - block) / 0.1)
    ahead = rng.choice((-1, 0, 1)) * 32
    bones = bones + 10 * smooth_step((8 - np.abs(grid.x - curve + ahead)) / 3) * (block < 0.25)
    soft = soft - tube(grid.x - curve - ahead, 8)
    head = 2 * ball(grid, (rng.uniform(-20, 20), -175), (85, 75, 80))
    return np.maximum(np.clip(soft, 0, None), head), bones + 0.15 * head


def _draw_trunk(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    width, depth = rng.uniform(140, 185), rng.uniform(90, 140)
    waist = width * (1 - 0.08 * np.cos(grid.y / 90 + rng.uniform(0, 6)))
    return 2 * depth * np.cbrt(np.clip(1 - np.abs(grid.x / waist) ** 3, 0, None))


def _draw_gas(rng: np.random.Generator, grid: Grid, count: int) -> np.ndarray:
    """Draw bubbles of gas in the bowel."""
    air = np.zeros_like(grid.x)
    for _ in range(count):
        at = (rng.uniform(-120, 120), rng.uniform(-110, 120))
        radius = rng.uniform(9, 26)
        bubble = ball(grid, at, (radius * rng.uniform(0.8, 2), radius, radius), rng.uniform(0, 3))
        air = np.maximum(air, 2 * bubble)
    return air


def _draw_abdomen(rng: np.random.Generator, grid: Grid) -> DrawnBody:
    """Draw an abdomen: lumbar spine, lowest ribs, gas."""
    soft = _draw_trunk(rng, grid) - _draw_gas(rng, grid, int(rng.integers(4, 22)))
    block = np.abs((grid.y / 34 + rng.random()) % 1 - 0.5)
    bones = 20 * smooth_step((22 - np.abs(grid.x)) / 4) * smooth_step((0.44 - block) / 0.08)
    bones += 9 * smooth_step((44 - np.abs(grid.x)) / 4) * (block < 0.08)
    for row in range(3):
        at = np.abs(grid.y + 150 - 26 * row - 0.45 * np.abs(grid.x))
        bones += 6 * smooth_step((6 - at) / 2) * (np.abs(grid.x) > 34) * (np.abs(grid.x) < 150)
    return np.clip(soft, 0, None), bones + _draw_iliac_wings(grid, rng.uniform(105, 160))


def _draw_iliac_wings(grid: Grid, at: float) -> np.ndarray:
    bones = np.zeros_like(grid.x)
    for sign in (-1, 1):
        wing = ball(grid, (sign * 78, at), (62, 62, 18), sign * 0.4)
        bones += 0.6 * wing + 0.5 * (wing - ball(grid, (sign * 78, at), (55, 55, 16), sign * 0.4))
    return bones


def _draw_pelvis(rng: np.random.Generator, grid: Grid) -> DrawnBody:
    """Draw a pelvis with both hips."""
    top = rng.uniform(-70, -20)
    soft = _draw_trunk(rng, grid) - _draw_gas(rng, grid, int(rng.integers(1, 8)))
    bones = _draw_iliac_wings(grid, top) + 0.5 * ball(grid, (0, top + 10), (38, 55, 30))
    for sign in (-1, 1):
        head = (sign * 88.0, top + 95)
        bones += 0.9 * ball(grid, head, (25, 25, 25))
        knee = (sign * rng.uniform(95, 120), 360.0)
        bones += _draw_bone(grid, (sign * 122, head[1] + 30), knee, 16)
        bones += _draw_bone(grid, head, (sign * 122, head[1] + 30), 14)
        ring = ball(grid, (sign * 42, head[1] + 42), (36, 30, 14))
        bones += ring - ball(grid, (sign * 42, head[1] + 42), (22, 18, 11))
    return np.clip(soft, 0, None), bones


PARTS: dict[str, Callable[[np.random.Generator, Grid], DrawnBody]] = {
    "limb": _draw_limb,
    "hand": _draw_hand,
    "skull": _draw_skull,
    "neck": _draw_neck,
    "belly": _draw_abdomen,
    "hips": _draw_pelvis,
}


def make_other_body_part(
    seed: int, index: int, site: str = "A", split: str = "train"
) -> tuple[str, np.ndarray]:
    """Make a film of a body part: its name in `PARTS`, and uint8 (256, 256), air dark.

    The same arguments give the same film; the splits draw from separate random streams. Raises
    SettingsError for an unknown site or split.
    """
    film_site = site_named(site)
    if split not in SPLITS:
        raise SettingsError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
    rng = np.random.default_rng([seed, SPLITS.index(split), ord(site), index, 6])
    part = tuple(PARTS)[int(rng.integers(len(PARTS)))]
    spacing = rng.uniform(0.7, 1.5)
    axis = ((np.arange(SIZE) + 0.5 - SIZE / 2) * spacing).astype(np.float32)
    x, y = np.meshgrid(axis - rng.normal(0, 12), axis - rng.normal(0, 12))
    turn = rng.normal(0, 0.1) + (rng.integers(4) * np.pi / 2 if rng.random() < 0.4 else 0)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    grid = Grid(x * cos + y * sin, y * cos - x * sin, float(spacing))
    soft, bone = PARTS[part](rng, grid)
    grain = noise_field(rng, SIZE, 5) * 0.015
    body = TISSUE * gaussian_filter(soft, 0.7) * (1 + grain)
    attenuation = body + BONE * gaussian_filter(bone, 0.6)
    attenuation *= min(1.0, MAX_ATTENUATION / max(float(np.quantile(attenuation, 0.98)), 1e-6))
    film = expose(rng, attenuation.astype(np.float32), film_site)
    return part, mark(rng, film, film_site)
