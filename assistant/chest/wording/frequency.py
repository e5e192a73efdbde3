"""How often findings, places and degrees stand in reports of chest films, roughly. Data only.

Rounded by hand, so that a writer who learns from drawn claims meets common findings often and
every finding sometimes.
"""

from __future__ import annotations

from types import MappingProxyType

from assistant.chest.places import BOTH, LARGE, LEFT, LOWER, MID, MODERATE, RIGHT, SMALL, UPPER
from assistant.chest.wording.sentences import WORDINGS

_COMMON = {
    "lung_opacity": 12, "degenerative_spine": 12, "cardiomegaly": 12, "pleural_effusion": 12,
    "atelectasis": 11, "aortic_abnormality": 10, "low_lung_volumes": 10, "granuloma": 8,
    "hyperinflation": 8, "scarring": 7, "interstitial_pattern": 6, "consolidation": 6,
    "pneumothorax": 6, "nodule": 6, "limited_film": 4, "fracture": 5, "calcified_lymph_node": 5,
    "raised_diaphragm": 5, "sternotomy_wires": 5, "emphysema": 5, "calcification": 4,
    "central_line": 6, "postsurgical_change": 4, "surgical_clips": 4, "scoliosis": 4, "oedema": 6,
    "vascular_congestion": 5, "lung_lesion": 4, "infiltration": 4, "pneumonia": 5, "mass": 5,
    "hernia": 3, "support_device": 3, "bone_deformity": 3, "orthopaedic_hardware": 3,
    "vertebral_deformity": 3, "lucency": 2, "pleural_thickening": 3, "chronic_lung_disease": 3,
    "arthritis": 3, "enlarged_cardiomediastinum": 3, "osteopenia": 3, "hilar_enlargement": 3,
    "kyphosis": 2, "foreign_body": 2, "fibrosis": 3, "pacemaker": 4, "endotracheal_tube": 4,
    "chest_drain": 3, "gastric_tube": 3, "heart_failure": 2, "bone_lesion": 2,
}  # fmt: skip
WEIGHTS = MappingProxyType({key: _COMMON.get(key, 1) for key in WORDINGS})
# What reports say is absent, and in what share of the films without it.
DENIED = MappingProxyType({
    "cardiomegaly": 0.85, "pleural_effusion": 0.85, "pneumothorax": 0.75, "consolidation": 0.8,
    "lung_opacity": 0.6, "enlarged_cardiomediastinum": 0.45, "fracture": 0.25,
    "vascular_congestion": 0.2, "infiltration": 0.1, "oedema": 0.12, "nodule": 0.1, "mass": 0.1,
    "pneumonia": 0.06, "lymphadenopathy": 0.03, "tuberculosis": 0.02, "free_air": 0.03,
})  # fmt: skip
SIDE_SHARES = {RIGHT: 0.32, LEFT: 0.32, BOTH: 0.18, None: 0.18}
ZONE_SHARES = {None: 0.4, LOWER: 0.3, UPPER: 0.18, MID: 0.12}
DEGREE_SHARES = {SMALL: 0.5, MODERATE: 0.3, LARGE: 0.2}
