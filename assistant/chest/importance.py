"""How much findings matter: the order in which a report's impression and a reading name them.

Data only, and coarse: a film's context (age, indication) is not known. Urgent is what a person must
act on at once, acute what changes treatment now, lasting what is worth naming although it is old,
and harmless what is noted and left.
"""

from __future__ import annotations

from assistant.chest.vocabulary import FINDINGS, NORMAL

# The most important first.
URGENT = (
    "pneumothorax", "free_air", "pulmonary_embolism", "mediastinal_shift", "pneumomediastinum",
    "aortic_aneurysm", "pericardial_effusion",
)  # fmt: skip
ACUTE = (
    "mass", "heart_failure", "oedema", "pneumonia", "tuberculosis", "consolidation",
    "pleural_effusion", "nodule", "lung_lesion", "infiltration", "lung_opacity",
    "vascular_congestion", "enlarged_cardiomediastinum", "lymphadenopathy", "hilar_enlargement",
    "subcutaneous_emphysema", "dislocation", "bone_lesion", "fracture", "volume_loss",
    "interstitial_pattern", "foreign_body",
)  # fmt: skip
LASTING = (
    "cardiomegaly", "atelectasis", "enlarged_pulmonary_arteries", "chamber_enlargement",
    "emphysema", "fibrosis", "bulla", "lucency", "bronchial_thickening", "chronic_lung_disease",
    "pleural_thickening", "pleural_plaque", "raised_diaphragm", "hyperinflation", "scarring",
    "low_lung_volumes", "bowel_gas", "hernia", "vertebral_deformity", "situs_anomaly",
)  # fmt: skip
PLACED_BY_A_PERSON = (
    "endotracheal_tube", "chest_drain", "central_line", "gastric_tube", "pacemaker",
    "valve_prosthesis", "sternotomy_wires", "stent", "support_device", "orthopaedic_hardware",
    "surgical_clips", "breast_implant", "postsurgical_change", "contrast_material",
)  # fmt: skip
HARMLESS = (
    "aortic_abnormality", "coronary_calcification", "osteopenia", "scoliosis", "kyphosis",
    "degenerative_spine", "granuloma", "calcified_lymph_node", "bone_deformity", "arthritis",
    "chest_wall_deformity", "calcification", "fat_pad", "azygos_lobe", "cervical_rib",
    "limited_film", "soft_tissue_shadow", "nipple_shadow",
)  # fmt: skip
# With any of these a film is not without acute findings.
NOT_NORMAL = frozenset((*URGENT, *ACUTE))
# What says little in an impression where anything else is found.
TRIVIAL = frozenset((*PLACED_BY_A_PERSON, *HARMLESS))

_ORDER = {
    key: number
    for number, key in enumerate((*URGENT, *ACUTE, *LASTING, *PLACED_BY_A_PERSON, *HARMLESS))
}
_LAST = len(FINDINGS)


def rank_of(finding: str) -> int:
    """Return the place of a finding in the order of importance; the most important has 0."""
    return _LAST if finding == NORMAL else _ORDER[finding]
