"""The hierarchy of findings: a film that shows a finding also shows its broader ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SUPPORT_DEVICE = "support_device"
# Each finding with its broader findings, which say less.
BROADER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "consolidation": ("lung_opacity",),
        "pneumonia": ("lung_opacity",),
        "infiltration": ("lung_opacity",),
        "tuberculosis": ("pneumonia", "lung_opacity"),
        "nodule": ("lung_lesion",),
        "mass": ("lung_lesion",),
        "aortic_aneurysm": ("aortic_abnormality",),
        "calcified_lymph_node": ("calcification",),
        "coronary_calcification": ("calcification",),
        "enlarged_pulmonary_arteries": ("hilar_enlargement",),
    }
)
