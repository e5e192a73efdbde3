"""Who stands before the detector: the size and shape of one phantom, drawn at random.

Everything here is numbers about one person in millimetres; it knows nothing of pixels. The
axes are x to the patient's left (the right of the film), y down, z towards the front of the
body; the origin is the middle of the chest. A side is -1 for the patient's right, +1 for left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assistant.chest.phantoms.pathology import Pathology

NORMAL_RATIO = (0.37, 0.485)
CARINA = 88.0  # below the apices, mm


@dataclass(frozen=True, slots=True)
class Person:
    """The anatomy of a phantom, in millimetres and radians."""

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
    spine_bend: float  # amplitude of the spine's sideways curve
    gas_bubble: float  # radius of the stomach bubble, 0 for none
    arms: float  # half-width of the shoulders
    aeration: float  # attenuation of the lung against a healthy one

    @property
    def carina(self) -> float:
        """y of the fork of the windpipe."""
        return self.apex + CARINA

    @property
    def trachea(self) -> float:
        """x of the windpipe."""
        return 3 + 0.5 * self.rotation


@dataclass(frozen=True, slots=True)
class Population:
    """How the people of one hospital differ from the reference."""

    scale: float = 1.0  # of the skeleton
    fat: float = 1.0
    breath: tuple[float, float] = (0.86, 1.08)  # depth of inspiration
    rotation: float = 4.0  # spread, mm


REFERENCE = Population()


def draw_person(rng: np.random.Generator, population: Population) -> Person:
    """Draw a healthy body; sizes follow adults of both sexes."""
    scale = population.scale * float(np.clip(rng.normal(1.0, 0.06), 0.86, 1.14))
    breath = rng.uniform(*population.breath)
    woman = rng.random() < 0.5
    dome_right = 82 * scale * breath + rng.normal(0, 4)
    return Person(
        cage_width=132 * scale * rng.uniform(0.95, 1.05),
        cage_depth=92 * scale * rng.uniform(0.88, 1.12),
        apex=-132 * scale + rng.normal(0, 4),
        dome=(dome_right, dome_right + rng.uniform(4, 18)),
        dome_height=rng.uniform(34, 58),
        fat=(float(rng.gamma(4.0, 4.5)) + 8) * population.fat,
        breast=float(rng.uniform(8, 38)) if woman else 0.0,
        cardiothoracic_ratio=float(rng.uniform(*NORMAL_RATIO)),
        heart_tilt=rng.uniform(0.45, 0.85),
        aorta=rng.uniform(13, 20),
        rotation=float(rng.normal(0, population.rotation)),
        lean=float(rng.normal(0, 0.022)),
        shift=(float(rng.normal(0, 6)), float(rng.normal(8, 8))),
        rib_spacing=25.5 * scale * rng.uniform(0.94, 1.06),
        rib_phase=rng.uniform(0, 1),
        spine_bend=float(np.clip(rng.normal(0, 3), -6, 6)),
        gas_bubble=float(rng.uniform(12, 26)) if rng.random() < 0.45 else 0.0,
        arms=rng.uniform(195, 255),
        aeration=1.0,
    )


def with_pathology(person: Person, pathology: Pathology) -> Person:
    """The body as its disease has shaped it: heart, diaphragm, spine and lung volume."""
    for ill in pathology.ills:
        if ill.finding == "cardiomegaly":
            person = replace(person, cardiothoracic_ratio=ill.size)
        elif ill.finding == "scoliosis":
            person = replace(person, spine_bend=ill.size)
        elif ill.finding == "atelectasis":  # the lung has shrunk and draws its dome up
            rise = 0.16 * ill.size
            right, left = person.dome
            dome = (right - rise, left) if ill.side == "right" else (right, left - rise)
            person = replace(person, dome=dome)
        elif ill.finding == "hyperinflation":
            flat = ill.size
            right, left = person.dome
            person = replace(
                person,
                dome=(right + 22 * flat, left + 22 * flat),
                dome_height=20 - 7 * flat,
                cage_depth=person.cage_depth * (1 + 0.10 * flat),
                cardiothoracic_ratio=min(person.cardiothoracic_ratio, 0.42) - 0.05 * flat,
                aeration=1 - 0.30 * flat,
            )
    return person
