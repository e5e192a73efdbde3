"""Devices, traces of operations, and the film's own limits, with the words for them. Data only."""

from __future__ import annotations

from assistant.chest.terms import ACUTE, CHEST, NONE, TIP, TROUBLE, Finding, dcm, radlex, sct

NORMAL = "no_finding"  # the key for a film without any finding
_CENTRAL = "svc|cavoatrial|caval|vena|brachiocephalic|azygos"

# A table is read by its rows.
# fmt: off
DEVICE_FINDINGS: tuple[Finding, ...] = (
    Finding("endotracheal_tube", "endotracheal tube", (
        "endotracheal|et|tracheostomy tube|tubes", "endotracheal|et and|, ~~ tubes", "ett",
        "tracheostomy",
    ), sided=False, code=sct("26412008")),
    Finding("gastric_tube", "gastric tube", (
        "nasogastric|orogastric|enteric|feeding|ng|og|gastric|dobbhoff|dobhoff tube|tubes",
        "ngt|ogt", "nasogastric|orogastric|enteric|ng|og and|, ~~ tubes",
        "nasojejunal|gastrostomy|jejunostomy|peg tube|tubes", "dobbhoff|dobhoff",
    ), sided=False, code=sct("25062003")),
    Finding("central_line", "central venous line", (
        "central|picc|jugular|subclavian|ij|dialysis venous? line|lines|catheter|catheters",
        "picc", "port a cath|catheter?", "portacath|mediport|chemoport|cvc|permacath|portacatheter",
        "infusion port", "swan ganz catheter?", "pic|hemodialysis|haemodialysis line|catheter",
        "central|internal venous line|lines|catheter|catheters|port|xxxx",
        "venous line|catheter|port", "tunneled|tunnelled catheter|line", "port|cvl",
        f"catheter|line ~ tip|tips? ~ {_CENTRAL}", "intravenous catheter|line",
        f"tip|tips ~ {_CENTRAL}", "vascath|medcomp|hickman|broviac|groshong",
    ), code=dcm("112174")),
    Finding("chest_drain", "chest drain", (
        f"chest|pleural|thoracostomy|pigtail {TIP}", "pleural? pigtail|pleurx",
    ), code=dcm("112173")),
    Finding("pacemaker", "pacemaker or defibrillator", (
        "pacemaker|pacemakers|pacer|aicd|icd|defibrillator|pacemaker",
        "pacing|pacer lead|leads|wire|wires|device", "implanted? cardiac? generator",
        "cardiac xxxx with leads",
        "cardiac pacemaker|pacer|defibrillator|device|generator", "loop recorder",
        "epicardial lead|leads|wire|wires|xxxx", "cardiac conduction device",
    ), code=sct("14106009")),
    Finding("sternotomy_wires", "sternotomy wires", (
        "median? sternotomy|sternal wire|wires|suture|sutures?", "median? sternotomy", "cabg",
        "coronary artery? bypass",
    ), sided=False, code=radlex("RID5609", "broader")),
    Finding("valve_prosthesis", "prosthetic valve", (
        "prosthetic|mechanical|artificial|bioprosthetic ~ valve|valves",
        "valve replacement|prosthesis|artifact|repair", "valvuloplasty|tavr|annuloplasty",
        "valve ring|rings",
    ), sided=False, code=sct("25510005")),
    Finding("surgical_clips", "surgical clips or hardware", (
        "surgical|cholecystectomy|vascular? clip|clips|staple|staples",
        "surgical|staple|suture line|material|sutures",
        "surgical suture? xxxx|material|hardware|device", "suture|sutures", "hardware",
        "embolization xxxx|coil|coils", "skin|wall surgical staple|staples|xxxx",
    ), code=radlex("RID5607", "narrower")),
    Finding("stent", "stent", (
        "vascular|coronary|aortic|biliary|esophageal? stent|stents", "endograft|stentgraft",
    ), code=sct("65818007")),
    Finding("orthopaedic_hardware", "orthopaedic hardware", (
        "internal fixation", "orthopedic|orthopaedic|spinal|fixation hardware",
        "arthroplasty|arthroplasties", "bone? anchor|anchors", "acdf",
        "prosthetic ~ shoulder|hip|joint", "shoulder|hip|joint prosthesis|replacement|hardware",
        "screw|screws|plates|rods", "plate and screws?", "harrington rod|rods", "vertebroplasty",
        "verterbroplasty|kyphoplasty", "rotator cuff|xxxx? repair", "spinal|cervical|lumbar fusion",
        "spine fusion|hardware|rods", "fusion of ~ vertebrae|spine|cervical",
        "anterior|posterior|old|congenital|lumbosacral|instrumented fusion",
        "fusion xxxx",
        "ligamentous repair", "vertebral body cage",
        "body stabilization", "fixation plate|device",
        "spinal|spine|cervical|thoracic|lumbar fixation",
    ), code=sct("16349000")),
    Finding("support_device", "support device", (
        "support device|devices|apparatus", "lines and|or tubes", "monitoring device|devices|leads",
        "ekg|ecg|monitor|telemetry|overlying lead|leads|wire|wires|electrode|electrodes",
        "vp|ventriculoperitoneal|shunt tubing|catheter", "ventriculoperitoneal shunt", "shunt",
        "stimulator|neurostimulator|stimulators", "ivc|cava|caval filter|xxxx", "vena cava filter",
        "intrathecal|epidural|subcutaneous|drainage ~ catheter|tubing|pump", "closure device",
        "septal occluder|closure", "occluder", "implantable|implanted ~ device|devices|recorder",
        "balloon pump", "medication injection xxxx|port", "catheter|catheters|tubing",
        "gastric band|lap", "medical device|devices",
    ), labels=("Support Devices",), code=sct("49062001")),
    # Traces of operations and injuries.
    Finding("postsurgical_change", "change after surgery", (
        "postsurgical|postoperative ~ change|changes|sequela|xxxx?",
        "surgical ~ change|changes|sequela",
        "post operative|surgical ~ change|changes?", "lobectomy|pneumonectomy|segmentectomy",
        "mastectomy|lumpectomy|thoracotomy|thoracoplasty|esophagectomy|cholecystectomy|splenectomy",
        "prior|previous|old ~ surgery|resection", "gastric pull through|up?",
        "wedge resection", "status post ~ surgery|resection", "postop", "resection",
        "transplant|transplantation", "nephrectomy|thyroidectomy|gastrectomy|vagotomy",
        "surgically absent|resected", "change|changes after surgery", "surgical absence",
        "prior ~ procedure",
        "radiation|postradiation change|changes|fibrosis|therapy", "post radiation change|changes",
    ), code=radlex("RID4591")),
    Finding("breast_implant", "breast implant", (
        "breast implant|implants|prosthesis|prostheses|expander|expanders",
    ), code=sct("2282003")),
    Finding("foreign_body", "foreign body", (
        "radiopaque|metallic foreign? body|bodies", "foreign body|bodies|object|objects|xxxx",
        "bullet|shrapnel|pellet|pellets|buckshot|bullets", "gunshot wound?",
        "ballistic|metallic|bullet fragment|fragments|debris|density|densities|xxxx|object",
        "metal|metallic fragments?", "nipple|body ring|piercing|piercings", "jewelry|necklace",
        "radiopaque|radiodense object|density|structure|material", "piercing|piercings",
    ), code=sct("19227008")),
    Finding("contrast_material", "contrast material", (
        "oral|retained|residual|enteric|excreted ~ contrast", "contrast material|medium",
        "contrast ~ bowel|colon|esophagus|kidneys|stomach", "barium",
    ), code=sct("385420005")),
    # What limits the film.
    Finding("limited_film", "limited film", (
        "rotated|rotation|malrotated", "motion artifact|blur|blurring|degraded?",
        "limited|suboptimal|nondiagnostic|degraded ~ study|exam|examination|evaluation|film",
        "limited|suboptimal|nondiagnostic|degraded ~ projection|radiograph|quality|assessment|view",
        "study|exam|examination|evaluation|film|images|assessment ~ limited|suboptimal|degraded",
        "body habitus", "obese|obesity", "underpenetrated|underpenetration|overpenetrated",
        "overexposed|underexposed|overexposure", "poor|suboptimal technique|positioning|quality",
        "lordotic projection|positioning|position|technique?", "radiographic attenuation",
        "collimated|excluded|cut from|off ~ film|image|view|study|xxxx|angles",
        "obscures|obscured|obscuring ~ apices|bases|detail|evaluation",
        "chin obscures", "artifact|artefact|artifacts", "costophrenic angles|xxxx? ~ excluded",
        "technically limited|difficult", "technical limitation|limitations|factors",
    ), sided=False, code=radlex("RID13")),
    Finding(NORMAL, "no acute finding", (
        f"{NONE} ~~ {ACUTE} {TROUBLE}", f"{NONE} ~~ {ACUTE} {CHEST} {CHEST}? {TROUBLE}",
        f"{NONE} {CHEST} {TROUBLE}", f"no {ACUTE} {TROUBLE} in|of the chest|thorax",
        "normal frontal|pa|portable|two|2? view|and|lateral? chest radiograph|radiographs|film?",
        "normal chest exam|study", "normal chest x ray|xxxx", "normal radiograph of the chest",
        "normal exam|study",
        "negative chest radiograph|film|exam|study|x?", "chest radiograph|film is|appears? normal",
    ), sided=False, labels=("No Finding", "normal"), code=sct("281900007")),
)
# fmt: on
