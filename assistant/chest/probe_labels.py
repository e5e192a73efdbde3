"""The labels that a probe learns: findings by patch, in a whole film, and by place.

Phantoms show what is drawn in them, each with its mask; the other findings are known from the
reports of real films alone.
"""

from __future__ import annotations

from assistant.chest.places import LARGE, MODERATE, SIDES, ZONES
from assistant.chest.vocabulary import CARDIOMEGALY, DEVICES, DISTRACTORS, PHANTOM_FINDINGS, TUBE

DRAWN = (*PHANTOM_FINDINGS, *DISTRACTORS, *DEVICES)  # in phantoms
# Those that reports of Open-i assert at least 15 times, and the normal film.
REPORTED = (
    "no_finding", "degenerative_spine", "lung_opacity", "aortic_abnormality", "low_lung_volumes",
    "scarring", "calcified_lymph_node", "calcification", "raised_diaphragm", "limited_film",
    "surgical_clips", "emphysema", "postsurgical_change", "vascular_congestion", "lung_lesion",
    "infiltration", "bone_deformity", "support_device", "hernia", "pneumonia",
    "orthopaedic_hardware", "lucency", "pleural_thickening", "arthritis", "chronic_lung_disease",
    "osteopenia", "vertebral_deformity", "kyphosis", "enlarged_cardiomediastinum",
    "hilar_enlargement", "foreign_body", "fibrosis", "bone_lesion", "stent", "soft_tissue_shadow",
)  # fmt: skip
CHANNELS = (*DRAWN, *REPORTED)  # of the patch targets
_SIDED = (
    "pleural_effusion", "pneumothorax", "atelectasis", "fracture", "central_line", "pacemaker",
    "chest_drain",
)  # fmt: skip
ZONED = ("consolidation", "nodule", "mass", "granuloma")
_REPORTED_SIDED = (
    "lung_opacity", "scarring", "calcified_lymph_node", "calcification", "raised_diaphragm",
    "surgical_clips", "postsurgical_change", "lung_lesion", "infiltration", "bone_deformity",
    "pneumonia", "lucency", "pleural_thickening", "hilar_enlargement",
)  # fmt: skip
_REPORTED_ZONED = ("lung_opacity", "infiltration", "scarring")
_GRADED = ("pleural_effusion", "pneumothorax")
_ABOVE_SMALL, _ABOVE_MODERATE = (MODERATE, LARGE), (LARGE,)

# (finding, side, zone, degrees): with degrees, whether it is present at one of these; a label
# without a place is true wherever the finding lies.
LABEL_KEYS: tuple[tuple[str, str | None, str | None, tuple[str, ...]], ...] = (
    *((f, None, None, ()) for f in CHANNELS),
    *((f, s, None, ()) for f in (*_SIDED, *ZONED, *_REPORTED_SIDED) for s in SIDES),
    *((f, s, z, ()) for f in (*ZONED, *_REPORTED_ZONED) for s in SIDES for z in ZONES),
    *((CARDIOMEGALY, None, None, d) for d in (_ABOVE_SMALL, _ABOVE_MODERATE)),
    *((f, s, None, d) for f in _GRADED for s in SIDES for d in (_ABOVE_SMALL, _ABOVE_MODERATE)),
    *((TUBE, None, None, (d,)) for d in ("too low", "too high")),
)
