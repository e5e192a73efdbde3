"""The rows of the vocabulary: a finding, a statement of normality, a place, a code.

Data types only. Phrases are in the small language of `assistant.labeller.matcher`: `a|b` is either
word, `a?` may be missing, `~` stands for up to five words that belong to the same noun ("heart ~
enlarged" reads "the heart is mildly enlarged", not "the heart, and an enlarged thyroid"), and
`~~` also reaches over a list ("heart, hila and mediastinum are normal"); `~=` is a `~` whose words
belong to the phrase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a concept says: the same as the finding, more, less, or only where it lies.
Fit = Literal["same", "broader", "narrower", "place"]


@dataclass(frozen=True, slots=True)
class Code:
    """A concept of a published terminology, by the scheme's designator in DICOM."""

    scheme: Literal["SCT", "DCM", "RADLEX"]  # SNOMED CT, DICOM PS3.16, RadLex
    value: str
    fit: Fit = "same"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding and the words that name it."""

    key: str  # snake_case; what `Assertion.finding` holds
    name: str  # as the reader sees it
    phrases: tuple[str, ...]
    sided: bool = True  # whether it has a side
    zoned: bool = False  # whether it has a lung zone
    labels: tuple[str, ...] = ()  # its names in NIH and CheXpert, besides its own
    code: Code | None = None  # every row of the vocabulary has one


@dataclass(frozen=True, slots=True)
class Normal:
    """Statements of normality and the findings they deny."""

    denies: tuple[str, ...]
    phrases: tuple[str, ...]
    change: str | None = None  # since an earlier film, where the words state one


@dataclass(frozen=True, slots=True)
class Place:
    """Words for a side, a zone or both; lobes count as the zones they project on."""

    side: str | None
    zone: str | None
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hint:
    """Words for a sign or a suspicion that leaves a finding open."""

    key: str  # the finding's
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Words that look like a finding or a place and are none."""

    phrases: tuple[str, ...]


def sct(value: str, fit: Fit = "same") -> Code:
    """Return a concept of SNOMED CT."""
    return Code("SCT", value, fit)


def radlex(value: str, fit: Fit = "same") -> Code:
    """Return a concept of RadLex."""
    return Code("RADLEX", value, fit)


def dcm(value: str) -> Code:
    """Return a concept of DICOM's own terminology (PS3.16, annex D)."""
    return Code("DCM", value)


HEART = "heart|cardiac|cardiopericardial"
LUNG = "lung|lungs|pulmonary"
OPACITY = "opacity|opacities|opacification|opacifications|density|densities"
WIDE = "enlarged|enlargement|prominent|prominence|widened|widening"
FINE = "normal|unremarkable|normally|intact"
LIMITS = "within the? normal|expected limits|range"
TIP = "tube|tubes|drain|drains|catheter|catheters"
NONE = "no|negative|neg|without"
ACUTE = "acute|active"
CHEST = "cardiopulmonary|pulmonary|intrathoracic|thoracic|chest|cardiac|lung|radiographic|xxxx"
TROUBLE = "abnormality|abnormalities|disease|diseases|process|processes|finding|findings|pathology"
VERTEBRA = "vertebra|vertebrae|vertebral|endplate|endplates|spine|spinal"
BONE = (
    "skeletal|bone|bones|bony|osseous|rib|ribs|clavicle|humeral|humerus|scapula|scapular|sternum"
    "|sternal"
)
LESION = (
    "lesion|lesions|nodule|nodules|mass|masses|tumor|tumour|tumors|neoplasm|malignancy|cancer"
    "|cancers|carcinoma"
)
# Organs whose nodules and masses are none of the lung.
ELSEWHERE = (
    "wall|thyroid|breast|breasts|adrenal|liver|hepatic|kidney|renal|spleen|splenic|pancreas|pancreatic"
    "|skin|cutaneous|subcutaneous|scalp|neck|brain|cerebral|abdominal|pelvic|ovarian|uterine"
    "|abdomen|mesenteric|retroperitoneal|pelvis|axilla|axillary|prostate|colonic|colon|bladder|gastric|bowel|parotid|parathyroid"
)
