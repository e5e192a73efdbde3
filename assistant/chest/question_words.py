"""The words of questions about a film: their subjects, phrasings, and the forms of the answers.

Data only; `assistant.vqa.question_bank` decides when each is asked. The last phrasing of each
list is used in the test split only, as in the phantoms' reports.
"""

from __future__ import annotations

from assistant.chest.vocabulary import (
    CARDIOMEGALY,
    DISTRACTORS,
    NODULE,
    PHANTOM_FINDINGS,
    finding_named,
)

ASKED = (*PHANTOM_FINDINGS, *DISTRACTORS)  # asked about where they are absent, too
LASTING = DISTRACTORS  # they do not come and go, so nothing asks how they changed
GRADED = (CARDIOMEGALY, "pleural_effusion", "pneumothorax")  # a phantom's truth tells how large
COUNTED = NODULE
NUMBERS = {1: "One.", 2: "Two.", 3: "Three."}
POSITIONS = {"in place": "In place.", "too high": "Too high.", "too low": "Too low."}

# Names that take no article; all others take one: "a nodule".
PLURAL = frozenset((
    "sternotomy_wires", "surgical_clips", "low_lung_volumes", "calcified_lymph_node",
    "lymphadenopathy", "enlarged_pulmonary_arteries",
))  # fmt: skip
UNCOUNTED = PLURAL | {
    "atelectasis", "volume_loss", "consolidation", "pneumonia", "oedema", "heart_failure",
    "vascular_congestion", "emphysema", "hyperinflation", "fibrosis", "scarring",
    "bronchial_thickening", "pleural_thickening", "free_air", "cardiomegaly",
    "hilar_enlargement", "aortic_abnormality", "scoliosis", "kyphosis", "degenerative_spine",
    "osteopenia", "subcutaneous_emphysema", "tuberculosis", "chronic_lung_disease", "bowel_gas",
    "pneumomediastinum", "calcified_lymph_node", "lymphadenopathy", "coronary_calcification",
    "enlarged_pulmonary_arteries", "pulmonary_embolism", "chamber_enlargement", "arthritis",
    "calcification", "soft_tissue_shadow", "orthopaedic_hardware", "postsurgical_change",
    "contrast_material",
}  # fmt: skip
# What has an edge has a size; what has none has a degree.
MEASURED = frozenset(
    ("pleural_effusion", "pneumothorax", "consolidation", "nodule", "mass", "atelectasis")
)

PRESENCE = (
    "{Is} there {a_name}?",
    "Does the film show {a_name}?",
    "Do you see {a_name}?",
    "{Is} {a_name} present?",
    "{Is} there any sign of {a_name}?",
    "Any {name}?",
    "{Is} {a_name} seen?",
    "Does this patient have {a_name}?",
    "Do you find {a_name} on this film?",
    "{Is} {a_name} visible here?",
    "Would you say that there {is} {a_name}?",
    "Can you make out {a_name}?",
)
DEVICE = (
    "{Is} there {a_name}?",
    "Does the film show {a_name}?",
    "Does the patient have {a_name}?",
    "Can {a_name} be seen?",
    "{Is} {a_name} present?",
    "Any {name}?",
    "Do you see {a_name}?",
    "{Is} {a_name} visible here?",
    "Has the patient got {a_name}?",
    "Do you find {a_name} on this film?",
    "Do you make out {a_name}?",
)
SIDE = (
    "On which side {is} the {name}?",
    "Which side {is} the {name} on?",
    "{Is} the {name} on the right or on the left?",
    "What side {is} the {name}?",
    "{Is} the {name} right, left or on both sides?",
    "The {name}: right or left?",
    "Which side shows the {name}?",
    "On what side do you see the {name}?",
    "To which side does the {name} belong?",
    "Right or left: where {is} the {name}?",
)
PLACE = (
    "Where {is} the {name}?",
    "In which zone {is} the {name}?",
    "What is the place of the {name}?",
    "Where do you see the {name}?",
    "Where does the {name} lie?",
    "Which zone {is} the {name} in?",
    "In what part of the lung {is} the {name}?",
    "Where in the lungs {is} the {name}?",
    "Which part of the lung shows the {name}?",
    "Which zone of the lung holds the {name}?",
)
SIZE = (
    "How large is the {name}?",
    "What size is the {name}?",
    "Is the {name} small, moderate or large?",
    "What is the size of the {name}?",
    "How much {name} is there?",
    "How small or large is the {name}?",
    "Tell me the size of the {name}.",
    "How big is the {name}?",
)
DEGREE = (
    "What degree of {name} is there?",
    "How marked is the {name}?",
    "Is the {name} small, moderate or large?",
    "What is the degree of the {name}?",
    "How severe is the {name}?",
    "To what degree is there {name}?",
    "How pronounced is the {name}?",
    "Tell me the degree of the {name}.",
    "How would you grade the {name}?",
)
COUNT = (
    "How many {name}s are there?",
    "How many {name}s does the film show?",
    "What is the number of {name}s?",
    "How many {name}s do you see?",
    "How many {name}s can be seen?",
    "Tell me the number of {name}s.",
    "What number of {name}s is there?",
    "How many {name}s has this patient?",
    "Count the {name}s.",
)
TIP = (
    "Where is the tip of the {name}?",
    "Is the {name} in place?",
    "How does the {name} lie?",
    "Is the {name} well placed?",
    "Where does the {name} end?",
    "What is the position of the {name}?",
    "Does the {name} lie where it should?",
    "Is the tip of the {name} where it should be?",
    "Is the {name} too high or too low?",
)
COMPARISON = (
    "How has the {name} changed since the prior film?",
    "Compared with the prior film, how is the {name}?",
    "Has the {name} changed?",
    "Is the {name} larger or smaller than before?",
    "What is the change of the {name}?",
    "How does the {name} compare with the prior film?",
    "Is the {name} new, larger, smaller, unchanged or resolved?",
    "Since the prior film, has the {name} changed?",
    "How is the {name} now, compared with before?",
    "What has become of the {name} since the prior film?",
)
BEYOND = (
    "What is {thing}?",
    "Tell me {thing}.",
    "Can you tell {thing}?",
    "Do you know {thing}?",
    "Does the film tell {thing}?",
    "I need {thing}.",
    "Say what {thing} is.",
    "Please give {thing}.",
)
THINGS = (
    "the blood pressure",
    "the blood group",
    "the haemoglobin",
    "the kidney function",
    "the oxygen saturation",
    "the temperature",
    "the heart rate",
    "the patient's name",
    "the patient's age",
    "the smoking history",
)
NOT_SHOWN = "The film does not show {thing}."


def phrase_question(template: str, finding: str, side: str = "") -> str:
    """Fill a phrasing with the name of a finding, on a side where one is given."""
    verb = "are" if finding in PLURAL else "is"
    name = f"{side} {finding_named(finding).name}".strip()
    return template.format(
        name=name, a_name=with_article(finding, side), Is=verb.capitalize(), **{"is": verb}
    )


def with_article(finding: str, describing: str = "") -> str:
    """Return the name of a finding with its article: "a left pneumothorax", "atelectasis"."""
    name = f"{describing} {finding_named(finding).name}".strip()
    if finding in UNCOUNTED:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
