"""The words of the phantoms' reports: tables of phrasings, no grammar.

The last phrasing of each list with three or more is used only in the test split, so that a
scorer which merely knows the training sentences by heart is found out. `{degree}`, `{side}` and
`{zone}` are filled in; `{Degree}` begins a sentence.
"""

from __future__ import annotations

PRESENT: dict[str, tuple[str, ...]] = {
    "cardiomegaly": (
        "There is {degree} cardiomegaly.",
        "The heart is {degree_ly} enlarged.",
        "{Degree} cardiomegaly.",
        "The cardiac silhouette is {degree_ly} enlarged.",
        "{Degree} enlargement of the heart is noted.",
        "{Degree} enlargement of the cardiac silhouette is seen.",
    ),
    "pleural_effusion": (
        "There is a {degree} {side} pleural effusion.",
        "A {degree} {side} pleural effusion is present.",
        "{Degree} {side} effusion.",
        "{Degree} {side}-sided pleural effusion.",
        "A {degree} effusion lies on the {side}.",
        "A {degree} pleural effusion is seen on the {side}.",
    ),
    "pneumothorax": (
        "There is a {degree} {side} pneumothorax.",
        "A {degree} {side} pneumothorax is present.",
        "{Degree} {side} pneumothorax.",
        "{Degree} {side}-sided pneumothorax.",
        "A {degree} pneumothorax lies on the {side}.",
        "A {degree} pneumothorax is seen on the {side}.",
    ),
    "consolidation": (
        "There is consolidation in the {side} {zone} zone.",
        "Airspace consolidation is seen in the {side} {zone} zone.",
        "{Side} {zone} zone consolidation.",
        "There is a {side} {zone} zone consolidation.",
        "The {side} {zone} zone shows consolidation.",
        "Focal consolidation in the {side} {zone} lung zone.",
    ),
    "nodule": (
        "There is a nodule in the {side} {zone} zone.",
        "A pulmonary nodule is seen in the {side} {zone} zone.",
        "{Side} {zone} zone nodule.",
        "There is a {side} {zone} zone nodule.",
        "A nodule lies in the {side} {zone} zone.",
        "A rounded nodule projects over the {side} {zone} lung zone.",
    ),
    "mass": (
        "There is a mass in the {side} {zone} zone.",
        "A lung mass is seen in the {side} {zone} zone.",
        "{Side} {zone} zone mass.",
        "There is a {side} {zone} zone mass.",
        "A large rounded mass lies in the {side} {zone} zone.",
        "A mass projects over the {side} {zone} lung zone.",
    ),
    "atelectasis": (
        "There is {side} basal atelectasis.",
        "Linear atelectasis is seen at the {side} base.",
        "{Side} basal atelectasis.",
        "There is plate-like atelectasis in the {side} lower zone.",
        "The {side} base shows bands of atelectasis.",
        "Subsegmental atelectasis is present at the {side} lung base.",
    ),
    "oedema": (
        "There is pulmonary edema.",
        "The appearance is that of pulmonary edema.",
        "Pulmonary edema.",
        "Findings of pulmonary edema are present.",
        "The lungs show pulmonary edema.",
        "Appearances in keeping with pulmonary edema.",
    ),
    "interstitial_pattern": (
        "There is a diffuse interstitial pattern.",
        "Interstitial markings are increased in both lungs.",
        "Bilateral reticular opacities.",
        "A reticular pattern is seen in both lungs.",
        "The lungs show a basal interstitial pattern.",
        "Bilateral interstitial opacities are present.",
    ),
    "hyperinflation": (
        "The lungs are hyperinflated.",
        "There is hyperinflation of the lungs.",
        "Hyperinflated lungs with flattened diaphragms.",
        "The lungs are hyperexpanded.",
        "Hyperinflation with flattening of the diaphragms.",
        "Both lungs are hyperinflated with low flat diaphragms.",
    ),
    "granuloma": (
        "A calcified granuloma is seen in the {side} {zone} zone.",
        "There is a calcified granuloma in the {side} {zone} zone.",
        "{Side} {zone} zone calcified granuloma.",
        "A calcified granuloma projects over the {side} {zone} zone.",
    ),
    "scoliosis": (
        "There is scoliosis of the thoracic spine.",
        "Thoracic scoliosis is noted.",
        "Scoliosis.",
        "The thoracic spine shows scoliosis.",
    ),
    "fracture": (
        "There is a healed {side} rib fracture.",
        "A healed rib fracture is seen on the {side}.",
        "Healed {side} rib fracture.",
        "A {side} rib shows a healed fracture.",
    ),
    "central_line": (
        "A {side} central venous line is in place.",
        "There is a {side} central venous catheter.",
        "{Side} central line ends in the superior vena cava.",
        "A {side}-sided central venous line is present.",
        "A central venous catheter enters from the {side}.",
    ),
    "pacemaker": (
        "A {side} chest wall pacemaker is present.",
        "There is a {side}-sided pacemaker with its leads.",
        "{Side} pacemaker.",
        "A pacemaker is seen on the {side}.",
        "A {side} pacemaker is in place.",
    ),
    "sternotomy_wires": (
        "Sternotomy wires are noted.",
        "Median sternotomy wires are present.",
        "Sternotomy wires.",
        "There are intact sternotomy wires.",
        "Sternotomy wires lie in the midline.",
    ),
    "chest_drain": (
        "A {side} chest drain is in place.",
        "There is a {side} chest tube.",
        "{Side} chest drain.",
        "A {side}-sided chest drain is present.",
        "A chest drain is seen on the {side}.",
    ),
}
TUBE: dict[str, tuple[str, ...]] = {
    "in place": (
        "The endotracheal tube is in good position.",
        "An endotracheal tube ends well above the carina.",
        "Endotracheal tube in good position.",
        "The tip of the endotracheal tube is in a satisfactory position.",
    ),
    "too low": (
        "The endotracheal tube is too low and should be withdrawn.",
        "The tip of the endotracheal tube lies too low, near the carina.",
        "Endotracheal tube too low.",
        "An endotracheal tube ends too close to the carina.",
    ),
    "too high": (
        "The endotracheal tube is too high and should be advanced.",
        "The tip of the endotracheal tube lies too high in the trachea.",
        "Endotracheal tube too high.",
        "An endotracheal tube ends too far above the carina.",
    ),
}
# Both sides at the same degree.
BOTH: dict[str, tuple[str, ...]] = {
    "pleural_effusion": (
        "There are {degree} bilateral pleural effusions.",
        "{Degree} bilateral pleural effusions are present.",
        "{Degree} pleural effusions are seen on both sides.",
    ),
}
# Where the finding is so faint that a careful reader hedges.
FAINT: dict[str, tuple[str, ...]] = {
    "nodule": (
        "There may be a nodule in the {side} {zone} zone.",
        "Possible {side} {zone} zone nodule.",
        "A nodule in the {side} {zone} zone cannot be excluded.",
    ),
    "consolidation": (
        "There may be consolidation in the {side} {zone} zone.",
        "Possible {side} {zone} zone consolidation.",
        "Consolidation in the {side} {zone} zone cannot be excluded.",
    ),
}
HEART_NORMAL = (
    "The heart size is normal.",
    "Heart size is within normal limits.",
    "Normal heart size.",
    "The cardiac silhouette is normal in size.",
    "The cardiomediastinal silhouette is unremarkable.",
    "The heart is not enlarged.",
)
# What is absent: the findings each list denies, and its phrasings.
ABSENT: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("pleural_effusion", "pneumothorax"),
        (
            "No pleural effusion or pneumothorax.",
            "There is no pleural effusion or pneumothorax.",
            "No pneumothorax or pleural effusion is seen.",
            "Neither pleural effusion nor pneumothorax is identified.",
        ),
    ),
    (
        ("pleural_effusion",),
        ("No pleural effusion.", "There is no pleural effusion.", "No effusion is seen."),
    ),
    (
        ("pneumothorax",),
        ("No pneumothorax.", "There is no pneumothorax.", "No pneumothorax is seen."),
    ),
    (
        ("consolidation",),
        (
            "No focal consolidation.",
            "There is no consolidation.",
            "No airspace consolidation is seen.",
        ),
    ),
    (
        ("nodule", "mass"),
        ("No nodule or mass.", "There is no nodule or mass.", "No lung nodule or mass is seen."),
    ),
    (
        ("oedema",),
        ("No pulmonary edema.", "There is no pulmonary edema.", "No edema is seen."),
    ),
)
CLEAR_LUNGS = (
    "The lungs are clear.",
    "Both lungs are clear without focal consolidation or nodule.",
    "Clear lungs.",
    "The lungs are clear of consolidation and edema.",
    "No focal airspace disease is seen.",
)
BONES = (
    "The bones are unremarkable.",
    "No acute bony abnormality.",
    "The visualized osseous structures are intact.",
)
NORMAL_IMPRESSION = (
    "No acute cardiopulmonary abnormality.",
    "No acute cardiopulmonary process.",
    "Normal chest radiograph.",
    "No acute disease in the chest.",
)
INDICATIONS = (
    "",
    "",
    "Shortness of breath.",
    "Cough and fever.",
    "Chest pain.",
    "Follow-up.",
    "Preoperative film.",
    "Weight loss.",
    "Hypoxia.",
)
DEVICE_INDICATIONS = ("Check of lines and tubes.", "Position of the tube.", "After the operation.")
COMPARED: dict[str, tuple[str, ...]] = {
    "new": ("The {what} is new.", "New {what}.", "The {what} was not there before."),
    "resolved": ("The {what} has resolved.", "Resolved {what}.", "The {what} is no longer seen."),
    "larger": ("The {what} has increased.", "The {what} is larger.", "Increase of the {what}."),
    "smaller": ("The {what} has decreased.", "The {what} is smaller.", "Decrease of the {what}."),
    "unchanged": ("The {what} is unchanged.", "Unchanged {what}.", "No change of the {what}."),
}
ADVERB = {"mild": "mildly", "moderate": "moderately", "severe": "severely"}
OF_THE_HEART = {"small": "mild", "moderate": "moderate", "large": "severe"}
NAMES = {  # in an impression or a caption
    "oedema": "pulmonary edema",
    "interstitial_pattern": "interstitial pattern",
    "sternotomy_wires": "sternotomy wires",
    "central_line": "central venous line",
    "fracture": "healed rib fracture",
    "granuloma": "calcified granuloma",
    "hyperinflation": "hyperinflation of the lungs",
}
