"""The wording of bones, soft tissues, devices and the film itself. Data only."""

from __future__ import annotations

from assistant.chest.wording.phrases import Wording

# A table is read by its rows.
# fmt: off
BONES: tuple[Wording, ...] = (
    Wording("fracture", ("a fracture", "a bone fracture", "a fracture of a bone"), scale=None),
    Wording("vertebral_deformity", (
        "vertebral wedging", "wedging of a vertebral body", "loss of vertebral body height",
    )),
    Wording("dislocation", ("dislocation of a joint", "joint dislocation", "dislocation"),
            scale=None),
    Wording("bone_lesion", ("a bone lesion", "a bony lesion", "a lesion of bone"), scale="size"),
    Wording("bone_deformity", (
        "a bone deformity", "a bony deformity", "a deformity of a bone",
    )),
    Wording("degenerative_spine", (
        "degenerative change of the spine", "some degenerative changes of the spine",
        "degenerative spine disease",
    ), own=(
        "The spine shows degenerative change.", "The spine shows {degree} degenerative change.",
        "The thoracic spine shows degenerative changes.",
        "The thoracic spine shows {degree} degenerative changes.",
    )),
    Wording("scoliosis", ("scoliosis", "scoliosis of the spine", "curvature of the spine"), own=(
        "The thoracic spine shows scoliosis.", "The spine shows {degree} scoliosis.",
    )),
    Wording("kyphosis", ("kyphosis", "kyphosis of the spine", "thoracic kyphosis"), own=(
        "The thoracic spine shows kyphosis.", "The spine shows {degree} kyphosis.",
    )),
    Wording("osteopenia", ("osteopenia", "demineralization of the bones", "bony demineralization"),
            own=(
        "The bones are osteopenic.", "The bones are {ly} osteopenic.",
        "The bones are demineralized.", "The bones are {ly} demineralized.",
    )),
    Wording("arthritis", ("arthritis", "arthritis of the joints", "osteoarthritis")),
    Wording("chest_wall_deformity", (
        "a chest wall deformity", "a deformity of the chest wall", "a thoracic deformity",
    )),
    Wording("cervical_rib", ("a cervical rib",), scale=None),
    Wording("azygos_lobe", ("an azygos lobe", "an azygos fissure", "an accessory azygos lobe"),
            scale=None),
    Wording("subcutaneous_emphysema", (
        "subcutaneous emphysema", "subcutaneous air", "soft tissue emphysema",
    )),
    Wording("calcification", ("a calcification", "a focal calcification"), scale="size"),
    Wording("nipple_shadow", ("a nipple shadow",), scale=None),
    Wording("soft_tissue_shadow", (
        "overlying soft tissue", "some overlying soft tissues", "soft tissue over the lungs",
    ), scale=None),
)
DEVICE_WORDS: tuple[Wording, ...] = (
    Wording("endotracheal_tube", ("an endotracheal tube",), own=(
        "An endotracheal tube is in place.",
    ), scale=None),
    Wording("gastric_tube", ("a gastric tube", "an enteric tube"), own=(
        "A gastric tube is in place.",
    ), scale=None),
    Wording("central_line", (
        "a central venous line", "a central venous catheter", "a central line",
    ), own=("A {side} central venous line is in place.",), scale=None),
    Wording("chest_drain", ("a chest drain", "a chest tube", "a pleural drain"), own=(
        "A {side} chest drain is in place.",
    ), scale=None),
    Wording("pacemaker", ("a pacemaker", "a cardiac pacemaker"), own=(
        "A {side} pacemaker is in place.", "A pacemaker is in place.",
    ), scale=None),
    Wording("sternotomy_wires", (
        "some sternotomy wires", "some median sternotomy wires", "some sternal wires",
    ), scale=None),
    Wording("valve_prosthesis", (
        "a prosthetic heart valve", "a prosthetic valve", "a valve prosthesis",
    ), scale=None),
    Wording("stent", ("a stent", "a vascular stent"), scale=None),
    Wording("surgical_clips", ("some surgical clips", "surgical material"), scale=None),
    Wording("orthopaedic_hardware", (
        "orthopedic hardware", "fixation hardware", "orthopaedic hardware",
    ), scale=None),
    Wording("support_device", ("a support device", "a medical device"), scale=None),
    Wording("postsurgical_change", (
        "some postsurgical changes", "postsurgical change", "some postoperative changes",
    ), scale=None),
    Wording("breast_implant", ("a breast implant", "a breast prosthesis"), scale=None),
    Wording("foreign_body", (
        "a foreign body", "a radiopaque foreign body", "a foreign object",
    ), scale="size"),
    Wording("contrast_material", (
        "contrast material", "contrast medium",
    ), scale=None),
)
FILM: tuple[Wording, ...] = (
    Wording("limited_film", ("a limited film", "a limited examination"), own=(
        "The film is limited.", "The examination is limited.", "Evaluation is limited.",
        "Assessment is limited.",
    ), scale=None),
)
# fmt: on
