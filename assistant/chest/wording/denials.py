"""The wording of what is absent, and of a film without acute findings. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.chest.wording.phrases import Group


@dataclass(frozen=True, slots=True)
class Denial:
    """Phrasings that deny some findings together, and nothing else."""

    findings: tuple[str, ...]
    phrases: tuple[str, ...]
    group: Group
    share: float = 0.3  # of the reports in which all of them are absent
    whole: bool = False  # whether it speaks of the whole group, so that nothing of it may be stated


# A table is read by its rows. In the order in which they are considered.
# fmt: off
DENIALS: tuple[Denial, ...] = (
    Denial(("cardiomegaly", "enlarged_cardiomediastinum"), (
        "The cardiomediastinal silhouette is unremarkable.",
        "The cardiomediastinal silhouette is normal.",
        "The cardiomediastinal silhouette is within normal limits.",
        "Normal cardiomediastinal silhouette.",
    ), "heart", 0.6),
    Denial(("cardiomegaly",), (
        "The heart size is normal.", "Heart size is within normal limits.", "Normal heart size.",
        "The cardiac silhouette is normal in size.", "The heart is not enlarged.",
    ), "heart", 0.8),
    Denial(("consolidation", "lung_opacity"), (
        "The lungs are clear.", "Clear lungs.", "Both lungs are clear.",
        "The lungs are clear throughout.",
    ), "lungs", 0.7, whole=True),
    Denial(("consolidation", "lung_opacity"), (
        "No focal airspace disease.", "There is no focal airspace disease.",
        "No airspace disease is seen.",
    ), "lungs"),
    Denial(("consolidation", "pleural_effusion", "pneumothorax"), (
        "No focal consolidation, pleural effusion, or pneumothorax.",
        "There is no consolidation, effusion, or pneumothorax.",
        "No pneumothorax, pleural effusion, or focal consolidation is seen.",
    ), "pleura", 0.4),
    Denial(("pleural_effusion", "pneumothorax"), (
        "No pleural effusion or pneumothorax.", "There is no pleural effusion or pneumothorax.",
        "No pneumothorax or pleural effusion is seen.", "No effusion or pneumothorax.",
        "Neither pleural effusion nor pneumothorax is identified.",
    ), "pleura", 0.8),
    Denial(("pleural_effusion",), (
        "No pleural effusion.", "There is no pleural effusion.", "No effusion is seen.",
    ), "pleura", 0.5),
    Denial(("pneumothorax",), (
        "No pneumothorax.", "There is no pneumothorax.", "No pneumothorax is seen.",
    ), "pleura", 0.5),
    Denial(("consolidation",), (
        "No focal consolidation.", "There is no consolidation.",
        "No airspace consolidation is seen.",
    ), "lungs", 0.5),
    Denial(("vascular_congestion",), (
        "The pulmonary vasculature is normal.", "Pulmonary vascularity is within normal limits.",
        "Normal pulmonary vascularity.",
    ), "lungs"),
    Denial(("nodule", "mass"), (
        "No nodule or mass.", "There is no nodule or mass.", "No lung nodule or mass is seen.",
    ), "lungs"),
    Denial(("oedema",), (
        "No pulmonary edema.", "There is no pulmonary edema.", "No edema is seen.",
    ), "lungs"),
    Denial(("enlarged_cardiomediastinum",), (
        "The mediastinum is unremarkable.", "The mediastinum is normal.",
        "The mediastinum is not widened.",
    ), "mediastinum"),
    Denial(("fracture",), (
        "No acute bony abnormality.", "The bones are intact.", "No fracture is seen.",
        "The bones are unremarkable.",
    ), "bones", whole=True),
)
# fmt: on
# Of a film on which nothing acute is seen, whatever else is.
NO_ACUTE = (
    "No acute cardiopulmonary abnormality.",
    "No acute cardiopulmonary process.",
    "No acute cardiopulmonary disease.",
    "No acute disease in the chest.",
)
NORMAL_FILM = (*NO_ACUTE, "Normal chest radiograph.")
