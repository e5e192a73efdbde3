"""What a radiologist would write of a phantom: many phrasings and orders of the same truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.chest.phantoms import wording
from assistant.chest.phantoms.drawn import PathologyEffect
from assistant.chest.phantoms.lesions import Lesion
from assistant.chest.phantoms.pathology import DEGREES

PickPhrase = Callable[[Sequence[str]], str]
LUNGS = (
    "hyperinflation",
    "oedema",
    "interstitial_pattern",
    "consolidation",
    "mass",
    "nodule",
    "atelectasis",
    "granuloma",
)


@dataclass(frozen=True, slots=True)
class PhantomReport:
    """All that is said of one film."""

    indication: str
    findings: str
    impression: str
    caption: str
    comparison: str


def compose(
    rng: np.random.Generator,
    added: PathologyEffect,
    split: str,
    before: PathologyEffect | None = None,
) -> PhantomReport:
    """Write the report of a film.

    Everything in the film is named once in the findings; what is absent is said often, not
    always. `before` is the earlier film that the comparison is with.
    """

    def say(phrases: Sequence[str]) -> str:
        known = phrases if split == "test" or len(phrases) < 3 else phrases[:-1]
        return str(rng.choice(np.array(known, dtype=object)))

    tables = wording.DEVICE_INDICATIONS if added.devices else wording.INDICATIONS
    return PhantomReport(
        indication=str(rng.choice(np.array(tables, dtype=object))),
        findings=_findings(rng, say, added),
        impression=_impression(rng, say, added),
        caption=_caption(rng, added),
        comparison=_comparison(rng, say, added, before) if before else "",
    )


def _findings(rng, say: PickPhrase, added: PathologyEffect) -> str:
    named = (*added.lesions, *added.distractors)
    found = {lesion.finding for lesion in added.lesions}
    heart = [_sentence(say, x) for x in named if x.finding == "cardiomegaly"]
    lungs = [_sentence(say, x) for key in LUNGS for x in named if x.finding == key]
    bones = [_sentence(say, x) for x in named if x.finding in ("scoliosis", "fracture")]
    pleura = _pleura(say, added.lesions)
    if not (lungs or pleura):
        lungs = [say(wording.CLEAR_LUNGS)]
    lungs, pleura = _negatives(rng, say, found, lungs, pleura)
    if not bones and rng.random() < 0.25:
        bones = [say(wording.BONES)]
    devices = [_sentence(say, x) for x in added.devices]
    parts = [heart or [say(wording.HEART_NORMAL)], lungs, pleura, bones]
    order = (0, 1, 2, 3) if rng.random() < 0.6 else tuple(rng.permutation(4))
    parts = [parts[i] for i in order]
    # Devices come first, as an intensive-care reader has it, or last.
    parts = [devices, *parts] if rng.random() < 0.6 else [*parts, devices]
    return " ".join(sentence for part in parts for sentence in part)


def _pleura(say: PickPhrase, lesions: Sequence[Lesion]) -> list[str]:
    effusions = [x for x in lesions if x.finding == "pleural_effusion"]
    air = [x for x in lesions if x.finding == "pneumothorax"]
    if len(effusions) == 2 and effusions[0].degree == effusions[1].degree:
        sentences = [_fill(say(wording.BOTH["pleural_effusion"]), effusions[0])]
    else:
        sentences = [_sentence(say, x) for x in effusions]
    return sentences + [_sentence(say, x) for x in air]


def _negatives(rng, say: PickPhrase, found: set[str], lungs: list[str], pleura: list[str]):
    """Pertinent negatives, each absent finding denied at most once."""
    left = {"pleural_effusion", "pneumothorax", "consolidation", "nodule", "mass", "oedema"} - found
    lungs, pleura = list(lungs), list(pleura)
    for denied, phrases in wording.ABSENT:
        if not set(denied) <= left or rng.random() >= (0.75 if len(denied) == 2 else 0.3):
            continue
        left -= set(denied)
        (pleura if denied[0].startswith("p") else lungs).append(say(phrases))
    return lungs, pleura


def _sentence(say: PickPhrase, lesion: Lesion) -> str:
    if lesion.finding == "endotracheal_tube":
        return say(wording.TUBE[str(lesion.degree)])
    faint = lesion.faint and lesion.finding in wording.FAINT
    table = wording.FAINT if faint else wording.PRESENT
    return _fill(say(table[lesion.finding]), lesion)


def _fill(template: str, lesion: Lesion) -> str:
    degree = lesion.degree or ""
    if lesion.finding == "cardiomegaly":
        degree = wording.OF_THE_HEART[degree]
    side = lesion.side or ""
    text = template.format(
        degree=degree,
        degree_ly=wording.ADVERB.get(degree, ""),
        Degree=degree.capitalize(),
        side=side,
        Side=side.capitalize(),
        zone=lesion.zone or "",
    )
    return text[0].upper() + text[1:]


def _label(lesion: Lesion, *, degree: bool = False) -> str:
    """A finding in a few words: degree, side, zone, name."""
    name = wording.NAMES.get(lesion.finding, lesion.finding.replace("_", " "))
    words = [lesion.side or "", f"{lesion.zone} zone" if lesion.zone else "", name]
    if lesion.finding == "atelectasis":
        words[1] = "basal"
    if degree and lesion.degree in DEGREES:
        heart = lesion.finding == "cardiomegaly"
        words.insert(0, wording.OF_THE_HEART[lesion.degree] if heart else str(lesion.degree))
    return " ".join(word for word in words if word)


def _impression(rng, say: PickPhrase, added: PathologyEffect) -> str:
    if not added.lesions:
        return say(wording.NORMAL_IMPRESSION)
    detailed = rng.random() < 0.5
    items = []
    for lesion in added.lesions:
        pair = [x for x in added.lesions if x.finding == lesion.finding]
        both = lesion.finding == "pleural_effusion" and len(pair) == 2
        if both and lesion is pair[1]:
            continue
        text = "bilateral pleural effusions" if both else _label(lesion, degree=detailed)
        if lesion.faint:
            text = f"possible {text}"
        items.append(text[0].upper() + text[1:] + ".")
    return " ".join(items)


def _caption(rng, added: PathologyEffect) -> str:
    """A few words in any order; now and then something is not mentioned."""
    named = (*added.lesions, *added.devices, *added.distractors)
    words = [_label(x, degree=rng.random() < 0.7) for x in named if rng.random() < 0.85]
    if not words:
        return "chest film." if named else "normal chest film."
    return ", ".join(words[i] for i in rng.permutation(len(words))) + "."


def changes(now: Sequence[Lesion], before: Sequence[Lesion]) -> list[tuple[str, Lesion]]:
    """How findings differ from those of an earlier film: (kind of change, finding)."""
    out = []

    def key(lesion: Lesion) -> tuple:
        return lesion.finding, lesion.side, lesion.zone

    then = {key(x): x for x in before}
    for lesion in now:
        old = then.pop(key(lesion), None)
        if old is None:
            out.append(("new", lesion))
        elif lesion.degree == old.degree:
            out.append(("unchanged", lesion))
        else:
            grown = DEGREES.index(str(lesion.degree)) > DEGREES.index(str(old.degree))
            out.append(("larger" if grown else "smaller", lesion))
    return out + [("resolved", lesion) for lesion in then.values()]


def _comparison(rng, say: PickPhrase, added: PathologyEffect, before: PathologyEffect) -> str:
    sure = [x for x in added.lesions if not x.faint]
    past = [x for x in before.lesions if not x.faint]
    sentences = []
    for kind, lesion in changes(sure, past):
        text = say(wording.COMPARED[kind]).format(what=_label(lesion))
        sentences.append(text[0].upper() + text[1:])
    return " ".join(sentences) or "No change."
