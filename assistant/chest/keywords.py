"""Keywords for the NIH labels, for a keyword labeller to compare with. Data only."""

from __future__ import annotations

KEYWORDS = {
    "atelectasis": ("atelectasis", "atelectases", "atelectatic"),
    "cardiomegaly": (
        "cardiomegaly", "enlarged heart", "heart is enlarged", "heart size is enlarged",
        "cardiac enlargement", "enlargement of the heart",
    ),
    "pleural_effusion": ("effusion", "effusions", "pleural fluid"),
    "infiltration": ("infiltrate", "infiltrates", "infiltration"),
    "mass": ("mass", "masses"),
    "nodule": ("nodule", "nodules"),
    "pneumonia": ("pneumonia", "pneumonias"),
    "pneumothorax": ("pneumothorax", "pneumothoraces"),
    "consolidation": ("consolidation", "consolidations"),
    "oedema": ("edema", "oedema"),
    "emphysema": ("emphysema", "emphysematous"),
    "fibrosis": ("fibrosis", "fibrotic"),
    "pleural_thickening": ("pleural thickening", "thickening of the pleura"),
    "hernia": ("hernia", "hernias"),
}  # fmt: skip
