"""The findings of lungs and pleura, with the words for them. Data only."""

from __future__ import annotations

from assistant.chest.terms import OPACITY, Finding, dcm, radlex, sct

# A table is read by its rows.
# fmt: off
LUNG_FINDINGS: tuple[Finding, ...] = (
    # Air spaces and the lungs at large.
    Finding("atelectasis", "atelectasis", (
        "atelectasis|atelectases|atelectatic", "collapse|collapsed|collapsing",
        "lobar|lobe|lung collapse|collapsed", "collapse|collapsed ~ lobe|lung",
    ), zoned=True, labels=("Atelectasis",), code=sct("46621007")),
    Finding("volume_loss", "volume loss", (
        "volume loss", "loss of? ~ volume",
    ), zoned=True, code=sct("301230006", "broader")),
    Finding("consolidation", "consolidation", (
        "air? space|airspace|focal|alveolar|lobar|pulmonary? consolidation|consolidations",
        "consolidation|consolidations|consolidative|consolidated",
        "air bronchogram|bronchograms",
    ), zoned=True, labels=("Consolidation",), code=sct("95436008")),
    Finding("infiltration", "infiltrate", (
        "infiltrate|infiltrates|infiltration|infiltrations|infiltrative",
    ), zoned=True, labels=("Infiltration",), code=dcm("112121")),
    Finding("pneumonia", "pneumonia", (
        "pneumonia|pneumonias|bronchopneumonia|pneumonic|pneumonitis",
    ), zoned=True, labels=("Pneumonia",), code=sct("233604007")),
    Finding("tuberculosis", "tuberculosis", (
        "pulmonary|miliary|cavitary? tuberculosis|tb infection?", "tuberculous disease|infection",
    ), zoned=True, code=sct("56717001")),
    Finding("lung_opacity", "lung opacity", (
        OPACITY, "airspace|alveolar disease|process|opacity|opacities", "hazy|haze|haziness",
        "air space disease|process|opacity|opacities", "hazy opacity|opacities",
        "ground glass opacity|opacities|opacification?", "opacified", "streakiness",
        "airspace shadowing|abnormality|abnormalities", "air space abnormality|abnormalities",
        "patchy shadow|shadows|shadowing",
    ), zoned=True, labels=("Lung Opacity", "Airspace Opacity"), code=dcm("112123")),
    Finding("oedema", "pulmonary oedema", (
        "pulmonary|interstitial|alveolar edema|oedema", "edema|oedema",
    ), sided=False, labels=("Edema", "Pulmonary Edema"), code=sct("19242006")),
    Finding("heart_failure", "heart failure", (
        "chf", "congestive? heart|cardiac failure|decompensation", "congestive failure",
        "cardiac decompensation",
    ), sided=False, code=sct("84114007")),
    Finding("vascular_congestion", "pulmonary vascular congestion", (
        "pulmonary? vascular|venous|central congestion|engorgement", "cephalization",
        "vascularity|vasculature ~ congested|engorged|prominent|increased|accentuated|enlarged",
        "congestion", "prominent|prominence|increased of? the? central? pulmonary? vascularity",
        "prominent|prominence|increased of? the? central? pulmonary? vasculature",
        "central|pulmonary? vascular prominence|fullness",
        "vascular markings ~ prominent|increased",
        "pulmonary vessels|xxxx ~ engorged", "indistinct central? pulmonary? vascular margins?",
        "vascular redistribution", "volume|fluid overload",
        "pulmonary venous hypertension|plethora",
        "prominent|increased pulmonary|central vascular markings",
    ), sided=False, code=radlex("RID4863", "broader")),
    Finding("interstitial_pattern", "interstitial pattern", (
        "interstitial|reticular|reticulonodular pattern|marking|markings|disease|change|changes",
        "interstitial|reticular|reticulonodular|linear opacity|opacities|thickening|prominence",
        "interstitial lung disease|markings?", "kerley b? line|lines", "b lines",
        "septal thickening|line|lines",
        "interstitium ~ prominent|coarse|coarsened", "prominent|prominence of? the? interstitium",
        "prominent|coarse|coarsened|increased|accentuated lung|bronchovascular|perihilar? markings",
        "prominent|coarse|coarsened|increased|accentuated basilar|bibasilar|bronchial? markings",
        "markings ~ prominent|coarse|coarsened|increased|accentuated",
        "prominent|prominence of? the? interstitial|bronchovascular? markings",
        "bronchovascular prominence", "reticulation|reticulations",
    ), sided=False, zoned=True, code=dcm("112004")),
    Finding("chronic_lung_disease", "chronic lung disease", (
        "chronic ~ lung|pulmonary|parenchymal disease|change|changes", "cystic fibrosis",
        "sarcoidosis|sarcoid|silicosis|pneumoconiosis|asbestosis|histoplasmosis",
        "chronic change|changes ~ lungs|lung|apices|bases", "bronchopulmonary dysplasia",
    ), sided=False, zoned=True, code=sct("413839001")),
    Finding("emphysema", "emphysema", (
        "bullous? emphysema|emphysematous",
    ), zoned=True, labels=("Emphysema",), code=sct("87433001")),
    Finding("bulla", "bulla", (
        "bulla|bullae|bleb|blebs", "bullous disease|change|changes?",
    ), zoned=True, code=radlex("RID28503", "narrower")),
    Finding("hyperinflation", "hyperinflation", (
        "hyperinflation|hyperinflated|hyperexpanded|hyperexpansion|hyperaeration|hyperaerated",
        "hyper|over inflation|inflated|expanded|expansion|aerated|aeration",
        "overinflated|overinflation",
        "flattening|flattened of? the ~ diaphragm|diaphragms|hemidiaphragm|hemidiaphragms",
        "diaphragm|diaphragms|hemidiaphragm|hemidiaphragms ~ flattened|flattening",
        "flattened|flat diaphragm|diaphragms|hemidiaphragm|hemidiaphragms",
        "diaphragmatic flattening", "barrel chest", "hyperdistended|hyperventilated",
        "copd", "chronic obstructive pulmonary|lung? disease", "air trapping",
        "obstructive lung|pulmonary|airways|airway disease",
        "large|increased|high|elevated lung volumes",
        "lung volumes ~ large|increased|high|elevated",
        "increased|prominent|widened|enlarged retrosternal|substernal air? space",
        "increased ap|anteroposterior diameter",
    ), sided=False, code=sct("301230006", "broader")),
    Finding("lucency", "lucency", (
        "lucency|lucencies|lucent|radiolucency", "hyperlucent|hyperlucency|hyperlucencies",
    ), zoned=True, code=dcm("112062")),
    Finding("low_lung_volumes", "low lung volumes", (
        "low|small|decreased|decreasing|diminished|reduced|lower lung|inspiratory volume|volumes",
        "lung|inspiratory volume|volumes ~ low|lower|small|decreased|diminished|reduced|shallow",
        "volumes ~ low|lower|decreased|diminished|reduced", "low|decreased|reduced volumes|lines",
        "low lung lines",
        "lung lines ~ low", "low lung findings",
        "hypoinflation|hypoinflated|underinflated|underinflation|underexpanded|underaerated",
        "hypoaeration|hypoaerated|hypoexpansion|hypoexpanded|hypoventilated",
        "under inflated|expanded|aerated|inflation", "poorly inflated|expanded|aerated",
        "poor|shallow|low|suboptimal|decreased|limited|incomplete inspiration|inspiratory",
        "inspiration|inspiratory ~ poor|shallow|limited|suboptimal",
        "hypoventilation|hypoventilatory", "lungs ~ hypoventilated",
        "bronchovascular|vascular|bronchial|interstitial crowding",
        "crowding of? the? ~ markings|vessels|structures|vasculature", "crowding",
    ), sided=False, code=sct("301230006", "broader")),
    Finding("fibrosis", "fibrosis", (
        "pulmonary|interstitial? fibrosis", "fibrosis|fibrotic", "honeycombing",
    ), zoned=True, labels=("Fibrosis",), code=sct("51615001")),
    Finding("scarring", "scarring", (
        "pleural? scar|scars|scarring|cicatrix", "parenchymal|linear|fibrous|scar band|bands",
        "architectural distortion", "pleuroparenchymal|parenchymal|apical change|changes|scarring",
        "hilum|hila ~ retracted|distorted", "pleural|apical retraction",
        "distortion of? the? ~ hilum|hila",
    ), zoned=True, code=sct("12402003", "broader")),
    Finding("bronchial_thickening", "bronchial wall thickening", (
        "bronchial wall? thickening|cuffing|prominence", "peribronchial thickening|cuffing",
        "peribronchial prominence|markings|opacity|opacities|haziness",
        "bronchiectasis|bronchiectatic|bronchiectases", "bronchitis|bronchitic|bronchiolitis",
        "thickened bronchi|airways", "airway|airways wall? thickening", "reactive airway|airways",
        "small airway|airways disease|inflammation",
    ), zoned=True, code=radlex("RID46027")),
    # Focal lesions.
    Finding("nodule", "nodule", (
        "pulmonary|lung|calcified? nodule|nodules",
        "micronodule|micronodules", "nodularity",
    ), zoned=True, labels=("Nodule",), code=sct("427359005")),
    Finding("mass", "mass", (
        "pulmonary|lung? mass|masses", "mass|masslike like? opacity|opacification|density|lesion",
    ), zoned=True, labels=("Mass",), code=sct("309529002")),
    Finding("lung_lesion", "lung lesion", (
        "pulmonary|lung? lesion|lesions", "cavitary? lesion", "cavity|cavities|cavitation|cavitary",
        f"nodular {OPACITY}|lesion|lesions", "tumor|tumour|neoplasm|malignancy|carcinoma",
        "metastasis|metastases|metastatic|neoplastic", "lung|bronchogenic cancer|carcinoma|cyst",
    ), zoned=True, labels=("Lung Lesion",), code=radlex("RID38780", "broader")),
    Finding("granuloma", "granuloma", (
        "calcified? granuloma|granulomas|granulomata", "granulomatous disease|change|changes",
        "granulomatous calcification|calcifications|sequela|sequelae",
        "granulomatous|healed|old|prior|remote granulomatous? infection|exposure",
        "granulomatous",
    ), zoned=True, code=sct("45647009")),
    # Pleura.
    Finding("pleural_effusion", "pleural effusion", (
        "pleural? effusion|effusions", "pleural fluid", "hemothorax|haemothorax",
        "pleural collection|collections", "pleural based? fluid", "loculated fluid",
        "blunting|blunted of? ~~ costophrenic|cardiophrenic angle|angles|sulcus|sulci|recess",
        "costophrenic|cp angle|angles|sulcus|sulci ~ blunted|blunting|obscured",
        "costophrenic|cp angle|angles|sulcus|sulci blunting|blunted", "cp blunting",
        "fluid in|within|along the? minor|major|horizontal? fissure|fissures",
        "empyema",
    ), labels=("Effusion", "Pleural Effusion"), code=sct("60046008")),
    Finding("pneumothorax", "pneumothorax", (
        "pneumothorax|pneumothoraces|pneumothoraxes|hydropneumothorax|hydropneumothoraces",
        "hemopneumothorax|haemopneumothorax", "pleural air", "ptx", "air ~ pleural space",
    ), labels=("Pneumothorax",), code=sct("36118008")),
    Finding("pleural_thickening", "pleural thickening", (
        "pleural|apical|pleuroparenchymal thickening|capping|cap|caps",
        "thickening of|in the? ~ pleura|fissure|fissures", "fissural|fissure thickening",
        "pleura ~ thickened", "thickened pleura|fissure|fissures", "pleural reaction",
        "fissure|fissures ~ thickened|prominent",
    ), zoned=True, labels=("Pleural_Thickening", "Pleural Thickening"),
            code=sct("301256004", "broader")),
    Finding("pleural_plaque", "pleural plaque", (
        "pleural plaque|plaques|calcification|calcifications|abnormality", "calcified pleura",
        "calcified pleural plaque|plaques|disease",
    ), labels=("Pleural Other",), code=radlex("RID43269")),
)
# fmt: on
