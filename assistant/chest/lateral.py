"""Lateral phantom films: for training and testing the gate, not for drafts.

The solids are those of the frontal film, with rays along x instead of z, so that path lengths are
again known in closed form. A lateral film has no labels, since it only has to be told from a
frontal one. It lacks lesions at their true positions, devices and most vessels.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from assistant.chest.phantoms import SIZE, SPLITS
from assistant.chest.phantoms.chest import Grid, ball, cage_profile, smooth_step, tube
from assistant.chest.phantoms.film import Site, expose, mark, site_named
from assistant.chest.phantoms.lesions import BONE, LUNG, TISSUE
from assistant.chest.phantoms.pathology import draw_pathology
from assistant.chest.phantoms.person import Person, draw_person, with_pathology
from assistant.chest.phantoms.texture import noise_field
from assistant.errors import SettingsError

# A chest is thicker from side to side, and filmed with harder rays for it.
HARDER = 0.62


def make_lateral(seed: int, index: int, site: str = "A", split: str = "train") -> np.ndarray:
    """Make the lateral film of the person that `make_phantom` draws from the same arguments.

    Returns uint8 (256, 256), air dark, facing either way. Raises SettingsError for an unknown
    site or split.
    """
    film_site = site_named(site)
    if split not in SPLITS:
        raise SettingsError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
    stream = [seed, SPLITS.index(split), ord(site), index]
    pathology = draw_pathology(np.random.default_rng(stream), film_site.devices)
    body = np.random.default_rng([*stream, 1])
    person = with_pathology(draw_person(body, film_site.people), pathology)
    grid = Grid.of(person, SIZE, float(body.uniform(*film_site.spacing)))
    rng = np.random.default_rng([*stream, 5])
    attenuation = HARDER * _lateral_attenuation(rng, person, grid, film_site)
    film = expose(rng, attenuation.astype(np.float32), film_site)
    if rng.random() < 0.5:
        film = film[:, ::-1].copy()
    return mark(rng, film, film_site)


def _lateral_attenuation(
    rng: np.random.Generator, person: Person, grid: Grid, site: Site
) -> np.ndarray:
    """Return the attenuation (H, W) along x; columns of `grid` are z, the front at the right."""
    y, z = grid.y, grid.x
    inner, reach = _cage_chord(person, y, z, 0.0)
    outer, _ = _cage_chord(person, y, z, 7.0)
    heart = _heart_thickness(person, grid, reach)
    back = -0.60 * person.cage_depth * cage_profile(person, y, 2.0) + rng.uniform(-6, 6)
    column = 30 * np.exp(-(((z - 0.1 * person.cage_depth) / (0.75 * person.cage_depth)) ** 2))
    organs = _organ_thickness(person, y, z)
    lung = np.clip(inner - heart - column - organs, 0, None)
    vessel = 2 * ball(grid, (4, person.carina + 12), (19, 24, 17)) * rng.uniform(0.6, 1.0)
    vessel = vessel + _aorta_thickness(person, y, z, back)
    lung = lung - np.minimum(vessel, lung)
    bone = _spine_thickness(person, y, z, back) + _rib_thickness(person, y, z, reach, outer - inner)
    bone = bone + _sternum_thickness(y, z, reach, person) + _shoulder_thickness(rng, person, grid)
    air = _airway_thickness(person, grid, rng)
    body = _body_thickness(rng, person, grid)
    grain = noise_field(rng, SIZE, 4) * 0.5 + noise_field(rng, SIZE, 8) * 0.5
    disease = _disease_attenuation(rng, person, grid) * np.clip(lung / 60, 0, 1)
    tissue = np.clip(body - lung - air, 0, None)
    aerated = LUNG * person.aeration * lung * (1 + 0.10 * grain)
    return TISSUE * tissue + aerated + BONE * site.bone * gaussian_filter(bone, 0.5) + disease


def _cage_chord(person: Person, y, z, wall: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rib cage's chord along x and half depth, `wall` mm outside its inner surface."""
    width = person.cage_width * cage_profile(person, y + np.float32(wall), 2.5) + wall
    depth = person.cage_depth * cage_profile(person, y + np.float32(wall), 2.0) + wall
    inside = np.clip(1 - np.abs(z / np.maximum(depth, 1)) ** 2.4, 0, None)
    return 2 * width * inside ** (1 / 2.4), depth


def _body_thickness(rng: np.random.Generator, person: Person, grid: Grid) -> np.ndarray:
    """Return the path length through trunk, neck, breasts and the more or less raised arms."""
    y, z = grid.y, grid.x
    shoulder = smooth_step((y - person.apex + 28) / 48)
    width = 62 + (person.cage_width + 30 + 1.3 * person.fat - 62) * shoulder
    depth = 70 + (person.cage_depth + 10 + 0.7 * person.fat - 70) * shoulder
    thickness = 2 * width * np.cbrt(np.clip(1 - np.abs(z / depth) ** 3, 0, None))
    if person.breast:
        centre = (person.cage_depth + 0.5 * person.fat, person.dome[0] - 18)
        thickness = thickness + ball(grid, centre, (person.breast + 18, 56, 60))
    turn, radius = rng.uniform(-0.2, 1.2), rng.uniform(36, 52)
    run = (y - person.apex - 30) * np.sin(turn) - (z - 10) * np.cos(turn)
    distance = (y - person.apex - 30) * np.cos(turn) + (z - 10) * np.sin(turn)
    arms = tube(distance, radius) * smooth_step((40 - run) / 70) * (rng.random() < 0.8)
    return (thickness + arms).astype(np.float32)


def _heart_thickness(person: Person, grid: Grid, reach) -> np.ndarray:
    half = person.cardiothoracic_ratio * person.cage_width
    floor = person.dome[1] + 12
    drop, deep = 0.74 * half, 0.85 * half + 10
    centre = (0.28 * person.cage_depth, floor - drop * 0.8)
    return 2 * ball(grid, centre, (deep, drop, 0.95 * half), -0.35) * (np.abs(grid.x) < reach)


def _organ_thickness(person: Person, y, z) -> np.ndarray:
    """Return the path length below both hemidiaphragms, whose surfaces are the frontal film's."""
    thickness = np.zeros_like(y)
    radius = 0.60 * person.cage_width
    for dome in person.dome:
        level = (y - dome) / person.dome_height - 1.15 * (z / person.cage_depth) ** 2
        thickness += 2 * np.minimum(radius * np.sqrt(np.clip(level, 0, None) / 0.8), radius)
    return thickness


def _aorta_thickness(person: Person, y, z, back) -> np.ndarray:
    arch = person.apex + 66
    down = 2 * tube(z - back - 30, person.aorta * 0.8) * smooth_step((y - arch) / 8)
    bow = np.hypot(y - arch - 22, z - back - 62)
    over = 2 * tube(bow - 32, person.aorta * 0.8) * (y < arch + 22)
    return np.maximum(down, over) * 0.8


def _spine_thickness(person: Person, y, z, back) -> np.ndarray:
    disc = np.abs(((y / 24.0 + person.rib_phase) % 1) - 0.5)
    body = smooth_step((15 - np.abs(z - back)) / 4) * (
        0.7 + 0.3 * smooth_step((0.42 - disc) / 0.08)
    )
    behind = smooth_step((9 - np.abs(z - back + 34)) / 5) * smooth_step((0.38 - disc) / 0.1)
    return 13 * body + 5 * behind


def _rib_thickness(person: Person, y, z, reach, wall) -> np.ndarray:
    """Return the ribs of both sides: slanted bands in the cage wall, falling towards the front."""
    bone = np.zeros_like(y)
    for shift in (0.0, 0.22):  # the two sides never overlap exactly
        at = (
            (y - person.apex - 4 - 0.5 * (z + reach)) / person.rib_spacing
            - person.rib_phase
            - shift
        )
        number = np.round(at)
        distance = np.abs(at - number) * person.rib_spacing
        band = smooth_step((5.6 - distance) / 1.8 + 0.5) * ((number >= -1) & (number <= 9))
        bone += band * np.clip(wall / 2, 0, 30) * smooth_step((0.7 * reach - z) / 30)
    return 0.55 * bone


def _sternum_thickness(y, z, reach, person: Person) -> np.ndarray:
    distance = np.abs(z - reach - 5)
    long = smooth_step((y - person.apex - 40) / 8) * smooth_step((person.apex + 200 - y) / 10)
    return 22 * smooth_step((6 - distance) / 3) * long


def _shoulder_thickness(rng: np.random.Generator, person: Person, grid: Grid) -> np.ndarray:
    """Return shoulder blades and humeral heads, roughly where raised arms bring them."""
    bone = np.zeros_like(grid.x)
    for _ in range(2):
        at = (rng.uniform(-25, 25), person.apex + rng.uniform(0, 30))
        bone += 0.7 * ball(grid, at, (24, 24, 24))
        edge = -person.cage_depth * rng.uniform(0.55, 0.85) + 0.15 * (grid.y - person.apex)
        blade = smooth_step((9 - np.abs(grid.x - edge)) / 6)
        blade *= smooth_step((grid.y - person.apex - 10) / 16)
        bone += 9 * blade * smooth_step((person.apex + rng.uniform(90, 140) - grid.y) / 25)
    return bone


def _airway_thickness(person: Person, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    y, z = grid.y, grid.x
    centre = -6 - 0.12 * (y - person.apex)
    air = 1.5 * tube(z - centre, 8.5) * smooth_step((person.carina + 14 - y) / 6)
    if person.gas_bubble:
        radius = person.gas_bubble
        at = (rng.uniform(-30, 20), person.dome[1] + 14 + radius)
        air = air + 2 * ball(grid, at, (1.2 * radius, radius, 1.5 * radius))
    return air


def _disease_attenuation(rng: np.random.Generator, person: Person, grid: Grid) -> np.ndarray:
    """Return occasional fluid behind the dome and opacities anywhere, as in diseased chests."""
    extra = np.zeros_like(grid.x)
    if rng.random() < 0.3:
        level = person.dome[0] - rng.uniform(0, 60) + 30 * (grid.x / person.cage_depth)
        extra += rng.uniform(0.4, 1.2) * smooth_step((grid.y - level) / 18)
    if rng.random() < 0.3:
        at = (rng.uniform(-60, 60), rng.uniform(person.apex + 60, person.dome[0]))
        size = rng.uniform(12, 45)
        distance = np.hypot(grid.x - at[0], grid.y - at[1]) / size
        extra += rng.uniform(0.3, 0.9) * smooth_step((1.1 - distance) / 0.5)
    return extra
