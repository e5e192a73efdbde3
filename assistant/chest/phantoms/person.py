"""Who stands before the detector: the size, shape and pathology of one phantom, drawn at random.

Everything here is numbers about one person in millimetres; it knows nothing of pixels. The
axes are x to the patient's left (the right of the film), y down, z towards the front of the
body; the origin is the middle of the chest. A side is -1 for the patient's right, +1 for left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SIDES = (("right", -1), ("left", 1))
SIGN = dict(SIDES)
ZONES = ("upper", "mid", "lower")


@dataclass(frozen=True, slots=True)
class Person:
    """The healthy part of a phantom's anatomy, in millimetres and radians."""

    cage_width: float  # half the inner width of the rib cage at its widest
    cage_depth: float  # half its inner depth
    apex: float  # y of the lung apices
    dome: tuple[float, float]  # y of the top of the right and the left hemidiaphragm
    dome_height: float  # how far a hemidiaphragm falls from its top to its rim
    fat: float  # thickness of the soft tissue outside the ribs
    breast: float  # thickness of the breast shadow, 0 for none
    cardiothoracic_ratio: float  # heart width / inner chest width
    heart_tilt: float  # in-plane rotation of the heart's long axis
    aorta: float  # radius of the aortic knob
    rotation: float  # shift of the front of the chest against the back, mm
    lean: float  # in-plane tilt of the whole person
    shift: tuple[float, float]  # where the middle of the chest lies on the film
    rib_spacing: float
    rib_phase: float
    spine_bend: float
    gas_bubble: float  # radius of the stomach bubble, 0 for none
    arms: float  # half-width of the shoulders


@dataclass(frozen=True, slots=True)
class Effusion:
    side: str
    degree: str
    height: float  # of the fluid's lateral edge above the costophrenic sulcus, mm


@dataclass(frozen=True, slots=True)
class Pneumothorax:
    side: str
    degree: str
    gap: float  # between the apex of the lung and of the chest, mm


@dataclass(frozen=True, slots=True)
class Consolidation:
    side: str
    zone: str
    radius: float  # mean radius in the plane of the film, mm
    density: float  # share of the air replaced, 0 to 1


@dataclass(frozen=True, slots=True)
class Nodule:
    side: str
    zone: str
    diameter: float  # mm


@dataclass(frozen=True, slots=True)
class Pathology:
    """What is wrong with a phantom; empty for a film without finding."""

    cardiomegaly: str | None = None  # its degree
    effusions: tuple[Effusion, ...] = ()
    pneumothorax: Pneumothorax | None = None
    consolidations: tuple[Consolidation, ...] = ()
    nodules: tuple[Nodule, ...] = ()
    oedema: float = 0.0  # severity, 0 to 1


Sizes = Mapping[str, tuple[float, float]]
EFFUSION_MM: Sizes = {"small": (17, 28), "moderate": (28, 68), "large": (68, 123)}
GAP_MM: Sizes = {"small": (14, 26), "moderate": (26, 48), "large": (48, 85)}
RATIO: Sizes = {"mild": (0.54, 0.58), "moderate": (0.58, 0.63), "severe": (0.63, 0.70)}
NORMAL_RATIO = (0.37, 0.485)


def _pick(rng: np.random.Generator, table: Sizes, weights):
    """A degree and a size within its range."""
    degree = str(rng.choice(list(table), p=weights))
    return degree, float(rng.uniform(*table[degree]))


def draw_pathology(rng: np.random.Generator) -> Pathology:
    """Draw findings that occur together as they do in people: 3 in 10 films have none."""
    if rng.random() < 0.3:
        return Pathology()
    while True:
        found = _draw_findings(rng)
        if found != Pathology():
            return found


def _draw_findings(rng: np.random.Generator) -> Pathology:
    oedema = float(rng.uniform(0.45, 1.0)) if rng.random() < 0.16 else 0.0
    # Oedema is mostly the failing heart's: it brings a large heart and fluid with it.
    big_heart = rng.random() < (0.65 if oedema else 0.22)
    effusions = tuple(
        Effusion(side, *_pick(rng, EFFUSION_MM, [0.45, 0.35, 0.2]))
        for side, _ in SIDES
        if rng.random() < (0.40 if oedema else 0.20)
    )
    dry = [side for side, _ in SIDES if side not in {e.side for e in effusions}]
    pneumothorax = None
    if dry and not oedema and rng.random() < 0.20:
        pneumothorax = Pneumothorax(str(rng.choice(dry)), *_pick(rng, GAP_MM, [0.4, 0.35, 0.25]))
    collapsed = pneumothorax.side if pneumothorax else None
    return Pathology(
        cardiomegaly=str(rng.choice(list(RATIO), p=[0.35, 0.4, 0.25])) if big_heart else None,
        effusions=effusions,
        pneumothorax=pneumothorax,
        consolidations=() if oedema else _draw_consolidations(rng, effusions, collapsed),
        nodules=_draw_nodules(rng, effusions, collapsed),
        oedema=oedema,
    )


def _free_zones(effusions: tuple[Effusion, ...], side: str) -> list[str]:
    """Zones of a lung that fluid does not hide."""
    degree = next((e.degree for e in effusions if e.side == side), None)
    return {None: list(ZONES), "small": ["upper", "mid"]}.get(degree, ["upper"])


def _draw_consolidations(rng, effusions, collapsed) -> tuple[Consolidation, ...]:
    places = []
    for side, _ in SIDES:
        if side != collapsed and rng.random() < 0.16:
            zone = str(rng.choice(_free_zones(effusions, side)))
            radius, density = rng.uniform(24, 46), rng.uniform(0.55, 1.0)
            places.append(Consolidation(side, zone, float(radius), float(density)))
    return tuple(places)


def _draw_nodules(rng, effusions, collapsed) -> tuple[Nodule, ...]:
    if rng.random() >= 0.24:
        return ()
    side = str(rng.choice([s for s, _ in SIDES if s != collapsed]))
    zone = str(rng.choice(_free_zones(effusions, side)))
    return (Nodule(side, zone, float(rng.triangular(8, 15, 30))),)


def draw_person(rng: np.random.Generator, pathology: Pathology) -> Person:
    """Draw a body for a pathology; sizes follow adults of both sexes."""
    scale = float(np.clip(rng.normal(1.0, 0.06), 0.86, 1.14))
    breath = rng.uniform(0.86, 1.08)
    woman = rng.random() < 0.5
    dome_right = 82 * scale * breath + rng.normal(0, 4)
    ratio = RATIO[pathology.cardiomegaly] if pathology.cardiomegaly else NORMAL_RATIO
    return Person(
        cage_width=132 * scale * rng.uniform(0.95, 1.05),
        cage_depth=92 * scale * rng.uniform(0.88, 1.12),
        apex=-132 * scale + rng.normal(0, 4),
        dome=(dome_right, dome_right + rng.uniform(4, 18)),
        dome_height=rng.uniform(34, 58),
        fat=float(rng.gamma(4.0, 4.5)) + 8,
        breast=float(rng.uniform(8, 38)) if woman else 0.0,
        cardiothoracic_ratio=float(rng.uniform(*ratio)),
        heart_tilt=rng.uniform(0.45, 0.85),
        aorta=rng.uniform(13, 20),
        rotation=float(rng.normal(0, 4)),
        lean=float(rng.normal(0, 0.022)),
        shift=(float(rng.normal(0, 6)), float(rng.normal(8, 8))),
        rib_spacing=25.5 * scale * rng.uniform(0.94, 1.06),
        rib_phase=rng.uniform(0, 1),
        spine_bend=float(rng.normal(0, 3)),
        gas_bubble=float(rng.uniform(12, 26)) if rng.random() < 0.45 else 0.0,
        arms=rng.uniform(195, 255),
    )
