"""The findings of bones and soft tissues, with the words for them. Data only."""

from __future__ import annotations

from assistant.chest.terms import BONE, VERTEBRA, Finding, dcm, radlex, sct

_NAMED_JOINT = (
    "shoulder|shoulders|glenohumeral|acromioclavicular|ac|humeral|hip|hips|knee|knees"
    "|sternoclavicular"
)
_JOINT = f"{_NAMED_JOINT}|joint|joints"
_LEVEL = "|".join(["vertebra", "vertebral", *(f"{a}{n}" for a in "tl" for n in range(13))])
_SHAPE = "deformity|deformities|deformed|wedging|wedged|depression|depressions|retropulsion|wedge"

# A table is read by its rows.
# fmt: off
BONE_FINDINGS: tuple[Finding, ...] = (
    Finding("fracture", "fracture", (
        "rib|compression? fracture|fractures|fractured", "compression deformity|deformities",
        "rib deformity|deformities", "broken rib|ribs|bone|bones", "cortical disruption",
        "vertebral|body|endplate|vertebra ~= collapse|collapsed|compressed",
        "collapse|compression of? ~= vertebra|vertebrae|vertebral",
        "deformed ~ rib|ribs", "rib|ribs ~ deformity|deformities|deformed",
    ), labels=("Fracture",), code=sct("125605004")),
    Finding("vertebral_deformity", "vertebral deformity", (
        f"{_LEVEL}|body|bodies|spine|endplate ~ {_SHAPE}", f"{_SHAPE} of|in? ~ {_LEVEL}|body|spine",
        "loss of|in? xxxx? vertebral|xxxx? body? height", "vertebral|body height? loss",
        "loss of? xxxx? height ~ vertebra|vertebral|body|disc|disk|spine", "loss in height",
        "anterior wedging|wedge|deformity|deformities|compression", "wedging deformity?",
        "wedge deformity|deformities|compression|xxxx",
        "endplate|endplates depression|depressions|deformity|irregularity",
        "h shaped vertebrae|vertebra|vertebral", "retropulsion",
        "osseous|bony|bone fusion",
    ), sided=False, code=sct("42942008", "narrower")),
    Finding("bone_deformity", "deformity of a bone", (
        f"{BONE} ~ deformity|deformities|irregularity|irregularities|deformed|injury",
        f"deformity|deformities|irregularity|injury of|in? ~ {BONE}", "deformity|deformities",
        "post? traumatic|posttraumatic ~ change|changes|deformity|sequela",
        "old|remote|prior|chronic ~ injury|injuries|trauma", "callus",
        "contour irregularity|irregularities", "clavicle ~ widening|shortening|shortened",
    ), code=radlex("RID39218", "broader")),
    Finding("bone_lesion", "bone lesion", (
        f"{BONE} lesion|lesions|metastasis|metastases|island",
        f"{VERTEBRA} lesion|lesions|metastasis|metastases", "lytic|sclerotic|blastic",
        "lytic|sclerotic|blastic|expansile|lucent ~= lesion|lesions|focus|foci|change|changes|area",
        "sclerosis", "multiple? myeloma", "metastatic ~ bone|bones|osseous|skeleton",
        "osseous|bony|skeletal metastatic disease", f"lesion|lesions in|of|within ~ {BONE}",
        f"lesion|lesions|lucency|lucencies in|of|within|through|crosses ~ {BONE}",
        f"{BONE} ~ lucency|lucencies", "osteomyelitis", "bone island", "osteonecrosis|avn",
        "avascular necrosis", "renal osteodystrophy", "paget disease?",
    ), code=radlex("RID38780", "broader")),
    Finding("dislocation", "dislocation of a joint", (
        "dislocation|dislocated|subluxation|subluxed|retrolisthesis|anterolisthesis|listhesis",
        "spondylolisthesis", "separation ~ joint|acromioclavicular|clavicle|xxxx",
        "acromioclavicular|ac|joint|joints ~ separation|separated|widened|widening",
        "widening ~ joint|joints|acromioclavicular",
    ), code=sct("108367008")),
    Finding("scoliosis", "scoliosis", (
        "scoliosis|scoliotic|levoscoliosis|dextroscoliosis|kyphoscoliosis|rotoscoliosis",
        "dextrocurvature|levocurvature|dextroconvex|levoconvex",
        "dextro|levo|rightward|leftward|lateral curvature|scoliosis",
        "spine|spinal|thoracolumbar|thoracic|lumbar ~ curvature|curve",
        "curvature|curve of? the? ~ spine|thoracolumbar", "s shaped curvature|spine",
    ), sided=False, code=sct("298382003")),
    Finding("kyphosis", "kyphosis", ("kyphosis|kyphotic|kyphoscoliotic",), sided=False,
            code=sct("414564002")),
    Finding("degenerative_spine", "degenerative change of the spine", (
        "degenerative ~ change|changes|disease|spurring|xxxx", "generative changes",
        "degenerative|osteophyte|osteophytes|osteophytosis|spondylosis|spondylitic|spondylotic",
        "syndesmophyte|syndesmophytes", "diffuse idiopathic skeletal hyperostosis", "dish",
        "hyperostosis", "senescent change|changes", "spurring|spurs|spur",
        "disc|disk space|height? narrowing|loss|narrowed|disease",
        "loss of disc|disk height|space|xxxx?",
        "endplate|vertebral|disc|spine ~ spurring|spurs|sclerosis|change|changes",
        "spine|spinal|vertebral ~ arthritis|arthritic|arthropathy|spondylosis",
        "arthritis|arthritic ~ spine|spinal|cervical|thoracic|lumbar|skeletal",
        "cervical|thoracic|lumbar|spinal arthritis|arthritic", "ankylosing spondylitis",
    ), sided=False, code=radlex("RID5085")),
    Finding("arthritis", "arthritis of joints", (
        "arthritis|arthritic|osteoarthritis|arthropathy|arthrosis|osteoarthrosis|osteoarthritic",
        f"degenerative ~ {_NAMED_JOINT}", f"{_JOINT} ~ degenerative|arthritis|spurring|arthropathy",
        "joint space narrowing|loss", "narrowing of? ~ joint", "calcific tendinitis|tendinopathy",
        "obliteration of ~ joint",
    ), code=sct("3723001")),
    Finding("osteopenia", "osteopenia", (
        "osteopenia|osteopenic|osteoporosis|osteoporotic|demineralization|demineralized",
        "demineralisation", "decreased|low|reduced bone mineral? density|mineralization",
        "bone|bony mineral? density is? diffusely|mildly? decreased|reduced|low",
        "bone|bony mineralization ~ decreased|reduced|low",
    ), sided=False, code=sct("312894000")),
    Finding("chest_wall_deformity", "deformity of the chest wall", (
        "pectus excavatum|carinatum|deformity|xxxx?", "chest wall|cage deformity",
        "deformity of the? chest wall|cage?",
        "thoracic|chest deformity", "thorax ~ deformed|deformity", "barrel shaped",
    ), sided=False, code=radlex("RID39218", "broader")),
    Finding("cervical_rib", "cervical rib", ("cervical rib|ribs",),
            code=radlex("RID2471", "place")),
    Finding("subcutaneous_emphysema", "subcutaneous emphysema", (
        "subcutaneous|surgical|soft tissue? emphysema|air|gas", "soft tissue emphysema|air|gas",
        "chest wall|neck|cutaneous|tissue|tissues emphysema|air|gas",
        "emphysema|emphysematous changes? in|of the? chest? soft? wall|neck|tissues|tissue",
        "emphysema|air|gas in|of|within|along|over|throughout the? ~ wall|neck|tissues|tissue",
        "subcutaneous crepitus",
    ), code=sct("3830001")),
    # Lines and leaves of the body that a film shows and nobody treats.
    Finding("azygos_lobe", "azygos lobe", (
        "accessory? azygos lobe|fissure|pseudofissure|xxxx", "accessory fissure",
    ), sided=False, code=sct("1694004", "broader")),
    Finding("situs_anomaly", "anomaly of situs", (
        "dextrocardia", "situs inversus|ambiguus", "heterotaxy", "anomaly of situs",
    ), sided=False, code=sct("27637000", "narrower")),
    Finding("calcification", "calcification", (
        "calcification|calcifications|calcific|calcified|phlebolith|phleboliths|cholelithiasis",
        "calcium", "gallstone|gallstones",
    ), code=dcm("112063")),
    Finding("nipple_shadow", "nipple shadow", (
        "nipple shadow|shadows|marker|markers|xxxx?", "nipples",
    ), code=sct("24142002", "place")),
    Finding("soft_tissue_shadow", "soft tissue over the lungs", (
        "soft tissue|tissues over|overlying",
        "breast|overlying soft? tissue|tissues|shadow|shadows", "skin fold|folds", "pannus",
        "overlapping structures|shadows", "overlying structures", "composite shadow|shadows",
        "summation shadow|artifact|shadows", "soft tissue attenuation",
        "dense breast tissue", "superimposed soft? tissue|tissues|structures",
    ), code=radlex("RID43337", "broader")),
)
# fmt: on
