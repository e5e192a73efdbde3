"""The labels of published data sets, and the findings of the vocabulary that they stand for.

Data, and the look-ups: VinDr-CXR, RSNA, PadChest, and the MeSH headings of Open-i. A label that
names no finding of the vocabulary, or one of several, is in no table: nothing is guessed. Labels
that the vocabulary knows itself (NIH, CheXpert) are in its own tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from assistant.chest.places import BOTH, LEFT, LOWER, MID, RIGHT, UPPER
from assistant.chest.vocabulary import finding_of_label

# Lower-case label: finding. Of VinDr-CXR (Nguyen et al. 2022), RSNA and PadChest (Bustos 2020).
SET_LABELS: Mapping[str, str] = MappingProxyType(
    {
        # VinDr-CXR
        "aortic enlargement": "aortic_abnormality",
        "clavicle fracture": "fracture",
        "copd": "hyperinflation",
        "enlarged pa": "enlarged_pulmonary_arteries",
        "ild": "interstitial_pattern",
        "lung cavity": "lung_lesion",
        "lung cyst": "lung_lesion",
        "lung tumor": "lung_lesion",
        "mediastinal shift": "mediastinal_shift",
        "nodule/mass": "lung_lesion",
        "pulmonary fibrosis": "fibrosis",
        "rib fracture": "fracture",
        # PadChest
        "abnormal foreign body": "foreign_body",
        "adenopathy": "lymphadenopathy",
        "air bronchogram": "consolidation",
        "air trapping": "hyperinflation",
        "alveolar pattern": "lung_opacity",
        "aortic aneurysm": "aortic_aneurysm",
        "aortic atheromatosis": "aortic_abnormality",
        "aortic button enlargement": "aortic_abnormality",
        "aortic elongation": "aortic_abnormality",
        "aortic endoprosthesis": "stent",
        "apical pleural thickening": "pleural_thickening",
        "artificial aortic heart valve": "valve_prosthesis",
        "artificial heart valve": "valve_prosthesis",
        "artificial mitral heart valve": "valve_prosthesis",
        "asbestosis signs": "chronic_lung_disease",
        "ascendent aortic elongation": "aortic_abnormality",
        "atelectasis basal": "atelectasis",
        "atypical pneumonia": "pneumonia",
        "axial hyperostosis": "degenerative_spine",
        "azygos lobe": "azygos_lobe",
        "blastic bone lesion": "bone_lesion",
        "bone cement": "orthopaedic_hardware",
        "bone metastasis": "bone_lesion",
        "bronchiectasis": "bronchial_thickening",
        "bullas": "bulla",
        "calcified adenopathy": "calcified_lymph_node",
        "calcified densities": "calcification",
        "calcified granuloma": "granuloma",
        "calcified mediastinal adenopathy": "calcified_lymph_node",
        "calcified pleural plaques": "pleural_plaque",
        "calcified pleural thickening": "pleural_thickening",
        "callus rib fracture": "fracture",
        "catheter": "support_device",
        "cavitation": "lung_lesion",
        "central vascular redistribution": "vascular_congestion",
        "central venous catheter": "central_line",
        "central venous catheter via jugular vein": "central_line",
        "central venous catheter via subclavian vein": "central_line",
        "central venous catheter via umbilical vein": "central_line",
        "cervical rib": "cervical_rib",
        "chest drain tube": "chest_drain",
        "chilaiditi sign": "bowel_gas",
        "chronic changes": "chronic_lung_disease",
        "copd signs": "hyperinflation",
        "costophrenic angle blunting": "pleural_effusion",
        "dai": "pacemaker",
        "descendent aortic elongation": "aortic_abnormality",
        "dextrocardia": "situs_anomaly",
        "diaphragmatic eventration": "raised_diaphragm",
        "dual chamber device": "pacemaker",
        "electrical device": "pacemaker",
        "empyema": "pleural_effusion",
        "external foreign body": "foreign_body",
        "fibrotic band": "scarring",
        "fissure thickening": "pleural_thickening",
        "flattened diaphragm": "hyperinflation",
        "gastrostomy tube": "gastric_tube",
        "ground glass pattern": "lung_opacity",
        "heart insufficiency": "heart_failure",
        "heart valve calcified": "coronary_calcification",
        "hemidiaphragm elevation": "raised_diaphragm",
        "hiatal hernia": "hernia",
        "hilar congestion": "vascular_congestion",
        "humeral fracture": "fracture",
        "humeral prosthesis": "orthopaedic_hardware",
        "hydropneumothorax": "pneumothorax",
        "hyperinflated lung": "hyperinflation",
        "hypoexpansion": "low_lung_volumes",
        "hypoexpansion basal": "low_lung_volumes",
        "increased density": "lung_opacity",
        "infiltrates": "infiltration",
        "kerley lines": "interstitial_pattern",
        "laminar atelectasis": "atelectasis",
        "lobar atelectasis": "atelectasis",
        "loculated fissural effusion": "pleural_effusion",
        "loculated pleural effusion": "pleural_effusion",
        "lung metastasis": "lung_lesion",
        "lytic bone lesion": "bone_lesion",
        "major fissure thickening": "pleural_thickening",
        "mammary prosthesis": "breast_implant",
        "mastectomy": "postsurgical_change",
        "mediastinal enlargement": "enlarged_cardiomediastinum",
        "mediastinic lipomatosis": "fat_pad",
        "minor fissure thickening": "pleural_thickening",
        "multiple nodules": "nodule",
        "nsg tube": "gastric_tube",
        "osteoporosis": "osteopenia",
        "osteosynthesis material": "orthopaedic_hardware",
        "pacemaker": "pacemaker",
        "pectum carinatum": "chest_wall_deformity",
        "pectum excavatum": "chest_wall_deformity",
        "pleural plaques": "pleural_plaque",
        "pneumoperitoneo": "free_air",
        "post radiotherapy changes": "postsurgical_change",
        "pulmonary artery enlargement": "enlarged_pulmonary_arteries",
        "pulmonary artery hypertension": "enlarged_pulmonary_arteries",
        "pulmonary hypertension": "enlarged_pulmonary_arteries",
        "pulmonary mass": "mass",
        "pulmonary venous hypertension": "vascular_congestion",
        "reservoir central venous catheter": "central_line",
        "reticular interstitial pattern": "interstitial_pattern",
        "reticulonodular interstitial pattern": "interstitial_pattern",
        "right sided aortic arch": "aortic_abnormality",
        "round atelectasis": "atelectasis",
        "sclerotic bone lesion": "bone_lesion",
        "segmental atelectasis": "atelectasis",
        "single chamber device": "pacemaker",
        "sternotomy": "sternotomy_wires",
        "suboptimal study": "limited_film",
        "superior mediastinal enlargement": "enlarged_cardiomediastinum",
        "supra aortic elongation": "aortic_abnormality",
        "surgery": "postsurgical_change",
        "surgery breast": "postsurgical_change",
        "surgery heart": "postsurgical_change",
        "surgery humeral": "postsurgical_change",
        "surgery lung": "postsurgical_change",
        "surgery neck": "postsurgical_change",
        "suture material": "surgical_clips",
        "thoracic cage deformation": "chest_wall_deformity",
        "total atelectasis": "atelectasis",
        "tracheal shift": "mediastinal_shift",
        "vascular hilar enlargement": "hilar_enlargement",
        "vascular redistribution": "vascular_congestion",
        "ventriculoperitoneal drain tube": "support_device",
        "vertebral anterior compression": "vertebral_deformity",
        "vertebral compression": "vertebral_deformity",
        "vertebral degenerative changes": "degenerative_spine",
        "vertebral fracture": "fracture",
    }
)
# Lower-case MeSH heading of Open-i: finding, whatever qualifies it.
HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "airspace disease": "lung_opacity",
        "aortic aneurysm": "aortic_aneurysm",
        "atherosclerosis": "aortic_abnormality",
        "blister": "bulla",
        "bone diseases, metabolic": "osteopenia",
        "breast implants": "breast_implant",
        "bronchiectasis": "bronchial_thickening",
        "bronchitis": "bronchial_thickening",
        "bullous emphysema": "emphysema",
        "calcified granuloma": "granuloma",
        "catheters, indwelling": "support_device",
        "cavitation": "lung_lesion",
        "cicatrix": "scarring",
        "colonic interposition": "bowel_gas",
        "contrast media": "contrast_material",
        "cystic fibrosis": "chronic_lung_disease",
        "diaphragmatic eventration": "raised_diaphragm",
        "dislocations": "dislocation",
        "epicardial fat": "fat_pad",
        "foreign bodies": "foreign_body",
        "fractures, bone": "fracture",
        "funnel chest": "chest_wall_deformity",
        "granulomatous disease": "granuloma",
        "heart failure": "heart_failure",
        "hernia, diaphragmatic": "hernia",
        "hernia, hiatal": "hernia",
        "hydropneumothorax": "pneumothorax",
        "hemopneumothorax": "pneumothorax",
        "hemothorax": "pleural_effusion",
        "hyperostosis, diffuse idiopathic skeletal": "degenerative_spine",
        "hypertension, pulmonary": "enlarged_pulmonary_arteries",
        "infiltrate": "infiltration",
        "kyphosis": "kyphosis",
        "lung diseases, interstitial": "interstitial_pattern",
        "lung, hyperlucent": "lucency",
        "mastectomy": "postsurgical_change",
        "mediastinal emphysema": "pneumomediastinum",
        "nipple shadow": "nipple_shadow",
        "opacity": "lung_opacity",
        "osteophyte": "degenerative_spine",
        "osteoporosis": "osteopenia",
        "pectus carinatum": "chest_wall_deformity",
        "pneumonectomy": "postsurgical_change",
        "pneumoperitoneum": "free_air",
        "pulmonary atelectasis": "atelectasis",
        "pulmonary congestion": "vascular_congestion",
        "pulmonary disease, chronic obstructive": "hyperinflation",
        "pulmonary edema": "oedema",
        "pulmonary emphysema": "emphysema",
        "pulmonary fibrosis": "fibrosis",
        "sarcoidosis": "chronic_lung_disease",
        "spinal fusion": "orthopaedic_hardware",
        "spondylosis": "degenerative_spine",
        "stents": "stent",
        "sutures": "surgical_clips",
        "technical quality of image unsatisfactory": "limited_film",
        "volume loss": "volume_loss",
    }
)
# A heading of an organ or a shape is a finding together with a qualifier, the first that fits.
QUALIFIED: tuple[tuple[str, str, str], ...] = (
    ("lung", "hypoinflation", "low_lung_volumes"),
    ("lung", "hyperdistention", "hyperinflation"),
    ("lung", "azygos lobe", "azygos_lobe"),
    ("lung", "interstitial", "interstitial_pattern"),
    ("markings", "interstitial", "interstitial_pattern"),
    ("aorta", "tortuous", "aortic_abnormality"),
    ("aorta", "enlarged", "aortic_abnormality"),
    ("aorta", "prominent", "aortic_abnormality"),
    ("aorta, thoracic", "tortuous", "aortic_abnormality"),
    ("aorta, thoracic", "enlarged", "aortic_abnormality"),
    ("aorta, thoracic", "prominent", "aortic_abnormality"),
    ("atherosclerosis", "coronary vessels", "coronary_calcification"),
    ("calcinosis", "aorta", "aortic_abnormality"),
    ("calcinosis", "aorta, thoracic", "aortic_abnormality"),
    ("calcinosis", "lymph nodes", "calcified_lymph_node"),
    ("calcinosis", "pleura", "pleural_plaque"),
    ("calcinosis", "", "calcification"),
    ("cardiac shadow", "enlarged", "cardiomegaly"),
    ("costophrenic angle", "blunted", "pleural_effusion"),
    ("deformity", "thoracic vertebrae", "vertebral_deformity"),
    ("deformity", "lumbar vertebrae", "vertebral_deformity"),
    ("deformity", "ribs", "bone_deformity"),
    ("deformity", "clavicle", "bone_deformity"),
    ("diaphragm", "elevated", "raised_diaphragm"),
    ("diaphragm", "flattened", "hyperinflation"),
    ("implanted medical device", "aortic valve", "valve_prosthesis"),
    ("implanted medical device", "", "support_device"),
    ("lucency", "lung", "lucency"),
    ("lymph nodes", "enlarged", "lymphadenopathy"),
    ("medical device", "", "support_device"),
    ("mediastinum", "prominent", "enlarged_cardiomediastinum"),
    ("mediastinum", "enlarged", "enlarged_cardiomediastinum"),
    ("pulmonary artery", "enlarged", "enlarged_pulmonary_arteries"),
    ("pulmonary artery", "prominent", "enlarged_pulmonary_arteries"),
    ("shift", "mediastinum", "mediastinal_shift"),
    ("shift", "trachea", "mediastinal_shift"),
    ("shift", "heart", "mediastinal_shift"),
    ("shoulder", "degenerative", "arthritis"),
    ("spine", "degenerative", "degenerative_spine"),
    ("thickening", "pleura", "pleural_thickening"),
    ("thoracic vertebrae", "degenerative", "degenerative_spine"),
    ("lumbar vertebrae", "degenerative", "degenerative_spine"),
    ("cervical vertebrae", "degenerative", "degenerative_spine"),
    ("tube, inserted", "trachea", "endotracheal_tube"),
    ("tube, inserted", "trachea, carina", "endotracheal_tube"),
)
# Lower-case words of MeSH qualifiers and of PadChest's localizations: (side, zone).
_PLACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "right": (RIGHT, ""),
        "left": (LEFT, ""),
        "bilateral": (BOTH, ""),
        "upper lobe": ("", UPPER),
        "apex": ("", UPPER),
        "apical": ("", UPPER),
        "upper lung field": ("", UPPER),
        "right upper lobe": (RIGHT, UPPER),
        "left upper lobe": (LEFT, UPPER),
        "middle lobe": ("", MID),
        "lingula": (LEFT, MID),
        "middle lung field": ("", MID),
        "lower lobe": ("", LOWER),
        "base": ("", LOWER),
        "basal": ("", LOWER),
        "basal bilateral": (BOTH, LOWER),
        "lower lung field": ("", LOWER),
        "right lower lobe": (RIGHT, LOWER),
        "left lower lobe": (LEFT, LOWER),
        "retrocardiac": (LEFT, LOWER),
    }
)


def finding_of_set_label(label: str) -> str | None:
    """Return the key for a label of a published set, or of the vocabulary; None for no finding.

    Case, surrounding spaces and underscores do not matter.
    """
    return finding_of_label(label) or SET_LABELS.get(_plain(label))


def finding_of_heading(code: str) -> str | None:
    """Return the key for a MeSH code of Open-i, as "Opacity/lung/upper lobe/right", or None.

    None where the heading names an organ, or one of several findings.
    """
    heading, *qualifiers = (_plain(part) for part in code.split("/"))
    for organ, qualifier, finding in QUALIFIED:
        if heading == organ and (not qualifier or qualifier in qualifiers):
            return finding
    return HEADINGS.get(heading) or finding_of_label(heading)


def place_of(words: Iterable[str]) -> tuple[str, str]:
    """Return side and zone that the words of a set state for a finding, each "" where none is.

    Two sides are both, two zones none: a finding of the vocabulary has one.
    """
    known = [_PLACES[word] for word in map(_plain, words) if word in _PLACES]
    sides = {side for side, _ in known if side}
    zones = {zone for _, zone in known if zone}
    side = BOTH if len(sides) > 1 else next(iter(sides), "")
    return side, next(iter(zones)) if len(zones) == 1 else ""


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").split()).casefold().removeprefix("loc ")
