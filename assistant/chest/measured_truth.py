"""What can be measured in a chest phantom, and the finding that each measurement is of."""

from __future__ import annotations

# (name, finding, key in the truth, whether a length, limit from which it supports the finding)
MEASUREMENTS = (
    ("cardiothoracic ratio", "cardiomegaly", "cardiothoracic_ratio", False, 0.5),
    ("height", "pleural_effusion", "height_mm", True, 0.0),
    ("apical gap", "pneumothorax", "apical_gap_mm", True, 0.0),
    ("largest diameter", "nodule", "diameter_mm", True, 0.0),
    ("largest diameter", "mass", "diameter_mm", True, 0.0),
    ("distance of the tip from the carina", "endotracheal_tube", "tip_to_carina_mm", True, 0.0),
)
SIDED_MEASUREMENTS = ("pleural_effusion", "pneumothorax")
