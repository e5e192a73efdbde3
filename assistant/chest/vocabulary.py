"""The findings of a chest radiograph: their keys, their names, and the words for them.

Data about anatomy and wording only. The findings lie in tables by organ; here are the statements of
normality, the places, and the look-ups. Negation, clauses and sections are read by
`assistant/labeller/`.
"""

from __future__ import annotations

from assistant.chest.bone_findings import BONE_FINDINGS
from assistant.chest.device_findings import DEVICE_FINDINGS, NORMAL
from assistant.chest.heart_findings import HEART_FINDINGS
from assistant.chest.lung_findings import LUNG_FINDINGS
from assistant.chest.terms import (
    ELSEWHERE,
    FINE,
    HEART,
    LESION,
    LIMITS,
    Code,
    Finding,
    Hint,
    Lookalike,
    Normal,
    Place,
)

__all__ = [
    "CARDIOMEGALY", "DEVICES", "DISTRACTORS", "FINDINGS", "GENERIC", "HINTS", "LOOKALIKES",
    "NODULE",
    "NORMAL", "NORMALS",
    "PHANTOM_FINDINGS", "PLACES", "TUBE", "Code", "Finding", "Hint", "Lookalike", "Normal", "Place",
    "finding_named", "finding_of_label",
]  # fmt: skip

CARDIOMEGALY, NODULE, TUBE = "cardiomegaly", "nodule", "endotracheal_tube"
# What a phantom may show: findings that are evaluated, old or harmless findings, devices.
PHANTOM_FINDINGS = (
    CARDIOMEGALY, "oedema", "pleural_effusion", "pneumothorax", "consolidation", NODULE, "mass",
    "atelectasis", "interstitial_pattern", "hyperinflation",
)  # fmt: skip
DISTRACTORS = ("granuloma", "scoliosis", "fracture")
DEVICES = (TUBE, "central_line", "pacemaker", "sternotomy_wires", "chest_drain")

FINDINGS: tuple[Finding, ...] = (
    *LUNG_FINDINGS,
    *HEART_FINDINGS,
    *BONE_FINDINGS,
    *DEVICE_FINDINGS,
)

# A table is read by its rows.
# fmt: off
NORMALS: tuple[Normal, ...] = (
    Normal(("cardiomegaly",), (
        f"{HEART} ~~ normal|unremarkable", f"{HEART} ~~ {LIMITS}", f"normal {HEART}",
        f"normal size of the {HEART}", f"normal size and configuration of the {HEART}",
        f"{HEART} ~~ upper limits of normal",
        "cardiothoracic ratio ~~ normal", f"{HEART} ~ nonenlarged", f"nonenlarged {HEART}",
    )),
    Normal(("cardiomegaly", "enlarged_cardiomediastinum"), (
        "cardiomediastinal|cardio mediastinal? silhouette|contour|contours? ~~ normal|unremarkable",
        f"cardiomediastinal|cardio mediastinal? silhouette|contour|contours? ~~ {LIMITS}",
        "normal|nonenlarged cardiomediastinal silhouette|contour|contours",
    )),
    Normal(("enlarged_cardiomediastinum",), (
        "mediastinum|mediastinal ~~ normal|unremarkable", f"mediastinum|mediastinal ~~ {LIMITS}",
        "normal mediastinum|mediastinal", "not widened",
    )),
    Normal(("consolidation", "lung_opacity"), (
        "lung|lungs|parenchyma ~~ clear", "clear lung|lungs", "lung fields are? clear",
        "clear lung fields",
    )),
    # "Airspace disease" asserts an opacity, but its denial denies consolidation too.
    Normal(("consolidation",), (
        "no|without ~~ airspace disease", "no|without ~~ air space disease",
        "free|clear of ~~ airspace disease",
        "free|clear of ~~ air space disease",
    )),
    Normal(("vascular_congestion",), (
        f"vascularity|vasculature ~~ {FINE}", f"vascularity|vasculature ~~ {LIMITS}",
        "normal pulmonary? vascularity|vasculature",
    )),
    Normal(("pleural_effusion",), (
        "costophrenic|cp angle|angles|sulcus|sulci ~~ clear|sharp|preserved",
    )),
    Normal(("pleural_effusion",
    "pneumothorax"), ("pleural space|spaces|surfaces ~~ clear|normal|unremarkable",)),
    Normal((TUBE,), ("interval? extubation", "extubated"), change="resolved"),
    Normal(("fracture",), (
        f"bones|bony|osseous|skeletal ~~ {FINE}",
        "no ~~ bony|osseous|bone|skeletal abnormality|abnormalities",
        f"osseous|bony ~~ {LIMITS}", "normal bones",
    )),
)

FIELD = "lung? zone|zones|lobe|lobes|lung|lungs|field|fields|hemithorax"
PLACES: tuple[Place, ...] = (
    Place("right", None, ("right|rightsided|rt|r",)),
    Place("left", None, ("left|leftsided|lt|l",)),
    Place("bilateral", None, (
        "bilateral|bilaterally|both|bilat", "each|either side|lung|lungs", "b / l",
    )),
    Place(None, "upper", (
        f"upper {FIELD}", "upper and|or|to", "apex|apical|apices|suprahilar",
    )),
    Place(None, "mid", (
        f"mid|middle {FIELD}", "mid and|or|to", "midlung|midzone|midlungs|midzones",
    )),
    Place(None, "lower", (
        f"lower {FIELD}", "lower and|or|to", "base|bases|basal|basilar|infrahilar",
    )),
    Place("left", "mid", ("lingula|lingular",)),
    Place("left", "lower", ("retrocardiac",)),
    Place("bilateral", "upper", ("biapical",)),
    Place("bilateral", "lower", ("bibasilar|bibasal",)),
    Place("right", "upper", ("rul",)),
    Place("right", "mid", ("rml",)),
    Place("right", "lower", ("rll",)),
    Place("left", "upper", ("lul",)),
    Place("left", "lower", ("lll",)),
)
# Signs and suspicions that leave a finding open.
HINTS: tuple[Hint, ...] = (
    # What is blunted is blacked out.
    Hint("pleural_effusion", (
        "blunting|blunted of? ~~ costophrenic|cardiophrenic xxxx",
        "costophrenic|cp xxxx ~ blunted|blunting|obscured", "costophrenic|cp xxxx? blunting",
        "blunting of? ~~ costophrenic", "costophrenic ~ blunted|blunting",
    )),
    Hint("pneumonia", (
        "infection|infections", "infectious process|processes|etiology|disease|opacity|opacities",
    )),
)
# A word within the name of another finding, as in "calcified and tortuous aorta", names none.
GENERIC = ("calcification",)
# Phrases that look like a place or a finding but are none.
LOOKALIKES: tuple[Lookalike, ...] = (
    Lookalike((
        "right|left ventricle|ventricular|atrium|atrial|main|hand", "right|left upper quadrant",
        "right|left heart|cardiac border|margin|xxxx", "apex of the heart", "cardiac apex",
        "right|left convex",
        "base of the skull|neck", "bone|bony|mineral density", "r / o", "l|r spine",
    )),
    # Nodules and masses of other organs, and infections of them.
    Lookalike((
        f"{ELSEWHERE} {LESION}", f"{ELSEWHERE} ~= {LESION}|metastasis|metastases",
        f"{LESION} in|of|within|involving the? right|left|upper? {ELSEWHERE} gland|lobe?",
        f"{LESION} ~= in|of|within|involving the? right|left|upper? {ELSEWHERE} gland|lobe?",
        f"metastatic|metastases {LESION}|disease? in|to|of|within the? {ELSEWHERE}",
        "soft tissue mass|masses|nodule|nodules|lesion",
        "urinary|wound|skin|line|viral|sinus|ear|osseous|bone tract? infection|infections",
        "soft tissue infection|infections", "patient|he|she|man|woman collapsed",
        "tracheal|trachea|airway|airways collapse|collapsed",
        "infection|infections ~= urinary|wound|skin|sinus|bladder|bone|ear|bloodstream tract?",
    )),
)
# fmt: on

_KEYS = frozenset(finding.key for finding in FINDINGS)
_LABELS = {
    name.replace("_", " ").casefold(): finding.key
    for finding in FINDINGS
    for name in (finding.key, finding.name, *finding.labels)
}


def finding_of_label(label: str) -> str | None:
    """Return the key for a label of NIH ChestX-ray14 or CheXpert, or for a key of our own.

    Case, surrounding spaces and underscores do not matter; None for an unknown label.
    """
    return _LABELS.get(" ".join(label.replace("_", " ").split()).casefold())


def finding_named(key: str) -> Finding:
    """Return the entry of a key; raises KeyError for a key that is not in the vocabulary."""
    return _BY_KEY[key]


_BY_KEY = {finding.key: finding for finding in FINDINGS}
