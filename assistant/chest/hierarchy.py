"""Which findings are kinds of another: wherever the first is, the second is too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SUPPORT_DEVICE = "support_device"
# To say the broader finding is to say less.
BROADER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "consolidation": ("lung_opacity",),
        "pneumonia": ("lung_opacity",),
        "infiltration": ("lung_opacity",),
        "nodule": ("lung_lesion",),
        "mass": ("lung_lesion",),
    }
)
