"""What is wrong with a phantom and what has been put into it, as numbers, before any film.

An `Abnormality` is one disease or device with its place and size. Findings occur together as they
do in people, and sizes keep clear of the borders between degrees, where two readers would differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assistant.chest.places import DEGREES, LEFT, RIGHT, SIDES, ZONES
from assistant.chest.vocabulary import DEVICES, DISTRACTORS
from assistant.chest.vocabulary import PHANTOM_FINDINGS as FINDINGS

SIGN = {RIGHT: -1, LEFT: 1}  # of x in body coordinates

Sizes = Mapping[str, tuple[float, float]]
# What is measured of a finding decides its degree.
SIZES: Mapping[str, Sizes] = {
    "cardiomegaly": {"small": (0.53, 0.57), "moderate": (0.59, 0.63), "large": (0.65, 0.71)},
    "pleural_effusion": {"small": (17, 26), "moderate": (33, 60), "large": (72, 120)},  # mm
    "pneumothorax": {"small": (14, 24), "moderate": (30, 45), "large": (54, 85)},  # mm
}
SHARES: Mapping[str, tuple[float, float, float]] = {
    "cardiomegaly": (0.35, 0.4, 0.25),
    "pleural_effusion": (0.45, 0.35, 0.2),
    "pneumothorax": (0.4, 0.35, 0.25),
}
# Where the tip of an endotracheal tube lies above the carina, mm (3 to 7 cm is in place; Goodman
# et al. 1976, "Radiographic evaluation of endotracheal tube position").
TIP_MM: Sizes = {"too low": (-12, 20), "in place": (32, 66), "too high": (78, 98)}


@dataclass(frozen=True, slots=True)
class Abnormality:
    """One disease, variant or device of a phantom."""

    finding: str  # a key of the vocabulary
    side: str | None = None
    zone: str | None = None
    degree: str | None = None  # small, moderate, large; for a tube where its tip is
    size: float = 0.0  # mm, a ratio for the heart, severity 0 to 1 for what is diffuse
    density: float = 1.0  # share of the air replaced, for what fills air spaces
    seed: int = 0  # of its place and texture: the same on every film of the patient


@dataclass(frozen=True, slots=True)
class Pathology:
    """All that a phantom has; empty for a healthy one."""

    ills: tuple[Abnormality, ...] = ()

    def of(self, *findings: str) -> tuple[Abnormality, ...]:
        """Those of some kinds."""
        return tuple(ill for ill in self.ills if ill.finding in findings)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _sized(rng: np.random.Generator, finding: str, side: str | None = None) -> Abnormality:
    """A finding whose degree follows its size."""
    degree = str(rng.choice(DEGREES, p=SHARES[finding]))
    size = float(rng.uniform(*SIZES[finding][degree]))
    return Abnormality(finding, side, None, degree, size, seed=_seed(rng))


def draw_pathology(rng: np.random.Generator, devices: float = 1.0) -> Pathology:
    """Draw what a phantom has: a quarter have no finding; `devices` scales how many have those."""
    ills: list[Abnormality] = []
    if rng.random() > 0.25:
        while not ills:
            ills = _findings(rng)
    ills += _distractors(rng)
    return Pathology(tuple(ills + _devices(rng, ills, devices)))


def _findings(rng: np.random.Generator) -> list[Abnormality]:
    ills: list[Abnormality] = []
    wet = rng.random() < 0.13
    airy = not wet and rng.random() < 0.13
    if wet:
        ills.append(Abnormality("oedema", size=float(rng.uniform(0.5, 1.0)), seed=_seed(rng)))
    # Oedema is mostly the failing heart's: it brings a large heart and fluid with it.
    if not airy and rng.random() < (0.6 if wet else 0.18):
        ills.append(_sized(rng, "cardiomegaly"))
    if airy:
        ills.append(
            Abnormality("hyperinflation", size=float(rng.uniform(0.55, 1.0)), seed=_seed(rng))
        )
    if not wet and rng.random() < 0.12:
        severity = float(rng.uniform(0.55, 1.0))
        ills.append(Abnormality("interstitial_pattern", size=severity, seed=_seed(rng)))
    fluid = [side for side in SIDES if rng.random() < (0.38 if wet else 0.16)]
    ills += [_sized(rng, "pleural_effusion", side) for side in fluid]
    dry = [side for side in SIDES if side not in fluid]
    collapsed = None
    if dry and not wet and rng.random() < (0.22 if airy else 0.15):
        collapsed = str(rng.choice(dry))
        ills.append(_sized(rng, "pneumothorax", collapsed))
    return ills + _focal(rng, ills, wet, collapsed)


def _focal(rng, ills: list[Abnormality], wet: bool, collapsed: str | None) -> list[Abnormality]:
    """What has a place of its own in a lung that is neither wet nor collapsed."""
    out: list[Abnormality] = []
    fluid = {ill.side: ill.degree for ill in ills if ill.finding == "pleural_effusion"}
    free = [(s, z) for s in SIDES if s != collapsed for z in _above(fluid.get(s))]
    order = list(rng.permutation(len(free)))

    def take(zones: tuple[str, ...] = ZONES) -> tuple[str, str] | None:
        """A place that nothing has taken yet: two lesions never lie on each other."""
        for at in order:
            if free[at][1] in zones:
                order.remove(at)
                return free[at]
        return None

    def put(finding: str, place, size: float, density: float = 1.0) -> None:
        if place is not None:
            side, zone = place
            out.append(Abnormality(finding, side, zone, None, size, density, _seed(rng)))

    if not wet and rng.random() < 0.2:
        for _ in range(1 + (rng.random() < 0.25)):
            put("consolidation", take(), float(rng.uniform(24, 44)), float(rng.uniform(0.5, 1)))
    if rng.random() < 0.14:
        put("mass", take(), float(rng.uniform(35, 62)))
    if rng.random() < 0.22:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))):
            put("nodule", take(), float(rng.triangular(8, 17, 28)))
    if not wet and rng.random() < 0.16:
        put("atelectasis", take(("lower",)), float(rng.uniform(45, 85)))
    return out


def _above(fluid: str | None) -> tuple[str, ...]:
    """Zones of a lung that fluid of a degree does not hide."""
    if fluid is None:
        return ZONES
    return ("upper", "mid") if fluid == "small" else ("upper",)


def _distractors(rng: np.random.Generator) -> list[Abnormality]:
    out: list[Abnormality] = []
    if rng.random() < 0.10:
        side, zone = str(rng.choice(SIDES)), str(rng.choice(ZONES))
        out.append(
            Abnormality("granuloma", side, zone, None, float(rng.uniform(4, 7)), seed=_seed(rng))
        )
    if rng.random() < 0.07:
        bend = float(rng.choice([-1, 1]) * rng.uniform(17, 30))
        out.append(Abnormality("scoliosis", size=bend, seed=_seed(rng)))
    if rng.random() < 0.08:
        side = str(rng.choice(SIDES))
        out.append(Abnormality("fracture", side, size=float(rng.uniform(12, 18)), seed=_seed(rng)))
    return out


def _devices(rng: np.random.Generator, ills: list[Abnormality], rate: float) -> list[Abnormality]:
    """Tubes, lines and wires; drains lie where there was air or fluid."""
    out: list[Abnormality] = []
    sick = any(ill.finding in ("oedema", "consolidation") for ill in ills)
    hearts = any(ill.finding == "cardiomegaly" for ill in ills)
    if rng.random() < rate * (0.2 if sick else 0.08):
        at = str(rng.choice(list(TIP_MM), p=[0.25, 0.55, 0.2]))
        tip = float(rng.uniform(*TIP_MM[at]))
        out.append(Abnormality("endotracheal_tube", None, None, at, tip, seed=_seed(rng)))
    if rng.random() < rate * (0.2 if sick else 0.09):
        side = str(rng.choice(["right", "left"], p=[0.65, 0.35]))
        out.append(Abnormality("central_line", side, seed=_seed(rng)))
    if rng.random() < rate * (0.18 if hearts else 0.06):
        side = str(rng.choice(["right", "left"], p=[0.2, 0.8]))
        out.append(Abnormality("pacemaker", side, seed=_seed(rng)))
    if rng.random() < rate * (0.2 if hearts else 0.06):
        out.append(Abnormality("sternotomy_wires", seed=_seed(rng)))
    for ill in ills:
        drained = ill.finding in ("pleural_effusion", "pneumothorax") and ill.degree != "small"
        if drained and rng.random() < rate * 0.35:
            aim = "upper" if ill.finding == "pneumothorax" else "lower"
            out.append(Abnormality("chest_drain", ill.side, aim, seed=_seed(rng)))
            break
    return out


def earlier(rng: np.random.Generator, now: Pathology) -> Pathology:
    """What the patient had on an earlier film: some of it came since, went, grew or shrank."""
    then: list[Abnormality] = []
    for ill in now.ills:
        if ill.finding in DEVICES:
            if ill.finding in ("pacemaker", "sternotomy_wires") or rng.random() < 0.5:
                then.append(ill)
        elif ill.finding in DISTRACTORS or rng.random() < 0.7:
            then.append(_resized(rng, ill) if rng.random() < 0.55 else ill)
    kinds = {ill.finding for ill in now.ills}
    for ill in draw_pathology(rng, devices=0.0).ills:  # what has since gone
        clash = kinds & _EXCLUDES.get(ill.finding, {ill.finding})
        if ill.finding in FINDINGS and not clash and rng.random() < 0.5:
            then.append(ill)
            kinds.add(ill.finding)
    return Pathology(tuple(then))


_LUNG = {"oedema", "pleural_effusion", "pneumothorax", "consolidation", "atelectasis"}
# Things that would lie on each other, or that do not come and go, are not added to the past.
_EXCLUDES: Mapping[str, set[str]] = {
    "oedema": {*_LUNG, "hyperinflation", "interstitial_pattern"},
    "pleural_effusion": _LUNG,
    "pneumothorax": _LUNG,
    "consolidation": {*_LUNG, "nodule", "mass"},
    "atelectasis": {*_LUNG, "nodule", "mass"},
    "nodule": set(FINDINGS),
    "mass": set(FINDINGS),
    "cardiomegaly": {"cardiomegaly", "hyperinflation"},
    "interstitial_pattern": set(FINDINGS),
    "hyperinflation": set(FINDINGS),
}


def _resized(rng: np.random.Generator, ill: Abnormality) -> Abnormality:
    """The same finding at another degree, or at clearly another size where it has none."""
    if ill.finding in SIZES:
        degree = str(rng.choice([d for d in DEGREES if d != ill.degree]))
        return replace(ill, degree=degree, size=float(rng.uniform(*SIZES[ill.finding][degree])))
    return ill
