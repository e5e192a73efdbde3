"""The healthy chest, projected: how much of what lies on the ray to each pixel.

Every organ is a solid whose intersection with a ray along z is known in closed form, so the
path lengths are exact and no voxel grid is needed. Rays are parallel. All maps are float32
(H, W); lengths are millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms.pathology import SIGN
from assistant.chest.phantoms.person import Person
from assistant.chest.places import SIDES


def smooth_step(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and a smooth cubic between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def overlap(a0, a1, b0, b1):
    """Length of the common part of the intervals [a0, a1] and [b0, b1]."""
    return np.clip(np.minimum(a1, b1) - np.maximum(a0, b0), 0, None)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where the rays go: body coordinates of every pixel."""

    x: np.ndarray
    y: np.ndarray
    spacing: float  # mm a pixel

    @classmethod
    def of(cls, person: Person, size: int, spacing: float) -> Grid:
        """The pixels of a square film of `size` pixels, tilted and shifted with the person."""
        axis = ((np.arange(size) + 0.5 - size / 2) * spacing).astype(np.float32)
        x, y = np.meshgrid(axis - person.shift[0], axis - person.shift[1])
        cos, sin = np.float32(np.cos(person.lean)), np.float32(np.sin(person.lean))
        return cls(x * cos + y * sin, y * cos - x * sin, spacing)


def ball(grid: Grid, centre, radii, tilt: float = 0.0) -> np.ndarray:
    """Half the chord of an ellipsoid, turned by `tilt` in the plane of the film."""
    dx, dy = grid.x - np.float32(centre[0]), grid.y - np.float32(centre[1])
    if tilt:
        cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
    inside = 1 - (dx / np.float32(radii[0])) ** 2 - (dy / np.float32(radii[1])) ** 2
    return np.float32(radii[2]) * np.sqrt(np.clip(inside, 0, None))


def tube(distance: np.ndarray, radius) -> np.ndarray:
    """Chord of a tube whose axis passes the ray at `distance`."""
    return 2 * np.sqrt(np.clip(radius**2 - distance**2, 0, None))


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """Path lengths and landmarks of one projected chest, before any pathology in the lung."""

    grid: Grid
    person: Person
    body: np.ndarray  # through the whole body
    lungs: tuple[np.ndarray, np.ndarray]  # through the right and the left lung
    cage: np.ndarray  # half the inner depth of the rib cage
    height: np.ndarray  # 0 at the lung apex, 1 at the dome of that side
    half_width: np.ndarray  # of the rib cage at the pixel's height
    heart: np.ndarray  # through the heart
    heart_box: tuple[float, float, float, float]  # x0, y0, x1, y1 of the heart, mm
    bone: np.ndarray
    air: np.ndarray  # through the windpipe, the main bronchi and the stomach

    def lung(self, side: str) -> np.ndarray:
        """Path length through the lung of a side."""
        return self.lungs[0 if side == "right" else 1]


def cage_profile(person: Person, y: np.ndarray, power: float) -> np.ndarray:
    """Relative size of the rib cage at a height: 0 at the apex, near 1 from the middle down."""
    base = float(np.mean(person.dome)) + person.dome_height
    t = np.clip((y - person.apex) / (base - person.apex), 0, 1)
    return (1 - (1 - t) ** power) ** 0.55


def _shell(person: Person, grid: Grid, wall: float) -> tuple[np.ndarray, np.ndarray]:
    """Half-width and half-depth of the rib cage, `wall` mm outside its inner surface."""
    profile = cage_profile(person, grid.y[:, :] + np.float32(wall), 2.5)
    width = person.cage_width * profile + wall
    depth = person.cage_depth * cage_profile(person, grid.y + np.float32(wall), 2.0) + wall
    inside = np.clip(1 - np.abs(grid.x / np.maximum(width, 1)) ** 2.4, 0, None)
    return width, depth * inside ** (1 / 2.4)


def _body(person: Person, grid: Grid) -> np.ndarray:
    """Through the whole body: neck, shoulders, trunk, breasts."""
    top = person.apex - 28
    shoulder = smooth_step((grid.y - top + 0.10 * np.abs(grid.x)) / 48)
    trunk = person.cage_width + 30 + 1.3 * person.fat
    waist = smooth_step((grid.y - (person.apex + 70)) / 110)
    width = 66 + (person.arms * (1 - waist) + trunk * waist - 66) * shoulder
    depth = 78 + (person.cage_depth + 10 + 0.7 * person.fat - 78) * shoulder
    inside = np.clip(1 - np.abs(grid.x / width) ** 3, 0, None)
    thickness = 2 * depth * np.cbrt(inside)
    for sign in SIGN.values():
        if person.breast:
            centre = (sign * 0.56 * person.cage_width, person.dome[0] - 18)
            thickness = thickness + ball(grid, centre, (62, 58, person.breast))
    return thickness.astype(np.float32)


def _heart(person: Person, grid: Grid):
    """Front and back of the heart along each ray, and its box in the plane."""
    half = person.cardiothoracic_ratio * person.cage_width
    tilt = person.heart_tilt
    floor = person.dome[1] + 12
    # Two thirds of the heart lie left of the midline; its long axis points down and left.
    long, short = half * 1.02, half * 0.80
    reach = float(np.hypot(long * np.cos(tilt), short * np.sin(tilt)))
    long, short = long * half * 0.90 / reach, short * half * 0.90 / reach
    drop = float(np.hypot(long * np.sin(tilt), short * np.cos(tilt)))
    centre = (0.30 * half + 0.4 * person.rotation, floor - drop * 0.86)
    left = centre[0] + 0.90 * half
    right = left - 2 * half
    atrium_radius = 0.52 * half
    atrium = (right + atrium_radius, centre[1] + 0.12 * drop)
    depth = 0.85 * half + 12
    main = ball(grid, centre, (long * 1.04, short * 0.93, depth), tilt)
    side = ball(grid, atrium, (atrium_radius, drop * 0.72, depth * 0.8))
    half_chord = np.maximum(main, side)
    front = 0.25 * person.cage_depth
    box = (right, centre[1] - drop, left, centre[1] + drop)
    return front - half_chord, front + half_chord, box


def _diaphragm(person: Person, grid: Grid, index: int) -> np.ndarray:
    """Half the depth that the organs under a hemidiaphragm fill at each ray."""
    sign = SIGN[SIDES[index]]
    middle, radius = sign * 0.50 * person.cage_width, 0.60 * person.cage_width
    level = (grid.y - person.dome[index]) / person.dome_height
    q = level - ((grid.x - middle) / radius) ** 2 * 0.8
    return person.cage_depth * np.sqrt(np.clip(q, 0, None) / 1.15)


def _lungs(person: Person, grid: Grid, cage, heart0, heart1):
    """Path lengths through both lungs, with heart, mediastinum and diaphragm cut out."""
    lungs = []
    rise = np.clip((grid.y - person.apex) / 230, 0, 1)
    column = 25 - 10 * np.sin(np.pi * np.clip(rise * 1.5, 0, 1)) + 5 * rise
    for index, sign in enumerate(SIGN.values()):
        floor = _diaphragm(person, grid, index)
        length = 2 * np.clip(cage - floor, 0, None)
        length -= overlap(-cage, -floor, heart0, heart1) + overlap(floor, cage, heart0, heart1)
        edge = sign * grid.x - column - sign * 0.3 * person.rotation
        lungs.append((np.clip(length, 0, None) * smooth_step(edge / 5)).astype(np.float32))
    return lungs[0], lungs[1]


def _ribs(person: Person, grid: Grid, cage, outer) -> np.ndarray:
    """Through the ribs: slanted bands of the cage's wall, once in front and once behind."""
    wall = np.clip(outer - cage, 0, 42)
    reach = cage_profile(person, grid.y, 2.0) * person.cage_depth
    bone = np.zeros_like(grid.x)
    for back in (True, False):
        z = -cage if back else cage
        slope = 0.50 if back else 0.62
        at = (grid.y - person.apex - 4 - slope * (z + reach)) / person.rib_spacing
        at = at - person.rib_phase
        number = np.round(at)
        off = np.abs(at - number) * person.rib_spacing
        high = 5.6 if back else 6.6
        band = smooth_step((high - off) / 1.8 + 0.5)
        rim = 0.62 + 0.38 * smooth_step((off - high + 3.2) / 2.5)  # the cortex is denser
        band = band * rim * ((number >= -1) & (number <= (9 if back else 6)))
        if not back:  # the front ends are cartilage, which hardly shows
            band = band * smooth_step((np.abs(grid.x) - 40) / 22) * 0.75
        bone += band * wall
    below = np.where(grid.x < 0, person.dome[0], person.dome[1])
    return bone * (1 - 0.65 * smooth_step((grid.y - below) / 25))


def _spine(person: Person, grid: Grid) -> np.ndarray:
    bend = person.spine_bend * np.sin(grid.y / 70)
    off = np.abs(grid.x - bend)
    disc = np.abs(((grid.y / 24.0 + person.rib_phase) % 1) - 0.5)
    body = smooth_step((17 - off) / 4) * (0.72 + 0.28 * smooth_step((0.42 - disc) / 0.08))
    pedicle = np.exp(-(((off - 10) / 3) ** 2) - ((disc - 0.1) / 0.12) ** 2) * 0.35
    process = np.exp(-((off / 2.5) ** 2)) * smooth_step((0.36 - disc) / 0.1) * 0.25
    return 11 * (body + pedicle + process)


def _shoulder_girdle(person: Person, grid: Grid) -> np.ndarray:
    bone = np.zeros_like(grid.x)
    for sign in SIGN.values():
        x = sign * grid.x - 10
        run = np.clip(x / 150, 0, 1.2)
        axis = person.apex + 26 - 34 * run + 9 * np.sin(run * 6.0) + sign * person.rotation
        radius = 5.2 + 2.5 * np.abs(run - 0.5)
        chord = tube((grid.y - axis) * 0.96, radius) * smooth_step((x - 6) / 6)
        inner = tube((grid.y - axis) * 0.96, radius - 1.8) * smooth_step((x - 6) / 6)
        bone += np.where(run < 1.13, chord - 0.55 * inner, 0)
        head = (sign * (person.arms - 22), person.apex + 22)
        bone += 0.35 * ball(grid, head, (24, 25, 24))
        edge = person.cage_width + 4 + 0.13 * (grid.y - person.apex)
        blade = smooth_step((sign * grid.x - edge + 22) / 4) * smooth_step(
            (edge + 26 - 0.22 * (grid.y - person.apex) - sign * grid.x) / 5
        )
        blade *= smooth_step((grid.y - person.apex - 8) / 16)
        bone += 5 * blade * smooth_step((person.apex + 150 - grid.y) / 25)
    return bone


def _airways(person: Person, grid: Grid) -> np.ndarray:
    carina = person.carina
    centre = person.trachea
    air = 1.5 * tube(grid.x - centre, 8.5) * smooth_step((carina + 4 - grid.y) / 6)
    for sign, slope in ((-1, 0.75), (1, 1.05)):
        run = np.clip(sign * (grid.x - centre), 0, 60)
        along = smooth_step(run / 4) * smooth_step((42 - run) / 10)
        air = np.maximum(air, tube((grid.y - carina - run / slope * 0.85) * 0.72, 5.5) * along)
    if person.gas_bubble:
        centre = (0.5 * person.cage_width, person.dome[1] + 14 + person.gas_bubble)
        radius = person.gas_bubble
        air = air + 2 * ball(grid, centre, (1.5 * radius, radius, 1.2 * radius))
    return air


def _great_vessels(person: Person, grid: Grid) -> np.ndarray:
    arch = person.apex + 66
    radius = person.aorta
    knob = 2 * ball(grid, (20, arch, 0), (radius, radius * 1.05, 22))
    trunk = 2 * ball(grid, (26, arch + 34, 0), (16, 19, 24))
    ascending = 2 * ball(grid, (-17, arch + 34, 0), (17, 48, 22))
    descending = tube(grid.x - 17 - person.spine_bend, 12) * smooth_step((grid.y - arch) / 8)
    hila = sum(
        2 * ball(grid, (sign * 36, arch + 46 - 7 * (sign > 0), 0), (17, 25, 13), -0.3 * sign)
        for sign in SIGN.values()
    )
    return np.maximum.reduce([knob, trunk, ascending, descending]) + 0.4 * hila


def build_chest(person: Person, size: int, spacing: float) -> Chest:
    """Project a healthy person onto a square film.

    `size` is in pixels, `spacing` in mm a pixel; the maps of the result are (size, size).
    """
    grid = Grid.of(person, size, spacing)
    width, cage = _shell(person, grid, 0.0)
    _, outer = _shell(person, grid, 7.0)
    heart0, heart1, box = _heart(person, grid)
    great = _great_vessels(person, grid)
    lungs = _lungs(person, grid, cage, heart0, heart1)
    lungs = (lungs[0] - np.minimum(great, lungs[0]), lungs[1] - np.minimum(great, lungs[1]))
    bone = _ribs(person, grid, cage, outer) * 0.55 + _spine(person, grid)
    bone += _shoulder_girdle(person, grid) * 1.5
    domes = np.where(grid.x < 0, person.dome[0], person.dome[1])
    return Chest(
        grid=grid,
        person=person,
        body=_body(person, grid),
        lungs=lungs,
        cage=cage,
        height=(grid.y - person.apex) / (domes - person.apex),
        half_width=width,
        heart=heart1 - heart0,
        heart_box=box,
        bone=gaussian_filter(bone, 0.5),
        air=_airways(person, grid),
    )
