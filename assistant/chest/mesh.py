"""The MeSH headings of chest films, and the findings of the vocabulary that they stand for.

Data only, for checks against reports that librarians coded (Open-i). A heading with several
findings is met by any of them. Headings of places alone, and those that say nothing without
their qualifiers ("Calcinosis", "Deformity", "Density"), are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_OPACITY = ("lung_opacity", "consolidation", "infiltration", "pneumonia", "atelectasis",
            "interstitial_pattern", "lung_lesion", "nodule", "mass", "scarring", "granuloma",
            "pleural_thickening", "pleural_effusion", "volume_loss")  # fmt: skip
_GRANULOMA = ("granuloma", "calcified_lymph_node", "calcification", "chronic_lung_disease")
# Lower-case heading: findings.
MESH_FINDINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "airspace disease": _OPACITY,
        "aortic aneurysm": ("aortic_aneurysm",),
        "arthritis": ("arthritis", "degenerative_spine"),
        "atherosclerosis": ("aortic_abnormality", "coronary_calcification"),
        "bone diseases, metabolic": ("osteopenia",),
        "breast implants": ("breast_implant",),
        "bronchiectasis": ("bronchial_thickening",),
        "bronchitis": ("bronchial_thickening",),
        "bullous emphysema": ("emphysema", "bulla"),
        "calcified granuloma": (*_GRANULOMA, "nodule", "lung_opacity"),
        "cardiomegaly": ("cardiomegaly", "enlarged_cardiomediastinum", "chamber_enlargement"),
        "cicatrix": ("scarring", "fibrosis", "atelectasis", "pleural_thickening"),
        "consolidation": _OPACITY,
        "cystic fibrosis": ("chronic_lung_disease",),
        "diaphragmatic eventration": ("raised_diaphragm",),
        "dislocations": ("dislocation",),
        "emphysema": ("emphysema", "hyperinflation", "bulla"),
        "foreign bodies": ("foreign_body", "surgical_clips"),
        "fractures, bone": ("fracture", "vertebral_deformity", "bone_deformity"),
        "funnel chest": ("chest_wall_deformity",),
        "granuloma": (*_GRANULOMA, "nodule"),
        "granulomatous disease": (*_GRANULOMA, "nodule"),
        "heart failure": ("heart_failure", "oedema", "vascular_congestion"),
        "hernia, diaphragmatic": ("hernia", "raised_diaphragm"),
        "hernia, hiatal": ("hernia",),
        "hydropneumothorax": ("pneumothorax",),
        "hyperostosis, diffuse idiopathic skeletal": ("degenerative_spine",),
        "hypertension, pulmonary": ("enlarged_pulmonary_arteries", "vascular_congestion"),
        "infiltrate": _OPACITY,
        "kyphosis": ("kyphosis", "scoliosis"),
        "lung diseases, interstitial": ("interstitial_pattern", "fibrosis", "lung_opacity"),
        "lung, hyperlucent": ("lucency", "hyperinflation", "emphysema"),
        "mass": ("mass", "lung_lesion", "nodule", "lung_opacity"),
        "nipple shadow": ("nipple_shadow",),
        "nodule": ("nodule", "lung_lesion", "granuloma", "mass", "lung_opacity"),
        "opacity": _OPACITY,
        "osteophyte": ("degenerative_spine", "arthritis"),
        "pectus carinatum": ("chest_wall_deformity",),
        "pericardial effusion": ("pericardial_effusion",),
        "pleural effusion": ("pleural_effusion", "pleural_thickening"),
        "pneumonectomy": ("postsurgical_change", "volume_loss"),
        "pneumonia": _OPACITY,
        "pneumoperitoneum": ("free_air",),
        "pneumothorax": ("pneumothorax",),
        "pulmonary atelectasis": ("atelectasis", "volume_loss", "lung_opacity", "scarring"),
        "pulmonary congestion": ("vascular_congestion", "oedema", "heart_failure",
                                 "interstitial_pattern"),
        "pulmonary disease, chronic obstructive": ("hyperinflation", "emphysema"),
        "pulmonary edema": ("oedema", "vascular_congestion", "heart_failure"),
        "pulmonary emphysema": ("emphysema", "hyperinflation", "bulla"),
        "pulmonary fibrosis": ("fibrosis", "scarring", "interstitial_pattern"),
        "sarcoidosis": ("chronic_lung_disease",),
        "scoliosis": ("scoliosis",),
        "spinal fusion": ("orthopaedic_hardware",),
        "spondylosis": ("degenerative_spine",),
        "stents": ("stent",),
        "subcutaneous emphysema": ("subcutaneous_emphysema",),
        "technical quality of image unsatisfactory": ("limited_film", "low_lung_volumes"),
        "tuberculosis": ("tuberculosis", "granuloma"),
        "volume loss": ("volume_loss", "atelectasis", "raised_diaphragm"),
    }
)  # fmt: skip
