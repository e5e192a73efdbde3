"""How much findings matter to a patient, and how similar two findings are.

Frozen tables about keys of the vocabulary, and no code that reads text. The tiers follow what
radiologists are asked for when they weigh errors: urgent is what someone must act on at once,
significant what changes treatment, minor what is noted and left (Yu et al. 2023,
doi:10.1016/j.patter.2023.100802; Baharoon et al. 2026, arXiv:2603.06183). Here the film's own
context (age, indication) is not known, so that each finding has one tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from assistant.chest.vocabulary import FINDINGS, NORMAL

Tier = Literal["urgent", "significant", "minor", "device"]

# A drain, a repair or a transfer may hang on these within the hour.
_URGENT = (
    "pneumothorax", "free_air", "enlarged_cardiomediastinum", "pericardial_effusion",
    "pneumomediastinum", "mediastinal_shift", "pulmonary_embolism", "aortic_aneurysm",
)  # fmt: skip
# Old, degenerative or habitual: noted, rarely acted on. Atelectasis is among them because most
# of what is called so on a chest film is a band at the base of a shallow breath.
_MINOR = (
    "atelectasis", "volume_loss", "low_lung_volumes", "hyperinflation", "bulla", "scarring",
    "bronchial_thickening", "granuloma", "pleural_thickening", "pleural_plaque",
    "raised_diaphragm", "hernia", "aortic_abnormality", "scoliosis", "kyphosis",
    "degenerative_spine", "osteopenia", "chronic_lung_disease", "lucency", "fat_pad",
    "calcified_lymph_node", "coronary_calcification", "calcification", "vertebral_deformity",
    "bone_deformity", "arthritis", "chest_wall_deformity", "cervical_rib", "azygos_lobe",
    "situs_anomaly", "nipple_shadow", "soft_tissue_shadow", "postsurgical_change",
    "contrast_material", "bowel_gas", "limited_film",
)  # fmt: skip
# That a line is there is known to whoever placed it; where its tip lies is another matter.
DEVICES = (
    "endotracheal_tube", "gastric_tube", "central_line", "chest_drain", "pacemaker",
    "sternotomy_wires", "valve_prosthesis", "surgical_clips", "support_device", "stent",
    "orthopaedic_hardware", "breast_implant",
)  # fmt: skip


def _tier_of(key: str) -> Tier:
    if key in _URGENT:
        return "urgent"
    if key in DEVICES:
        return "device"
    return "minor" if key in _MINOR else "significant"


TIERS: Mapping[str, Tier] = MappingProxyType(
    {finding.key: _tier_of(finding.key) for finding in FINDINGS if finding.key != NORMAL}
)

# What an omission or an invention weighs when errors are weighed by what they may do to the
# patient: a missed pneumothorax is worth several missed scars.
HARM: Mapping[Tier, float] = MappingProxyType(
    {"urgent": 4.0, "significant": 2.0, "minor": 1.0, "device": 1.0}
)

# How nearly two findings say the same, in [0, 1]. High where a reader would act alike (an
# infiltrate is a pneumonia in other words), middling where one is the sign and the other a
# cause of it (opacity, pneumonia) or the next step on one scale (congestion, oedema), low
# where they only share a place.
_SIMILAR = (
    ("consolidation", "pneumonia", 0.8),
    ("consolidation", "infiltration", 0.8),
    ("infiltration", "pneumonia", 0.8),
    ("infiltration", "lung_opacity", 0.8),
    ("consolidation", "lung_opacity", 0.7),
    ("pneumonia", "lung_opacity", 0.6),
    ("atelectasis", "volume_loss", 0.7),
    ("atelectasis", "lung_opacity", 0.5),
    ("atelectasis", "consolidation", 0.4),
    ("atelectasis", "infiltration", 0.4),
    ("atelectasis", "scarring", 0.4),
    ("atelectasis", "pneumonia", 0.25),
    ("atelectasis", "low_lung_volumes", 0.3),
    ("volume_loss", "low_lung_volumes", 0.4),
    ("volume_loss", "lung_opacity", 0.4),
    ("volume_loss", "consolidation", 0.3),
    ("pleural_effusion", "lung_opacity", 0.2),
    ("lung_opacity", "interstitial_pattern", 0.4),
    ("lung_opacity", "oedema", 0.3),
    ("lung_opacity", "scarring", 0.3),
    ("lung_opacity", "nodule", 0.4),
    ("lung_opacity", "mass", 0.4),
    ("lung_opacity", "lung_lesion", 0.4),
    ("oedema", "vascular_congestion", 0.7),
    ("oedema", "heart_failure", 0.7),
    ("heart_failure", "vascular_congestion", 0.7),
    ("oedema", "interstitial_pattern", 0.5),
    ("vascular_congestion", "interstitial_pattern", 0.3),
    ("nodule", "lung_lesion", 0.7),
    ("mass", "lung_lesion", 0.7),
    ("nodule", "mass", 0.5),
    ("nodule", "granuloma", 0.5),
    ("lung_lesion", "granuloma", 0.3),
    ("emphysema", "hyperinflation", 0.7),
    ("emphysema", "bulla", 0.6),
    ("fibrosis", "scarring", 0.6),
    ("fibrosis", "interstitial_pattern", 0.6),
    ("bronchial_thickening", "interstitial_pattern", 0.4),
    ("scarring", "pleural_thickening", 0.4),
    ("pleural_effusion", "pleural_thickening", 0.4),
    ("pleural_thickening", "pleural_plaque", 0.6),
    ("cardiomegaly", "enlarged_cardiomediastinum", 0.5),
    ("cardiomegaly", "pericardial_effusion", 0.4),
    ("aortic_abnormality", "enlarged_cardiomediastinum", 0.3),
    ("hilar_enlargement", "enlarged_cardiomediastinum", 0.3),
    ("scoliosis", "kyphosis", 0.3),
    ("tuberculosis", "pneumonia", 0.5),
    ("tuberculosis", "granuloma", 0.4),
    ("tuberculosis", "lung_opacity", 0.4),
    ("tuberculosis", "lung_lesion", 0.3),
    ("chronic_lung_disease", "interstitial_pattern", 0.5),
    ("chronic_lung_disease", "fibrosis", 0.5),
    ("chronic_lung_disease", "emphysema", 0.4),
    ("chronic_lung_disease", "scarring", 0.4),
    ("chronic_lung_disease", "hyperinflation", 0.3),
    ("lucency", "emphysema", 0.5),
    ("lucency", "bulla", 0.5),
    ("lucency", "hyperinflation", 0.4),
    ("cardiomegaly", "chamber_enlargement", 0.7),
    ("chamber_enlargement", "enlarged_cardiomediastinum", 0.4),
    ("mediastinal_shift", "volume_loss", 0.3),
    ("mediastinal_shift", "enlarged_cardiomediastinum", 0.3),
    ("pneumomediastinum", "subcutaneous_emphysema", 0.5),
    ("pneumomediastinum", "pneumothorax", 0.4),
    ("lymphadenopathy", "hilar_enlargement", 0.7),
    ("lymphadenopathy", "enlarged_cardiomediastinum", 0.4),
    ("lymphadenopathy", "calcified_lymph_node", 0.4),
    ("calcified_lymph_node", "granuloma", 0.6),
    ("calcified_lymph_node", "calcification", 0.6),
    ("calcification", "granuloma", 0.4),
    ("calcification", "coronary_calcification", 0.5),
    ("aortic_aneurysm", "aortic_abnormality", 0.5),
    ("aortic_aneurysm", "enlarged_cardiomediastinum", 0.5),
    ("coronary_calcification", "aortic_abnormality", 0.5),
    ("enlarged_pulmonary_arteries", "hilar_enlargement", 0.6),
    ("enlarged_pulmonary_arteries", "vascular_congestion", 0.3),
    ("vertebral_deformity", "fracture", 0.7),
    ("vertebral_deformity", "degenerative_spine", 0.4),
    ("vertebral_deformity", "kyphosis", 0.4),
    ("bone_deformity", "fracture", 0.6),
    ("bone_lesion", "fracture", 0.3),
    ("bone_lesion", "lung_lesion", 0.2),
    ("dislocation", "fracture", 0.4),
    ("arthritis", "degenerative_spine", 0.6),
    ("chest_wall_deformity", "scoliosis", 0.2),
    ("fat_pad", "cardiomegaly", 0.2),
    ("nipple_shadow", "nodule", 0.2),
    ("soft_tissue_shadow", "lung_opacity", 0.2),
    ("postsurgical_change", "surgical_clips", 0.5),
    ("postsurgical_change", "volume_loss", 0.3),
    ("postsurgical_change", "sternotomy_wires", 0.4),
    ("orthopaedic_hardware", "surgical_clips", 0.6),
    ("foreign_body", "surgical_clips", 0.3),
    ("stent", "valve_prosthesis", 0.3),
    ("limited_film", "low_lung_volumes", 0.3),
    ("raised_diaphragm", "volume_loss", 0.3),
    ("raised_diaphragm", "hernia", 0.2),
    ("pulmonary_embolism", "enlarged_pulmonary_arteries", 0.3),
    ("osteopenia", "vertebral_deformity", 0.2),
    ("bowel_gas", "free_air", 0.2),
    ("bowel_gas", "hernia", 0.2),
    ("degenerative_spine", "scoliosis", 0.3),
    *((device, "support_device", 0.6) for device in DEVICES if device != "support_device"),
)
_SIMILARITIES = MappingProxyType({frozenset((a, b)): near for a, b, near in _SIMILAR})


def finding_similarity(finding: str, other: str) -> float:
    """How nearly two findings say the same, in [0, 1]; 1 for the same key, 0 for strangers."""
    return 1.0 if finding == other else _SIMILARITIES.get(frozenset((finding, other)), 0.0)
