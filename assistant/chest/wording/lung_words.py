"""The wording of lungs and pleura. Data only; see `assistant.chest.wording.phrases`."""

from __future__ import annotations

from assistant.chest.wording.phrases import Wording

# A table is read by its rows.
# fmt: off
LUNGS: tuple[Wording, ...] = (
    Wording("low_lung_volumes", (
        "some {ly} low lung volumes", "hypoinflation of the lungs", "underinflation of the lungs",
    ), own=(
        "Lung volumes are low.", "Lung volumes are {ly} low.", "The lungs are underinflated.",
        "The lungs are {ly} underinflated.", "The lungs are hypoinflated.",
        "Shallow inspiration.",
    )),
    Wording("hyperinflation", (
        "hyperinflation of the lungs", "hyperinflation", "hyperexpansion of the lungs",
    ), own=(
        "The lungs are hyperinflated.", "The lungs are {ly} hyperinflated.",
        "The lungs are hyperexpanded.", "The lungs are {ly} hyperexpanded.",
        "Hyperinflated lungs with flattened diaphragms.",
        "Both diaphragms are flattened.",
    )),
    Wording("emphysema", ("emphysema", "some emphysematous changes", "emphysematous change")),
    Wording("bulla", ("a bulla", "a bleb", "a bullous change"), scale="size"),
    Wording("lucency", ("a lucency", "an area of lucency", "a focal lucency"), scale="size"),
    Wording("heart_failure", (
        "congestive heart failure", "heart failure", "cardiac decompensation",
    ), own=("The appearance is that of heart failure.", "The appearance suits heart failure.")),
    Wording("oedema", ("pulmonary edema", "interstitial edema", "edema of the lungs"), own=(
        "The appearance is that of pulmonary edema.", "The lungs show pulmonary edema.",
        "The lungs show {degree} pulmonary edema.",
    )),
    Wording("vascular_congestion", (
        "pulmonary vascular congestion", "vascular congestion", "pulmonary venous congestion",
    ), own=(
        "The pulmonary vasculature is congested.", "The pulmonary vasculature is {ly} congested.",
        "The pulmonary vasculature is engorged.", "The pulmonary vasculature is {ly} engorged.",
    )),
    Wording("interstitial_pattern", (
        "an interstitial pattern", "some interstitial opacities", "a reticular pattern",
        "some reticular opacities",
    ), own=(
        "The interstitial markings are prominent.", "The interstitial markings are {ly} prominent.",
        "Interstitial markings are coarse.", "Interstitial markings are {ly} coarse.",
    )),
    Wording("chronic_lung_disease", (
        "chronic lung disease", "chronic parenchymal disease", "some chronic pulmonary changes",
    ), own=("The lungs show chronic lung disease.",)),
    Wording("fibrosis", ("fibrosis", "pulmonary fibrosis", "fibrotic change")),
    Wording("bronchial_thickening", (
        "bronchial wall thickening", "peribronchial thickening", "peribronchial cuffing",
    )),
    Wording("consolidation", (
        "a consolidation", "an airspace consolidation", "a focal consolidation",
        "an area of consolidation",
    ), scale="size"),
    Wording("pneumonia", ("pneumonia", "a focus of pneumonia", "a pneumonic focus"), own=(
        "The appearance is that of pneumonia.",
    )),
    Wording("tuberculosis", ("tuberculosis", "pulmonary tuberculosis", "a focus of tuberculosis"),
            scale=None),
    Wording("infiltration", (
        "an infiltrate", "a pulmonary infiltrate", "an area of infiltration",
    ), scale="size"),
    Wording("lung_opacity", (
        "an opacity", "a lung opacity", "a hazy opacity", "an area of opacification",
    ), scale="size"),
    Wording("mass", ("a mass", "a lung mass", "a pulmonary mass"), scale="size"),
    Wording("nodule", ("a nodule", "a lung nodule", "a pulmonary nodule"), scale="size"),
    Wording("lung_lesion", ("a lung lesion", "a pulmonary lesion", "a focal lung lesion"),
            scale="size"),
    Wording("atelectasis", (
        "atelectasis", "linear atelectasis", "subsegmental atelectasis", "plate-like atelectasis",
    )),
    Wording("volume_loss", ("volume loss", "loss of volume")),
    Wording("scarring", ("scarring", "linear scarring", "parenchymal scarring"), apical=False),
    Wording("granuloma", ("a calcified granuloma", "a granuloma", "a healed granuloma"),
            scale="size"),
)
PLEURA: tuple[Wording, ...] = (
    Wording("pleural_effusion", (
        "a pleural effusion", "an effusion", "a collection of pleural fluid",
    ), scale="size"),
    Wording("pneumothorax", ("a pneumothorax",), scale="size"),
    Wording("pleural_thickening", ("pleural thickening", "thickening of the pleura"), apical=False),
    Wording("pleural_plaque", ("a pleural plaque", "a calcified pleural plaque"), scale="size"),
)
# fmt: on
