"""What a radiologist would write of a phantom: many phrasings of the same truth.

The last phrasing of each list is used only in the test split, so that a scorer which merely
knows the training sentences by heart is found out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assistant.chest.phantoms.lesions import Lesion

HEART_NORMAL = (
    "The heart size is normal.",
    "Heart size is within normal limits.",
    "The cardiac silhouette is normal in size.",
    "The cardiomediastinal silhouette is unremarkable.",
    "The heart is not enlarged.",
)
HEART_LARGE = (
    "There is {degree} cardiomegaly.",
    "The heart is {degree_ly} enlarged.",
    "The cardiac silhouette is {degree_ly} enlarged.",
    "{Degree} enlargement of the cardiac silhouette is seen.",
)
EFFUSION = (
    "There is a {degree} {side} pleural effusion.",
    "A {degree} {side} pleural effusion is present.",
    "{Degree} {side}-sided pleural effusion.",
    "A {degree} pleural effusion is seen on the {side}.",
)
EFFUSIONS = (
    "There are {degree} bilateral pleural effusions.",
    "{Degree} bilateral pleural effusions are present.",
    "{Degree} pleural effusions are seen on both sides.",
)
PNEUMOTHORAX = (
    "There is a {degree} {side} pneumothorax.",
    "A {degree} {side} pneumothorax is present.",
    "{Degree} {side}-sided pneumothorax.",
    "A {degree} pneumothorax is seen on the {side}.",
)
CONSOLIDATION = (
    "There is consolidation in the {side} {zone} zone.",
    "Airspace consolidation is seen in the {side} {zone} zone.",
    "There is a {side} {zone} zone consolidation.",
    "Focal consolidation in the {side} {zone} lung zone.",
)
NODULE = (
    "There is a nodule in the {side} {zone} zone.",
    "A pulmonary nodule is seen in the {side} {zone} zone.",
    "There is a {side} {zone} zone nodule.",
    "A rounded nodule projects over the {side} {zone} lung zone.",
)
OEDEMA = (
    "There is pulmonary edema.",
    "Perihilar haze and vascular congestion are consistent with pulmonary edema.",
    "Findings of pulmonary edema are present.",
    "Bilateral perihilar opacities in keeping with pulmonary edema.",
)
NO_EFFUSION_NO_PNEUMOTHORAX = (
    "No pleural effusion or pneumothorax.",
    "There is no pleural effusion or pneumothorax.",
    "No pneumothorax or pleural effusion is seen.",
    "Neither pleural effusion nor pneumothorax is identified.",
)
NO_EFFUSION = ("No pleural effusion.", "There is no pleural effusion.", "No effusion is seen.")
NO_PNEUMOTHORAX = ("No pneumothorax.", "There is no pneumothorax.", "No pneumothorax is seen.")
CLEAR_LUNGS = (
    "The lungs are clear.",
    "Both lungs are clear without focal consolidation or nodule.",
    "The lungs are clear of consolidation and edema.",
    "No focal airspace disease is seen.",
)
NO_CONSOLIDATION = (
    "No focal consolidation.",
    "There is no consolidation.",
    "No airspace consolidation is seen.",
)
BONES = (
    "The bones are unremarkable.",
    "No acute bony abnormality.",
    "The visualized osseous structures are intact.",
)
NORMAL_IMPRESSION = (
    "No acute cardiopulmonary abnormality.",
    "No acute cardiopulmonary process.",
    "Normal chest radiograph.",
    "No acute disease in the chest.",
)
ADVERB = {"mild": "mildly", "moderate": "moderately", "severe": "severely"}
PHRASES = {
    "pleural_effusion": EFFUSION,
    "pneumothorax": PNEUMOTHORAX,
    "consolidation": CONSOLIDATION,
    "nodule": NODULE,
    "oedema": OEDEMA,
    "cardiomegaly": HEART_LARGE,
}


def compose(rng: np.random.Generator, lesions: Sequence[Lesion], split: str) -> tuple[str, str]:
    """Write the findings and the impression of a phantom.

    Every lesion is named once in the findings; what is absent is said often, not always.
    """

    def say(phrases: Sequence[str]) -> str:
        known = phrases if split == "test" or len(phrases) < 3 else phrases[:-1]
        return str(rng.choice(known))

    found = {lesion.finding for lesion in lesions}
    heart = [_fill(say(HEART_LARGE), x) for x in lesions if x.finding == "cardiomegaly"]
    lungs = [
        _fill(say(PHRASES[x.finding]), x)
        for x in lesions
        if x.finding in ("oedema", "consolidation", "nodule")
    ]
    if not lungs:
        lungs = [say(CLEAR_LUNGS)]
    elif "consolidation" not in found and rng.random() < 0.5:
        lungs.append(say(NO_CONSOLIDATION))
    pleura = _pleura(rng, say, lesions)
    parts = [heart or [say(HEART_NORMAL)], lungs, pleura]
    if rng.random() < 0.3:
        parts = [parts[1], parts[2], parts[0]]
    if rng.random() < 0.3:
        parts.append([say(BONES)])
    findings = " ".join(sentence for part in parts for sentence in part)
    return findings, _impression(say, lesions)


def _pleura(rng, say, lesions: Sequence[Lesion]) -> list[str]:
    effusions = [x for x in lesions if x.finding == "pleural_effusion"]
    air = [x for x in lesions if x.finding == "pneumothorax"]
    if not effusions and not air:
        return [say(NO_EFFUSION_NO_PNEUMOTHORAX)]
    if len({x.degree for x in effusions}) == 1 and len(effusions) == 2:
        sentences = [_fill(say(EFFUSIONS), effusions[0])]
    else:
        sentences = [_fill(say(EFFUSION), x) for x in effusions]
    sentences += [_fill(say(PNEUMOTHORAX), x) for x in air]
    if rng.random() < 0.6:
        sentences += [say(NO_EFFUSION)] if not effusions else []
        sentences += [say(NO_PNEUMOTHORAX)] if not air else []
    return sentences


def _impression(say, lesions: Sequence[Lesion]) -> str:
    if not lesions:
        return say(NORMAL_IMPRESSION)
    named: dict[str, list[Lesion]] = {}
    for lesion in lesions:
        named.setdefault(lesion.finding, []).append(lesion)
    items = []
    for finding, group in named.items():
        sides = [x.side for x in group if x.side]
        side = "bilateral" if len(set(sides)) == 2 else (sides[0] if sides else "")
        zone = group[0].zone or "" if len(group) == 1 else ""
        place = f"{side} {zone} zone" if zone else side
        name = {"oedema": "pulmonary edema"}.get(finding, finding.replace("_", " "))
        plural = "s" if side == "bilateral" and finding == "pleural_effusion" else ""
        text = f"{place} {name}{plural}".strip()
        items.append(text[0].upper() + text[1:] + ".")
    return " ".join(items)


def _fill(template: str, lesion: Lesion) -> str:
    degree = lesion.degree or ""
    text = template.format(
        degree=degree,
        degree_ly=ADVERB.get(degree, ""),
        Degree=degree.capitalize(),
        side=lesion.side or "",
        zone=lesion.zone or "",
    )
    return text[0].upper() + text[1:]
