"""The findings of a chest radiograph: their keys, their names, and the words for them.

Data about anatomy and wording only. Negation, clauses and sections are read by
`assistant/labeller/labeller.py`.

Phrases are in the small language of `assistant.labeller.matcher`: `a|b` is either word, `a?` may be
missing, `~` stands for up to five words of the same clause ("heart ~ enlarged" reads "the heart
is mildly enlarged").
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding and the words that name it."""

    key: str  # snake_case; what `Assertion.finding` holds
    name: str  # as the reader sees it
    phrases: tuple[str, ...]
    sided: bool = True  # whether it has a side
    zoned: bool = False  # whether it has a lung zone
    labels: tuple[str, ...] = ()  # its names in NIH and CheXpert, besides its own


@dataclass(frozen=True, slots=True)
class Normal:
    """Statements of normality and the findings they deny."""

    denies: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Words for a side, a zone or both; lobes count as the zones they project on."""

    side: str | None
    zone: str | None
    phrases: tuple[str, ...]


NORMAL = "no_finding"  # the key for a film without any finding
CARDIOMEGALY, NODULE, TUBE = "cardiomegaly", "nodule", "endotracheal_tube"
# What a phantom may show: findings that are evaluated, old or harmless findings, devices.
PHANTOM_FINDINGS = (
    CARDIOMEGALY, "oedema", "pleural_effusion", "pneumothorax", "consolidation", NODULE, "mass",
    "atelectasis", "interstitial_pattern", "hyperinflation",
)  # fmt: skip
DISTRACTORS = ("granuloma", "scoliosis", "fracture")
DEVICES = (TUBE, "central_line", "pacemaker", "sternotomy_wires", "chest_drain")
HEART = "heart|cardiac|cardiopericardial"
LUNG = "lung|lungs|pulmonary"
OPACITY = "opacity|opacities|opacification|opacifications|density|densities"
WIDE = "enlarged|enlargement|prominent|prominence|widened|widening"
FINE = "normal|unremarkable|normally|intact"
LIMITS = "within the? normal|expected limits|range"
TIP = "tube|tubes|drain|drains|catheter|catheters"

NONE = "no|negative|without"
ACUTE = "acute|active"
CHEST = "cardiopulmonary|pulmonary|intrathoracic|thoracic|chest|cardiac|lung|radiographic|xxxx"
TROUBLE = "abnormality|abnormalities|disease|diseases|process|processes|finding|findings|pathology"

# A table is read by its rows.
# fmt: off
FINDINGS: tuple[Finding, ...] = (
    # Air spaces and the lungs at large.
    Finding("atelectasis", "atelectasis", (
        "atelectasis|atelectases|atelectatic",
        "lobar|lobe|lung collapse|collapsed", "collapse|collapsed ~ lobe|lung",
    ), zoned=True, labels=("Atelectasis",)),
    Finding("volume_loss", "volume loss", ("volume loss", "loss of? ~ volume"), zoned=True),
    Finding("consolidation", "consolidation", (
        "air? space|airspace|focal|alveolar|lobar|pulmonary? consolidation|consolidations",
        "consolidation|consolidations|consolidative",
        "air bronchogram|bronchograms",
    ), zoned=True, labels=("Consolidation",)),
    Finding("infiltration", "infiltrate", (
        "infiltrate|infiltrates|infiltration|infiltrations|infiltrative",
    ), zoned=True, labels=("Infiltration",)),
    Finding("pneumonia", "pneumonia", (
        "pneumonia|pneumonias|bronchopneumonia|pneumonic|pneumonitis",
    ), zoned=True, labels=("Pneumonia",)),
    Finding("lung_opacity", "lung opacity", (
        OPACITY, "airspace|alveolar disease|process|opacity|opacities", "hazy|haze|haziness",
        "air space disease|process|opacity|opacities", "hazy opacity|opacities",
        "ground glass opacity|opacities|opacification?",
    ), zoned=True, labels=("Lung Opacity", "Airspace Opacity")),
    Finding("oedema", "pulmonary oedema", (
        "pulmonary|interstitial|alveolar edema|oedema", "edema|oedema",
    ), sided=False, labels=("Edema", "Pulmonary Edema")),
    Finding("heart_failure", "heart failure", (
        "chf", "congestive? heart|cardiac failure|decompensation", "congestive failure",
    ), sided=False),
    Finding("vascular_congestion", "pulmonary vascular congestion", (
        "pulmonary? vascular|venous|central congestion|engorgement", "cephalization",
        "vascularity|vasculature ~ congested|engorged|prominent|increased", "congestion",
    ), sided=False),
    Finding("interstitial_pattern", "interstitial pattern", (
        "interstitial|reticular|reticulonodular pattern|marking|markings|disease|change|changes",
        "interstitial|reticular|reticulonodular|linear opacity|opacities|thickening|prominence",
        "interstitial lung disease", "kerley b? line|lines", "septal thickening",
    ), sided=False, zoned=True),
    Finding("emphysema", "emphysema", (
        "bullous? emphysema|emphysematous",
    ), zoned=True, labels=("Emphysema",)),
    Finding("bulla", "bulla", ("bulla|bullae|bleb|blebs", "bullous disease?"), zoned=True),
    Finding("hyperinflation", "hyperinflation", (
        "hyperinflation|hyperinflated|hyperexpanded|hyperexpansion|hyperaeration|hyperaerated",
        "hyper inflation|inflated|expanded|expansion", "overinflated|overinflation",
        "flattening|flattened of? the ~ diaphragm|diaphragms|hemidiaphragm|hemidiaphragms",
        "copd", "chronic obstructive pulmonary|lung? disease",
    ), sided=False),
    Finding("low_lung_volumes", "low lung volumes", (
        "low|small|decreased|diminished lung|inspiratory volume|volumes",
        "hypoinflation|hypoinflated",
        "poor|shallow|low inspiration|inspiratory", "hypoventilation|hypoventilatory",
    ), sided=False),
    Finding("fibrosis", "fibrosis", (
        "pulmonary|interstitial? fibrosis", "fibrosis|fibrotic", "honeycombing",
    ), zoned=True, labels=("Fibrosis",)),
    Finding("scarring", "scarring", (
        "pleural? scar|scars|scarring|cicatrix", "parenchymal|linear|fibrous band|bands",
    ), zoned=True),
    Finding("bronchial_thickening", "bronchial wall thickening", (
        "bronchial wall thickening", "peribronchial thickening|cuffing",
        "bronchiectasis|bronchiectatic",
    ), zoned=True),
    # Focal lesions.
    Finding("nodule", "nodule", (
        "pulmonary|lung|calcified? nodule|nodules",
        "micronodule|micronodules", "nodularity",
    ), zoned=True, labels=("Nodule",)),
    Finding("mass", "mass", (
        "pulmonary|lung? mass|masses", "mass|masslike like? opacity|opacification|density|lesion",
    ), zoned=True, labels=("Mass",)),
    Finding("lung_lesion", "lung lesion", (
        "pulmonary|lung? lesion|lesions", "cavitary? lesion", "cavity|cavities|cavitation|cavitary",
        f"nodular {OPACITY}|lesion|lesions", "tumor|tumour|neoplasm|malignancy",
        "metastasis|metastases|metastatic",
    ), zoned=True, labels=("Lung Lesion",)),
    Finding("granuloma", "granuloma", (
        "calcified? granuloma|granulomas|granulomata", "granulomatous disease|change|changes",
        "granulomatous calcification", "granulomatous|healed? infection",
    ), zoned=True),
    # Pleura and diaphragm.
    Finding("pleural_effusion", "pleural effusion", (
        "pleural? effusion|effusions", "pleural fluid", "hemothorax|haemothorax",
        "blunting|blunted of? ~ costophrenic|cardiophrenic angle|angles|sulcus|sulci|recess",
        "costophrenic|cp angle|angles|sulcus|sulci ~ blunted|blunting|obscured",
        "costophrenic|cp angle|sulcus? blunting|blunted",
    ), labels=("Effusion", "Pleural Effusion")),
    Finding("pneumothorax", "pneumothorax", (
        "pneumothorax|pneumothoraces|pneumothoraxes|hydropneumothorax", "pleural air",
    ), labels=("Pneumothorax",)),
    Finding("pleural_thickening", "pleural thickening", (
        "pleural|apical|pleuroparenchymal thickening|capping|cap|caps",
        "thickening of|in the? ~ pleura|fissure|fissures", "fissural|fissure thickening",
        "pleura ~ thickened",
    ), zoned=True, labels=("Pleural_Thickening", "Pleural Thickening")),
    Finding("pleural_plaque", "pleural plaque", (
        "pleural plaque|plaques|calcification|calcifications|abnormality", "calcified pleura",
    ), labels=("Pleural Other",)),
    Finding("raised_diaphragm", "raised hemidiaphragm", (
        "elevated|elevation|raised|eventration of? the? right|left? diaphragm|hemidiaphragm",
        "diaphragm|hemidiaphragm ~ elevated|raised|eventration",
    )),
    Finding("free_air", "free air under the diaphragm", (
        "pneumoperitoneum", "free ~ air", "free subdiaphragmatic|intraperitoneal|peritoneal gas",
    ), sided=False),
    Finding("hernia", "hiatus hernia", (
        "hiatal|hiatus|diaphragmatic|morgagni|bochdalek? hernia|hernias",
    ), sided=False, labels=("Hernia",)),
    # Heart and mediastinum.
    Finding("cardiomegaly", "cardiomegaly", (
        "cardiomegaly", f"{HEART} ~ enlarged|enlargement|prominent|prominence|large|borderline",
        f"borderline {HEART}",
        f"enlarged|enlargement|prominent|prominence of? the? {HEART} silhouette?",
        "cardiomediastinal|cardio silhouette ~ enlarged|enlargement|prominent",
        "enlarged|enlargement|prominent of? the? cardiomediastinal silhouette",
    ), sided=False, labels=("Cardiomegaly",)),
    Finding("pericardial_effusion", "pericardial effusion", (
        "pericardial effusion|effusions|fluid",
    ), sided=False),
    Finding("enlarged_cardiomediastinum", "enlarged cardiomediastinum", (
        f"mediastinal|mediastinum ~ {WIDE}",
        f"{WIDE} of? the? superior|upper? mediastinal|mediastinum",
    ), sided=False, labels=("Enlarged Cardiomediastinum", "Enlarged Cardiom.")),
    Finding("hilar_enlargement", "hilar enlargement", (
        f"hilar|hilum|hila ~ {WIDE}|fullness", "hilar|mediastinal? adenopathy|lymphadenopathy",
    )),
    Finding("aortic_abnormality", "aortic ectasia or calcification", (
        "aorta|aortic ~ tortuous|tortuosity|ectatic|ectasia|calcified|calcification|calcifications",
        "tortuous|ectatic|calcified|unfolded thoracic? aorta|aortic",
        "aortic|vascular? atherosclerosis|atherosclerotic|calcification|calcifications",
    ), sided=False),
    # Bones.
    Finding("fracture", "fracture", (
        "rib|compression? fracture|fractures|fractured", "compression deformity|deformities",
        "rib deformity|deformities",
    ), labels=("Fracture",)),
    Finding("scoliosis", "scoliosis", (
        "scoliosis|scoliotic|levoscoliosis|dextroscoliosis|kyphoscoliosis",
        "dextrocurvature|levocurvature",
    ), sided=False),
    Finding("kyphosis", "kyphosis", ("kyphosis|kyphotic",), sided=False),
    Finding("degenerative_spine", "degenerative change of the spine", (
        "degenerative ~ change|changes|disease|spurring",
        "degenerative|osteophyte|osteophytes|spondylosis",
    ), sided=False),
    Finding("osteopenia",
    "osteopenia", ("osteopenia|osteopenic|osteoporosis|demineralization",), sided=False),
    Finding("subcutaneous_emphysema", "subcutaneous emphysema", (
        "subcutaneous|soft tissue? emphysema|air|gas",
    )),
    # Devices.
    Finding("endotracheal_tube", "endotracheal tube", (
        "endotracheal|et|tracheostomy tube|tubes", "ett", "tracheostomy",
    ), sided=False),
    Finding("gastric_tube", "gastric tube", (
        "nasogastric|orogastric|enteric|feeding|ng|og|gastric|dobbhoff tube|tubes",
    ), sided=False),
    Finding("central_line", "central venous line", (
        "central|picc|jugular|subclavian|ij|dialysis venous? line|lines|catheter|catheters",
        "picc", "port a cath|catheter?", "portacath|mediport|chemoport|cvc|permacath",
        "infusion port", "swan ganz catheter?",
    )),
    Finding("chest_drain", "chest drain", (
        f"chest|pleural|thoracostomy|pigtail {TIP}",
    )),
    Finding("pacemaker", "pacemaker or defibrillator", (
        "pacemaker|pacemakers|pacer|aicd|icd|defibrillator",
        "pacing|pacer lead|leads|wire|wires|device",
        "cardiac pacemaker|pacer|defibrillator|device",
    )),
    Finding("sternotomy_wires", "sternotomy wires", (
        "median? sternotomy|sternal wire|wires|suture|sutures?", "median? sternotomy", "cabg",
        "coronary artery? bypass",
    ), sided=False),
    Finding("valve_prosthesis", "prosthetic valve", (
        "prosthetic|mechanical|artificial ~ valve|valves", "valve replacement|prosthesis",
    ), sided=False),
    Finding("surgical_clips", "surgical clips or hardware", (
        "surgical|cholecystectomy|vascular? clip|clips|staple|staples",
        "orthopedic|fixation|spinal hardware",
    )),
    Finding("support_device", "support device", (
        "support device|devices|apparatus", "lines and|or tubes", "monitoring device|devices|leads",
    ), labels=("Support Devices",)),
    Finding(NORMAL, "no acute finding", (
        f"{NONE} ~ {ACUTE} {TROUBLE}", f"{NONE} ~ {ACUTE} {CHEST} {CHEST}? {TROUBLE}",
        f"{NONE} {CHEST} {TROUBLE}", f"no {ACUTE} {TROUBLE} in|of the chest|thorax",
        "normal frontal|pa|portable|two|2? view|and|lateral? chest radiograph|radiographs|film?",
        "normal chest exam|study", "normal chest x ray|xxxx", "normal radiograph of the chest",
        "normal exam|study",
        "negative chest radiograph|film|exam|study|x?", "chest radiograph|film is|appears? normal",
    ), sided=False, labels=("No Finding", "normal")),
)

NORMALS: tuple[Normal, ...] = (
    Normal(("cardiomegaly",), (
        f"{HEART} ~ normal|unremarkable", f"{HEART} ~ {LIMITS}", f"normal {HEART}",
        f"normal size of the {HEART}",
        f"{HEART} ~ upper limits of normal",
        "cardiothoracic ratio ~ normal",
    )),
    Normal(("cardiomegaly", "enlarged_cardiomediastinum"), (
        "cardiomediastinal|cardio mediastinal? silhouette|contour|contours? ~ normal|unremarkable",
        f"cardiomediastinal|cardio mediastinal? silhouette|contour|contours? ~ {LIMITS}",
        "normal cardiomediastinal silhouette|contour|contours",
    )),
    Normal(("enlarged_cardiomediastinum",), (
        "mediastinum|mediastinal ~ normal|unremarkable", f"mediastinum|mediastinal ~ {LIMITS}",
        "normal mediastinum|mediastinal", "not widened",
    )),
    Normal(("consolidation", "lung_opacity"), (
        "lung|lungs|parenchyma ~ clear", "clear lung|lungs", "lung fields are? clear",
        "clear lung fields",
    )),
    # "Airspace disease" asserts an opacity, but its denial denies consolidation too.
    Normal(("consolidation",), (
        "no|without ~ airspace disease", "no|without ~ air space disease",
        "free|clear of ~ airspace disease",
        "free|clear of ~ air space disease",
    )),
    Normal(("vascular_congestion",), (
        f"vascularity|vasculature ~ {FINE}", f"vascularity|vasculature ~ {LIMITS}",
        "normal pulmonary? vascularity|vasculature",
    )),
    Normal(("pleural_effusion",), (
        "costophrenic|cp angle|angles|sulcus|sulci ~ clear|sharp|preserved",
    )),
    Normal(("pleural_effusion",
    "pneumothorax"), ("pleural space|spaces|surfaces ~ clear|normal|unremarkable",)),
    Normal(("fracture",), (
        f"bones|bony|osseous|skeletal ~ {FINE}",
        "no ~ bony|osseous|bone|skeletal abnormality|abnormalities",
        f"osseous|bony ~ {LIMITS}", "normal bones",
    )),
)

FIELD = "lung? zone|zones|lobe|lobes|lung|lungs|field|fields|hemithorax"
PLACES: tuple[Place, ...] = (
    Place("right", None, ("right|rightsided",)),
    Place("left", None, ("left|leftsided",)),
    Place("bilateral", None, (
        "bilateral|bilaterally|both", "each side|lung|lungs",
    )),
    Place(None, "upper", (
        f"upper {FIELD}", "upper and|or|to", "apex|apical|apices|suprahilar",
    )),
    Place(None, "mid", (
        f"mid|middle {FIELD}", "mid and|or|to", "midlung|midzone|midlungs|midzones",
    )),
    Place(None, "lower", (
        f"lower {FIELD}", "lower and|or|to", "base|bases|basal|basilar|infrahilar",
    )),
    Place("left", "mid", ("lingula|lingular",)),
    Place("left", "lower", ("retrocardiac",)),
    Place("bilateral", "upper", ("biapical",)),
    Place("bilateral", "lower", ("bibasilar|bibasal",)),
    Place("right", "upper", ("rul",)),
    Place("right", "mid", ("rml",)),
    Place("right", "lower", ("rll",)),
    Place("left", "upper", ("lul",)),
    Place("left", "lower", ("lll",)),
    # Phrases that look like a place or a finding but are none.
    Place(None, None, (
        "right|left ventricle|ventricular|atrium|atrial|main|hand", "right|left upper quadrant",
        "apex of the heart", "cystic fibrosis", "cardiac apex", "right|left convex",
        "base of the skull|neck",
        "bone|bony|mineral density",
    )),
)
# fmt: on

_KEYS = frozenset(finding.key for finding in FINDINGS)
_LABELS = {
    name.replace("_", " ").casefold(): finding.key
    for finding in FINDINGS
    for name in (finding.key, finding.name, *finding.labels)
}


def finding_of_label(label: str) -> str | None:
    """Return the key for a label of NIH ChestX-ray14 or CheXpert, or for a key of our own.

    Case, surrounding spaces and underscores do not matter; None for an unknown label.
    """
    return _LABELS.get(" ".join(label.replace("_", " ").split()).casefold())


def finding_named(key: str) -> Finding:
    """Return the entry of a key; raises KeyError for a key that is not in the vocabulary."""
    return _BY_KEY[key]


_BY_KEY = {finding.key: finding for finding in FINDINGS}
