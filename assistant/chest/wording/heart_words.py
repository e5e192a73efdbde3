"""The wording of heart, vessels, mediastinum and diaphragm. Data only."""

from __future__ import annotations

from assistant.chest.wording.phrases import Wording

# A table is read by its rows.
# fmt: off
HEART: tuple[Wording, ...] = (
    Wording("situs_anomaly", ("an anomaly of situs",), scale=None),
    Wording("cardiomegaly", (
        "cardiomegaly", "enlargement of the heart", "enlargement of the cardiac silhouette",
    ), own=(
        "The heart is enlarged.", "The heart is {ly} enlarged.",
        "The cardiac silhouette is enlarged.", "The cardiac silhouette is {ly} enlarged.",
    ), own_uncertain=("The heart may be enlarged.", "The heart is possibly enlarged."), own_absent=(
        "The heart size is normal.", "Heart size is within normal limits.", "Normal heart size.",
        "The cardiac silhouette is normal in size.", "The heart is not enlarged.",
    )),
    Wording("chamber_enlargement", ("enlargement of a heart chamber",)),
    Wording("pericardial_effusion", ("a pericardial effusion", "pericardial fluid"), scale="size"),
    Wording("coronary_calcification", (
        "coronary or valvular calcification", "coronary artery calcification",
        "coronary calcification",
    )),
    Wording("fat_pad", ("a pericardial fat pad", "an epicardial fat pad"), scale="size"),
)
MEDIASTINUM: tuple[Wording, ...] = (
    Wording("enlarged_cardiomediastinum", (
        "widening of the mediastinum", "mediastinal widening",
    ), own=(
        "The mediastinum is widened.", "The mediastinum is {ly} widened.",
    ), own_uncertain=("The mediastinum may be widened.",), own_absent=(
        "The mediastinum is normal.", "The mediastinum is unremarkable.",
        "The mediastinum is not widened.",
    )),
    Wording("mediastinal_shift", (
        "shift of the mediastinum", "mediastinal shift", "displacement of the mediastinum",
    ), towards=True),
    Wording("pneumomediastinum", ("pneumomediastinum", "air in the mediastinum", "mediastinal air"),
            scale="size"),
    Wording("hilar_enlargement", (
        "hilar enlargement", "enlargement of the {side} hilum", "prominence of the {side} hilum",
        "hilar prominence",
    ), own=(
        "The {side} hilum is prominent.", "The {side} hilum is enlarged.",
        "The hila are prominent.", "The hila are {ly} prominent.",
    )),
    Wording("lymphadenopathy", ("lymphadenopathy", "some enlarged lymph nodes", "adenopathy")),
    Wording("calcified_lymph_node", (
        "some calcified lymph nodes", "a calcified lymph node",
    ), scale="size"),
    Wording("enlarged_pulmonary_arteries", (
        "enlargement of the pulmonary arteries", "prominence of the pulmonary arteries",
        "enlargement of the {side} pulmonary artery",
    ), own=(
        "The pulmonary arteries are enlarged.",
    ), scale=None),
    Wording("pulmonary_embolism", ("pulmonary embolism", "a pulmonary embolus"), scale=None),
    Wording("aortic_aneurysm", ("an aortic aneurysm", "an aneurysm of the aorta"), scale="size"),
    Wording("aortic_abnormality", (
        "aortic ectasia or atherosclerosis", "aortic tortuosity or atherosclerosis",
        "ectasia or atherosclerosis of the aorta",
    ), own=(
        "The aorta is ectatic or atherosclerotic.", "The aorta is tortuous or atherosclerotic.",
        "The aorta is {ly} ectatic or atherosclerotic.",
        "The thoracic aorta is {ly} tortuous or atherosclerotic.",
    )),
)
ABDOMEN: tuple[Wording, ...] = (
    Wording("raised_diaphragm", (
        "elevation of the {side} hemidiaphragm", "a raised {side} hemidiaphragm",
        "an elevated {side} hemidiaphragm", "elevation of the diaphragm",
    ), own=(
        "The {side} hemidiaphragm is raised.", "The {side} hemidiaphragm is elevated.",
        "The {side} hemidiaphragm is {ly} elevated.", "The {side} hemidiaphragm is {ly} raised.",
        "The diaphragm is elevated.",
    )),
    Wording("hernia", ("a hiatal hernia", "a hiatus hernia"), scale="size"),
    Wording("free_air", (
        "free air under the diaphragm", "free intraperitoneal air", "pneumoperitoneum",
    ), scale="size"),
    Wording("bowel_gas", (
        "distension of the bowel", "some distended bowel loops", "gaseous distension of the bowel",
    )),
)
# fmt: on
