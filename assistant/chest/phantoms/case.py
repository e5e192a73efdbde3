"""One phantom: a film, the exact truth about it, and a report that says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assistant.chest.phantoms.chest import Chest, build_chest
from assistant.chest.phantoms.drawn import PathologyEffect, add_pathology
from assistant.chest.phantoms.film import Site, expose, mark, site_named
from assistant.chest.phantoms.lesions import BONE, LUNG, TISSUE, Lesion
from assistant.chest.phantoms.pathology import Pathology, draw_pathology, earlier
from assistant.chest.phantoms.person import draw_person, with_pathology
from assistant.chest.phantoms.reports import PhantomReport, compose
from assistant.chest.phantoms.texture import noise_field, vessels

SIZE = 256
SPLITS = ("train", "validation", "test")
HAS_PRIOR = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """An earlier film of the same patient, as far as a report of it goes."""

    days: int  # before the film
    lesions: tuple[Lesion, ...]
    distractors: tuple[Lesion, ...]
    devices: tuple[Lesion, ...]
    findings: str
    impression: str

    @property
    def report(self) -> str:
        """Both sections as they are written in `cases.csv`."""
        return f"Findings: {self.findings}\nImpression: {self.impression}"


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic chest film with its truth."""

    film: np.ndarray  # uint8 (H, W), air dark
    spacing_mm: float
    site: str
    view: str
    lesions: tuple[Lesion, ...]  # the findings
    distractors: tuple[Lesion, ...]  # old or harmless: granuloma, scoliosis, healed fracture
    devices: tuple[Lesion, ...]
    cardiothoracic_ratio: float
    indication: str
    findings: str
    impression: str
    caption: str  # a few words, as pictures have on the web: it need not name everything
    comparison: str  # sentences that compare with the prior; empty where there is none
    prior: Prior | None

    @property
    def report(self) -> str:
        """Both sections as they are written in `cases.csv`."""
        return f"Findings: {self.findings}\nImpression: {self.impression}"


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """One body on one day, projected."""

    chest: Chest
    added: PathologyEffect


def _scene(seed: list[int], site: Site, pathology: Pathology) -> _Scene:
    """The patient of a seed with a pathology: the same bones on every day."""
    rng = np.random.default_rng([*seed, 1])
    person = with_pathology(draw_person(rng, site.people), pathology)
    chest = build_chest(person, SIZE, float(rng.uniform(*site.spacing)))
    return _Scene(chest, add_pathology(chest, pathology, _healthy(chest, site)))


def _healthy(chest: Chest, site: Site) -> np.ndarray:
    """Attenuation (H, W) of the chest without vessels, grain or disease."""
    lung = chest.lungs[0] + chest.lungs[1]
    tissue = np.clip(chest.body - lung - chest.air, 0, None)
    aerated = LUNG * chest.person.aeration * lung
    return TISSUE * tissue + aerated + BONE * site.bone * chest.bone


def _film(rng: np.random.Generator, scene: _Scene, site: Site) -> np.ndarray:
    chest, added = scene.chest, scene.added
    lung = chest.lungs[0] + chest.lungs[1]
    grain = noise_field(rng, SIZE, 4) * 0.55 + noise_field(rng, SIZE, 9) * 0.45
    wet = max((dict(x.measurements).get("severity", 0.0) for x in added.lesions
               if x.finding == "oedema"), default=0.0)  # fmt: skip
    vessel = vessels(rng, chest, 1 + 0.35 * wet) * added.marked
    attenuation = (
        _healthy(chest, site)
        + LUNG * lung * (0.06 * grain * added.marked)
        + TISSUE * 1.25 * vessel
        + added.extra
    )
    return mark(rng, expose(rng, attenuation.astype(np.float32), site), site)


def make_phantom(
    seed: int, index: int, site: str = "A", split: str = "train", *, earlier_film: bool = False
) -> Phantom:
    """Make phantom number `index` of a seed: the same film and report in every process.

    The splits draw from separate random streams, so a test phantom is never a training one.
    About a third have a prior; `earlier_film` gives the film of that prior instead (or, where
    there is none, of the same day). The film is uint8 (256, 256); raises SettingsError for an
    unknown site.
    """
    where = site_named(site)
    stream = [seed, SPLITS.index(split), ord(site), index]
    rng = np.random.default_rng(stream)
    pathology = draw_pathology(rng, where.devices)
    days, before = 0, None
    if rng.random() < HAS_PRIOR:
        days = int(np.exp(rng.uniform(0, 6.6)))
        then = earlier(rng, pathology)
        before = _scene(stream, where, then)
    # Every part of the phantom has a stream of its own, so that the prior's being there or not
    # changes nothing else.
    words = np.random.default_rng([*stream, 2])
    if earlier_film and before is not None:
        return _finish(stream, 3, where, before, compose(words, before.added, split), None)
    scene = _scene(stream, where, pathology)
    report = compose(words, scene.added, split, before.added if before else None)
    prior = None
    if before is not None:
        prior_report = compose(np.random.default_rng([*stream, 2]), before.added, split)
        prior = Prior(
            days=days,
            lesions=before.added.lesions,
            distractors=before.added.distractors,
            devices=before.added.devices,
            findings=prior_report.findings,
            impression=prior_report.impression,
        )
    return _finish(stream, 4, where, scene, report, prior)


def _finish(
    stream: list[int],
    number: int,
    site: Site,
    scene: _Scene,
    report: PhantomReport,
    prior: Prior | None,
) -> Phantom:
    rng = np.random.default_rng([*stream, number])
    return Phantom(
        film=_film(rng, scene, site),
        spacing_mm=scene.chest.grid.spacing,
        site=site.name,
        view=site.view,
        lesions=scene.added.lesions,
        distractors=scene.added.distractors,
        devices=scene.added.devices,
        cardiothoracic_ratio=scene.chest.person.cardiothoracic_ratio,
        indication=report.indication,
        findings=report.findings,
        impression=report.impression,
        caption=report.caption,
        comparison=report.comparison,
        prior=prior,
    )
