"""Devices and variants: what lies on a film without being a disease of the lung.

Positions are body millimetres; each function returns the added attenuation (H, W), the mask
and what can be measured.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms.chest import Chest, ball, smooth_step
from assistant.chest.phantoms.lesions import BONE, DrawnShape, place
from assistant.chest.phantoms.pathology import SIGN, Abnormality
from assistant.chest.phantoms.texture import curve, stroke

TOP = 75.0  # above the apices: beyond the upper border of the film


def endotracheal_tube(rng, chest: Chest, ill: Abnormality) -> DrawnShape:
    """A tube in the windpipe; `size` is how far its tip lies above the carina, in mm."""
    person = chest.person
    tip = person.carina - ill.size
    x = person.trachea + rng.uniform(-2, 2)
    end = person.trachea + (3.0 if ill.size < 0 else 0.0)
    points = [(x + rng.uniform(-4, 4), person.apex - TOP), (x, person.apex), (end, tip)]
    path = curve(points)
    wall = stroke(chest, path, 9.0) * 0.25
    wall += stroke(chest, [(a - 3.6, b) for a, b in path], 1.8) * 0.75
    wall += stroke(chest, [(a + 3.6, b) for a, b in path], 1.8) * 0.55
    extra = gaussian_filter(wall, 0.4)
    return extra, extra > 0.10, (("tip_to_carina_mm", round(ill.size, 1)),)


def central_line(rng, chest: Chest, ill: Abnormality) -> DrawnShape:
    """A catheter from the neck or under the clavicle into the superior vena cava."""
    person, sign = chest.person, SIGN[str(ill.side)]
    cava = -19 + 0.3 * person.rotation
    tip = (cava + rng.uniform(-2, 2), person.carina + rng.uniform(5, 38))
    if rng.random() < 0.55:  # jugular
        entry = [(sign * 44, person.apex - 48), (sign * 33, person.apex - 5)]
        entry.append((sign * 22, person.apex + 32))
    else:  # subclavian
        entry = [(sign * 96, person.apex + 40), (sign * 62, person.apex + 22)]
        entry.append((sign * 26, person.apex + 30))
    if sign > 0:  # the left one crosses the midline
        entry.append((0, person.apex + 50))
    points = [*entry, (cava, person.apex + 68), tip]
    extra = gaussian_filter(stroke(chest, curve(points, 60), 3.0) * 0.95, 0.4)
    return extra, extra > 0.08, ()


def pacemaker(rng, chest: Chest, ill: Abnormality) -> DrawnShape:
    """A generator under the clavicle and its leads into the right heart."""
    person, sign = chest.person, SIGN[str(ill.side)]
    x, y = sign * rng.uniform(82, 98), person.apex + rng.uniform(34, 52)
    wide, high = rng.uniform(20, 25), rng.uniform(17, 22)
    angle = np.linspace(0, 2 * np.pi, 40)
    # A superellipse: the rounded box that generators are.
    box = [
        (
            x + wide * np.sign(np.cos(a)) * abs(np.cos(a)) ** 0.6,
            y + high * np.sign(np.sin(a)) * abs(np.sin(a)) ** 0.6,
        )
        for a in angle
    ]
    extra = stroke(chest, box, 1.0, closed=True) * 1.9
    cava = -19 + 0.3 * person.rotation
    floor = person.dome[1]
    ends = [(rng.uniform(18, 34), floor - rng.uniform(0, 14))]
    if rng.random() < 0.7:
        ends.append((-28.0, person.carina + rng.uniform(48, 62)))
    for end in ends:
        way = [(x - sign * 8, y - high + 4), (sign * 48, person.apex + 24)]
        way += [(sign * 14, person.apex + 46)] if sign > 0 else []
        way += [(cava, person.apex + 74), (cava - 3, person.carina + 40), end]
        extra = np.maximum(extra, stroke(chest, curve(way, 80), 2.6) * 1.1)
    extra = gaussian_filter(extra, 0.4)
    return extra, extra > 0.12, ()


def sternotomy_wires(rng, chest: Chest, ill: Abnormality) -> DrawnShape:
    """Five to seven twisted wires in the midline."""
    person = chest.person
    extra = np.zeros_like(chest.body)
    middle = 0.6 * person.rotation
    count = int(rng.integers(5, 8))
    y = person.apex + rng.uniform(56, 70)
    for _ in range(count):
        wide, tilt = rng.uniform(6, 9.5), rng.uniform(-3, 3)
        x = middle + rng.normal(0, 1.2)
        loop = [(x - wide, y - tilt), (x, y + rng.uniform(1.5, 4)), (x + wide, y + tilt)]
        loop += [(x + 0.4 * wide, y - 3.5), (x - wide, y - tilt)]
        extra = np.maximum(extra, stroke(chest, curve(loop, 24), 1.5))
        y += rng.uniform(19, 25)
    extra = gaussian_filter(extra * 1.8, 0.35)
    return extra, extra > 0.12, ()


def chest_drain(rng, chest: Chest, ill: Abnormality) -> DrawnShape:
    """A tube through the side wall, up towards the apex for air or along the base for fluid."""
    person, sign = chest.person, SIGN[str(ill.side)]
    dome = person.dome[0 if sign < 0 else 1]
    wall = person.cage_width + 24
    if ill.zone == "upper":
        enter = (sign * wall, dome - rng.uniform(52, 78))
        way = [(sign * (person.cage_width - 16), enter[1] - 16)]
        way.append((sign * 0.62 * person.cage_width, person.apex + 80))
        way.append((sign * rng.uniform(36, 52), person.apex + rng.uniform(28, 44)))
    else:
        enter = (sign * wall, dome - rng.uniform(18, 40))
        way = [(sign * (person.cage_width - 22), enter[1] - 4)]
        way.append((sign * rng.uniform(48, 64), dome - rng.uniform(2, 14)))
    path = curve([enter, *way], 60)
    extra = stroke(chest, path, 8.5) * 0.30 + stroke(chest, path, 2.2) * 0.7
    extra = gaussian_filter(extra, 0.4)
    return extra, extra > 0.10, ()


def granuloma(rng, chest: Chest, ill: Abnormality) -> DrawnShape | None:
    """A small ball of chalk: denser than any nodule of its size."""
    centre = place(rng, chest, ill, ill.size + 4)
    if centre is None:
        return None
    radius = ill.size / 2
    chord = 2 * ball(chest.grid, centre, (radius, radius, radius))
    extra = 0.16 * np.clip(gaussian_filter(chord, 0.35), 0, None)
    return extra, chord > 0, (("diameter_mm", round(ill.size, 1)),)


def fracture(rng, chest: Chest, ill: Abnormality) -> DrawnShape | None:
    """The callus of a healed rib fracture: a spindle of bone across a rib at the side."""
    sign = SIGN[str(ill.side)]
    x = chest.grid.x * sign
    # Bone over aerated lung, out at the side: a rib with nothing else on it.
    room = (
        (chest.bone > 4)
        & (chest.lung(str(ill.side)) > 30)
        & (x > 0.62 * chest.half_width)
        & (x < chest.half_width - 12)
        & (chest.height > 0.22)
        & (chest.height < 0.8)
    )
    rows, columns = np.nonzero(room)
    if not len(rows):
        return None
    at = int(rng.random() * len(rows))
    centre = (
        float(chest.grid.x[rows[at], columns[at]]),
        float(chest.grid.y[rows[at], columns[at]]),
    )
    tilt = float(sign * rng.uniform(0.5, 0.9))
    half = ill.size / 2
    chord = 2 * ball(chest.grid, centre, (half, 0.62 * half, 5.0), tilt)
    across = (chest.grid.x - centre[0]) * np.cos(tilt) + (chest.grid.y - centre[1]) * np.sin(tilt)
    gap = 1 - 0.55 * np.exp(-((across / 1.3) ** 2))
    extra = BONE * 1.5 * gaussian_filter(chord, 0.5) * gap
    return extra, chord > 0, ()


def scoliosis(chest: Chest) -> DrawnShape:
    """The curve of the spine itself; the chest was built with it, so nothing is added."""
    bend = chest.person.spine_bend * np.sin(chest.grid.y / 70)
    spine = smooth_step((19 - np.abs(chest.grid.x - bend)) / 2) > 0.5
    inside = (chest.height > 0) & (chest.height < 1.2)
    measured = (("curve_mm", round(abs(chest.person.spine_bend), 1)),)
    return np.zeros_like(chest.body), spine & inside, measured
