"""One phantom: a film, the exact truth about it, and a report that says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assistant.chest.phantoms.chest import build_chest
from assistant.chest.phantoms.film import expose, mark, site_named
from assistant.chest.phantoms.lesions import (
    BONE,
    LUNG,
    TISSUE,
    Lesion,
    add_lesions,
    noise_field,
    vessels,
)
from assistant.chest.phantoms.person import draw_pathology, draw_person
from assistant.chest.phantoms.reports import compose

SIZE = 256
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic chest film with its truth."""

    film: np.ndarray  # uint8 (H, W), air dark
    spacing_mm: float
    site: str
    lesions: tuple[Lesion, ...]
    cardiothoracic_ratio: float
    findings: str
    impression: str

    @property
    def report(self) -> str:
        """Both sections as they are written in `cases.csv`."""
        return f"Findings: {self.findings}\nImpression: {self.impression}"


def make_phantom(seed: int, index: int, site: str = "A", split: str = "train") -> Phantom:
    """Make phantom number `index` of a seed: the same film and report in every process.

    The splits draw from separate random streams, so a test phantom is never a training one.
    The film is uint8 (256, 256); raises SettingsError for an unknown site.
    """
    where = site_named(site)
    rng = np.random.default_rng([seed, SPLITS.index(split), ord(site), index])
    pathology = draw_pathology(rng)
    person = draw_person(rng, pathology)
    spacing = float(rng.uniform(1.34, 1.52))
    chest = build_chest(person, SIZE, spacing)
    extra, marked, lesions = add_lesions(rng, chest, pathology)
    lung = chest.lungs[0] + chest.lungs[1]
    grain = noise_field(rng, SIZE, 4) * 0.55 + noise_field(rng, SIZE, 9) * 0.45
    vessel = vessels(rng, chest, 1 + 0.35 * pathology.oedema) * marked
    tissue = np.clip(chest.body - lung - chest.air, 0, None)
    attenuation = (
        TISSUE * tissue
        + LUNG * lung * (1 + 0.06 * grain * marked)
        + BONE * chest.bone
        + TISSUE * 1.25 * vessel
        + extra
    )
    film = mark(rng, expose(rng, attenuation.astype(np.float32), where), where)
    findings, impression = compose(rng, lesions, split)
    return Phantom(
        film=film,
        spacing_mm=spacing,
        site=site,
        lesions=tuple(lesions),
        cardiothoracic_ratio=person.cardiothoracic_ratio,
        findings=findings,
        impression=impression,
    )
