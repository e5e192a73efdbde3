"""The findings of heart, vessels, mediastinum, diaphragm, and the words for them. Data only."""

from __future__ import annotations

from assistant.chest.terms import HEART, WIDE, Finding, radlex, sct

_HEART_SIZE = "enlarged|enlargement|prominent|prominence|large|borderline"
_ARTERIES = "pulmonary artery|arteries|trunk"
_NODE = "node|nodes|xxxx"

# A table is read by its rows.
# fmt: off
HEART_FINDINGS: tuple[Finding, ...] = (
    Finding("raised_diaphragm", "raised hemidiaphragm", (
        "elevated|elevation|raised|eventration|eventrated of? the? ~ diaphragm|hemidiaphragm",
        "diaphragm|hemidiaphragm ~ elevated|raised|eventration|elevation|paralysis|eventrated",
        "eventration|eventrations", "high riding ~ diaphragm|hemidiaphragm",
        "diaphragmatic|hemidiaphragmatic elevation|paralysis|eventration",
    ), code=sct("5798000", "place")),
    Finding("free_air", "free air under the diaphragm", (
        "pneumoperitoneum", "free intraperitoneal|intra|peritoneal|subdiaphragmatic? air|gas",
        "free abdominal|intraabdominal|subphrenic|infradiaphragmatic|intra? abdominal? air|gas",
        "free intra peritoneal|abdominal air|gas",
        "subdiaphragmatic|subphrenic|intraperitoneal|infradiaphragmatic free? air|gas",
        "air|gas under|beneath|below ~ diaphragm|diaphragms|hemidiaphragm|hemidiaphragms",
    ), sided=False, code=radlex("RID4803")),
    Finding("hernia", "hiatus hernia", (
        "hiatal|hiatus|diaphragmatic|morgagni|bochdalek|paraesophageal? hernia|hernias",
        "intrathoracic stomach",
    ), sided=False, labels=("Hernia",), code=sct("84089009")),
    Finding("bowel_gas", "bowel gas or distension", (
        "distended|dilated|distension|distention of? ~ bowel|stomach|colon|loops|xxxx",
        "bowel|colon|stomach|loops|gastric ~ distended|dilated|distension|distention",
        "bowel|colonic gas", "bowel gas? pattern", "air|gas filled? ~ bowel|colon|stomach|loops",
        "colonic? interposition", "small? bowel obstruction", "ileus", "chilaiditi",
        "interposition of the? colon", "bowel|colonic loops", "stool ~ colon|rectum",
        "air|gas xxxx? in|within|of the? transverse|sigmoid|distal? colon",
        "gastric|stomach bubble|distention|distension",
    ), sided=False, code=radlex("RID3793", "broader")),
    # Heart and mediastinum.
    Finding("cardiomegaly", "cardiomegaly", (
        "cardiomegaly", f"{HEART} ~ {_HEART_SIZE}", f"borderline {HEART}",
        f"{HEART} ~ a bit|little|touch enlarged|prominent|large",
        f"{HEART} ~ and mediastinum|mediastinal ~ enlarged",
        f"enlarged|enlargement|prominent|prominence of|in? the? {HEART} silhouette?",
        "cardiomediastinal|cardio silhouette ~ enlarged|enlargement|prominent",
        "enlarged|enlargement|prominent of? the? cardiomediastinal silhouette",
        f"increased {HEART} size|silhouette", f"{HEART} size ~ increased",
        f"increase in size? of? the? {HEART} size|silhouette?",
    ), sided=False, labels=("Cardiomegaly",), code=sct("8186001")),
    Finding("chamber_enlargement", "enlargement of a heart chamber", (
        "right|left ventricular|atrial|chamber enlargement|prominence|dilatation|hypertrophy",
        "enlarged|enlargement|prominent|prominence|dilated of? the? right|left ventricle|atrium",
        "right|left ventricle|atrium ~ enlarged|prominent|dilated",
        "right|left heart ~= enlargement|prominence", "enlargement|enlarged of? a? heart chamber",
    ), sided=False, code=radlex("RID3775", "broader")),
    Finding("pericardial_effusion", "pericardial effusion", (
        "pericardial effusion|effusions|fluid",
    ), sided=False, code=sct("373945007")),
    Finding("fat_pad", "pericardial fat pad", (
        "epicardial|pericardial|epipericardial|cardiophrenic fat|xxxx pad|pads",
        "epicardial|epipericardial fat", "fat pad|pads", "mediastinal fat|lipomatosis",
    ), code=radlex("RID3775", "broader")),
    Finding("enlarged_cardiomediastinum", "enlarged cardiomediastinum", (
        f"mediastinal|mediastinum ~ {WIDE}|wide",
        f"{WIDE}|wide of? the? superior|upper? mediastinal|mediastinum",
        "paratracheal ~ prominence|prominent|thickening|widening|fullness",
        "prominent|prominence|thickened|thickening|widening ~ paratracheal stripe?",
        "vascular pedicle ~ prominent|widened", "prominent|widened vascular pedicle",
        f"{WIDE} cardiomediastinum",
    ), sided=False, labels=("Enlarged Cardiomediastinum", "Enlarged Cardiom."),
            code=radlex("RID3775", "broader")),
    Finding("mediastinal_shift", "shift of the mediastinum", (
        "mediastinal|mediastinum|tracheal|trachea|midline ~ shift|shifted|deviation|deviated",
        "mediastinal|mediastinum|tracheal|trachea|midline|heart ~ displaced|displacement",
        "shift|deviation|displacement of|in? the? ~ mediastinum|mediastinal|trachea|tracheal|heart",
        "deviation towards|toward|to the? right|left", "rightward|leftward shift|deviation",
        "cardiomediastinal|mediastinal shift|displacement",
    ), code=radlex("RID4751", "broader")),
    Finding("pneumomediastinum", "air in the mediastinum", (
        "pneumomediastinum|pneumopericardium", "mediastinal emphysema|air|gas",
        "air|gas in|within the? mediastinum",
    ), sided=False, code=sct("16838000")),
    Finding("hilar_enlargement", "hilar enlargement", (
        f"hilar|hilum|hila|perihilar ~ {WIDE}|fullness", "hilar adenopathy|lymphadenopathy",
        "bihilar prominence|adenopathy|lymphadenopathy|fullness|enlargement",
        f"{WIDE}|full|fullness|bulky ~ hilum|hila", f"{WIDE}|full|fullness|bulky ~ hilar",
        "hilar lymph? node|nodes? ~ enlarged|enlargement|prominent",
    ), code=radlex("RID3775", "broader")),
    Finding("lymphadenopathy", "enlarged lymph nodes", (
        "adenopathy|lymphadenopathy", "enlarged|enlargement|prominent of? the? lymph node|nodes?",
        "mediastinal|paratracheal|axillary adenopathy|lymphadenopathy",
        "lymph nodes? ~ enlarged|enlargement",
        "axillary|cervical|supraclavicular lymph? adenopathy|lymphadenopathy|node|nodes",
    ), code=sct("30746006")),
    Finding("calcified_lymph_node", "calcified lymph nodes", (
        f"calcified|calcification|dense ~ lymph {_NODE}?", f"calcified ~ {_NODE}",
        "calcified ~ hilar|hilum|hila|mediastinal|perihilar|suprahilar xxxx?",
        f"calcified ~ infracarinal|subcarinal|paratracheal lymph? {_NODE}?",
        f"lymph {_NODE}? ~ calcified|calcification", "hilar|mediastinal|nodal calcification",
        "hilar|mediastinal|nodal calcifications", "hilar|mediastinal ~ calcified lymph?",
    ), code=radlex("RID5196", "broader")),
    Finding("aortic_abnormality", "aortic ectasia or calcification", (
        "aorta|aortic ~ tortuous|tortuosity|ectatic|ectasia|calcified|calcification|calcifications",
        "aorta|aortic ~ unfolded|unfolding|uncoiled|elongated|dilated|dilatation|calcific",
        "aorta|aortic ~ atherosclerotic|atherosclerosis|prominent|prominence|dilation|enlarged",
        "tortuous|ectatic|calcified|unfolded|dilated|elongated|calcific|atherosclerotic aorta",
        "tortuous|ectatic|calcified|unfolded|dilated|calcific|uncoiled thoracic? aorta|aortic",
        "tortuosity|ectasia|unfolding|uncoiling|calcification|calcifications|dilatation ~ aorta",
        "tortuosity|ectasia|unfolding|calcification|calcifications|dilatation ~ aortic",
        "unfolded|tortuous ~ aorta",
        "tortuous|ectatic|prominent|dilated|unfolded ascending|and ~ aorta",
        "prominent|prominence|dilatation ~ ascending|descending|thoracic aorta",
        "tortuous great|mediastinal|thoracic? vessels|vasculature",
        "transverse|aortic arch ~ calcified", "right sided? aortic arch|xxxx",
        "aortic|vascular|arterial? atherosclerosis|atherosclerotic",
        "aortic|vascular|arterial calcification|calcifications",
        "calcified|calcific vascular|arterial? vessels|vasculature|arteries|xxxx",
        "vascular senescent? change|changes", "vascular disease", "tortuosity",
    ), sided=False, code=radlex("RID3284", "broader")),
    Finding("aortic_aneurysm", "aortic aneurysm", (
        "aortic|aorta|thoracic|abdominal? aneurysm|aneurysms|aneurysmal", "aortic dissection",
    ), sided=False, code=sct("67362008")),
    Finding("coronary_calcification", "calcification of coronary arteries or valves", (
        "coronary ~= calcification|calcifications|calcified|atherosclerosis|disease",
        "calcified|calcification ~= coronary|annulus|valve|annular",
        "mitral|aortic ~ annulus|annular|valve calcification|calcifications",
        "annular|valvular calcification|calcifications", "pericardial calcification|calcifications",
    ), sided=False, code=sct("445512009", "narrower")),
    Finding("enlarged_pulmonary_arteries", "enlarged pulmonary arteries", (
        f"{_ARTERIES} ~ {WIDE}|large|dilated|dilatation|dilation|full|fullness",
        f"{WIDE}|large|dilated|dilatation|dilation|fullness ~ pulmonary artery|arteries|trunk|xxxx",
        "central pulmonary xxxx? ~ enlarged|prominent",
        "pulmonary arterial|artery|venous? hypertension",
    ), code=radlex("RID4743", "broader")),
    Finding("pulmonary_embolism", "pulmonary embolism", (
        "pulmonary? embolism|embolus|emboli|thromboembolism|thromboembolic",
        "pulmonary infarct|infarction|infarcts", "hampton hump",
    ), code=sct("59282003")),
)
# fmt: on
