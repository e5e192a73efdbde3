"""Tiny data sets in exactly the layouts in which they are published; every value is invented."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from films import dicom, levels, picture, ramp, written

FOURTEEN = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion"),
    *("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion"),
    *("Pleural Other", "Fracture", "Support Devices"),
)


def put_film(path: Path, seed: int, rows: int = 80, columns: int = 64, **elements: Any) -> None:
    """A film that no other has, as its suffix says: DICOM, or a picture."""
    unit = np.roll(ramp(rows, columns), seed, axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".dcm", ".dicom"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ages of RSNA are not written as DICOM wants them
            path.write_bytes(written(dicom(levels(unit, 12), **elements)))
    else:
        kind = "JPEG" if path.suffix == ".jpg" else "PNG"
        path.write_bytes(picture((unit * 255).round().astype(np.uint8), kind))


def put_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV table, gzipped where its name says so."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    data = text.getvalue().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def _signed(**values: object) -> list[object]:
    """Cells of the 14 labels, named with underscores; all others are empty."""
    return [values.get(name.replace(" ", "_"), "") for name in FOURTEEN]


NIH_TABLE = """\
Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,\
OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],
00090001_000.png,Cardiomegaly|Effusion,0,90001,58,M,PA,2682,2749,0.143,0.143,
00090001_001.png,No Finding,1,90001,59,M,AP,2894,2729,0.143,0.143,
00090002_000.png,Infiltration|Pleural_Thickening,0,90002,81,F,PA,2500,2048,0.171,0.171,
00090003_000.png,Hernia,0,90003,412,F,PA,2500,2048,0.171,0.171,
"""
NIH_BOXES = """\
Image Index,Finding Label,Bbox [x,y,w,h],,,
00090001_000.png,Cardiomegaly,256.0,512.0,512.0,256.0,,,
00090002_000.png,Infiltrate,0.0,102.4,204.8,512.0,,,
"""


def write_nih(root: Path) -> tuple[str, ...]:
    """NIH ChestX-ray14 as NIH's Box gives it, the films in the folders of its archives."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "Data_Entry_2017.csv").write_text(NIH_TABLE)
    (root / "BBox_List_2017.csv").write_text(NIH_BOXES)
    (root / "train_val_list.txt").write_text("00090001_000.png\n00090001_001.png\n")
    (root / "test_list.txt").write_text("00090002_000.png\r\n00090003_000.png\r\n")
    put_film(root / "images_001" / "images" / "00090001_000.png", 1)
    put_film(root / "images_001" / "images" / "00090001_001.png", 2)
    put_film(root / "images_002" / "images" / "00090002_000.png", 3)
    return ("90001", "90002", "90003")


OPENI_XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
   <uId id="CXR{uid}"/>
   <licenseURL>http://creativecommons.org/licenses/by-nc-nd/4.0/</licenseURL>
   <MedlineCitation><Article><Abstract>
      <AbstractText Label="COMPARISON">None.</AbstractText>
      <AbstractText Label="INDICATION">{indication}</AbstractText>
      <AbstractText Label="FINDINGS">{findings}</AbstractText>
      <AbstractText Label="IMPRESSION">{impression}</AbstractText>
   </Abstract></Article></MedlineCitation>
   <MeSH>{codes}</MeSH>
   {films}
</eCitation>
"""
OPENI = (
    (
        *("9101", "Chest pain", "There is a XXXX opacity in the right upper lobe.", "Opacity."),
        ("Opacity/lung/upper lobe/right", "Markings/bronchovascular", "Calcinosis/aorta"),
        ("9101_IM-0001-4001", "9101_IM-0001-3001"),
        ("Frontal", "Lateral"),
    ),
    (
        *("9102", "", "The heart is normal.", "No acute disease."),
        ("normal",),
        ("9102_IM-0652-1001",),
        ("Frontal",),
    ),
    ("9103", "Cough", "", "", ("No Indexing",), ("9103_IM-1045-2001",), ("Lateral",)),
)


def _openi_xml() -> Iterable[tuple[str, str]]:
    for uid, indication, findings, impression, codes, films, _ in OPENI:
        yield (
            f"{uid}.xml",
            OPENI_XML.format(
                uid=uid,
                indication=indication,
                findings=findings,
                impression=impression,
                codes="".join(f"<major>{code}</major>" for code in codes),
                films="".join(
                    f'<parentImage id="CXR{uid if uid == "9102" else f"{uid}_{uid}"}'
                    f'{film.removeprefix(uid)}"><figureId>F1</figureId>'
                    "<caption>PA and lateral views of the chest</caption></parentImage>"
                    for film in films
                ),
            ),
        )


def write_openi_png(root: Path) -> tuple[str, ...]:
    """Open-i: the archive of the XML reports, and the films as PNG."""
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / "NLMCXR_reports.tgz", "w:gz") as archive:
        for name, text in _openi_xml():
            member = tarfile.TarInfo(f"ecgen-radiology/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    seed = 0
    for uid, *_, films, _ in OPENI:
        for film in films:
            seed += 1
            stem = f"CXR{film}" if uid == "9102" else f"CXR{uid}_{film}"
            put_film(root / "NLMCXR_png" / f"{stem}.png", seed)
    return ("9101", "9102", "9103")


def write_openi_dicom(root: Path) -> tuple[str, ...]:
    """Open-i: the XML reports unpacked, and the films as DICOM in a folder for each report."""
    (root / "ecgen-radiology").mkdir(parents=True)
    for name, text in _openi_xml():
        (root / "ecgen-radiology" / name).write_text(text)
    seed = 0
    for uid, *_, films, projections in OPENI:
        for film, projection in zip(films, projections, strict=True):
            seed += 1
            view = "LL" if projection == "Lateral" else "PA"
            put_film(root / "NLMCXR_dcm" / uid / f"{film}.dcm", seed, ViewPosition=view)
    return ("9101", "9102", "9103")


def write_openi_kaggle(root: Path) -> tuple[str, ...]:
    """Open-i: Kaggle's two tables and its pictures."""
    put_table(
        root / "indiana_reports.csv",
        ("uid", "MeSH", "Problems", "image", "indication", "comparison", "findings", "impression"),
        [
            (uid, ";".join(codes), "", "Xray Chest PA and Lateral", indication, "None.", found, end)
            for uid, indication, found, end, codes, *_ in OPENI
        ],
    )
    films = [
        (uid, f"{film}.dcm.png", projection)
        for uid, *_, films, projections in OPENI
        for film, projection in zip(films, projections, strict=True)
    ]
    put_table(root / "indiana_projections.csv", ("uid", "filename", "projection"), films)
    for seed, (_, name, _) in enumerate(films):
        put_film(root / "images" / "images_normalized" / name, seed)
    return ("9101", "9102", "9103")


_CHEXPERT = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FOURTEEN)


def write_chexpert(root: Path) -> tuple[str, ...]:
    """CheXpert's small set, in its own folder below the root."""
    small = "CheXpert-v1.0-small"
    train = [
        ("train/patient90001/study1/view1_frontal.jpg", "Female", 68, "Frontal", "AP"),
        ("train/patient90001/study1/view2_lateral.jpg", "Female", 68, "Lateral", ""),
        ("train/patient90001/study2/view1_frontal.jpg", "Female", 69, "Frontal", "PA"),
    ]
    labels = _signed(Cardiomegaly="1.0", Edema="-1.0", Pneumothorax="0.0", Support_Devices="1.0")
    put_table(
        root / small / "train.csv",
        _CHEXPERT,
        [(f"{small}/{path}", *rest, *labels) for path, *rest in train],
    )
    valid = ("valid/patient90002/study1/view1_frontal.jpg", "Male", 73, "Frontal", "AP")
    put_table(
        root / small / "valid.csv",
        _CHEXPERT,
        [(f"{small}/{valid[0]}", *valid[1:], *_signed(No_Finding="1.0", Cardiomegaly="0.0"))],
    )
    for seed, (path, *_) in enumerate((*train, valid)):
        put_film(root / small / path, seed)
    return ("patient90001", "patient90002", "90001")


PLUS_REPORT = "NARRATIVE:\nX-ray. FINDINGS: Small left effusion.\nIMPRESSION:\n1. Effusion."


def write_chexpert_plus(root: Path) -> tuple[str, ...]:
    """CheXpert Plus: its table with reports, CheXbert's labels, the films as PNG."""
    header = (
        *("path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa", "deid_patient_id"),
        *("patient_report_date_order", "report", "section_narrative", "section_clinical_history"),
        *("section_history", "section_comparison", "section_findings", "section_impression"),
        *("age", "sex", "race", "split"),
    )
    path = "train/patient90001/study{}/view1_frontal.jpg"
    side = "train/patient90001/study2/view2_lateral.jpg"
    sections = ("Cough.", "", "None.", "Lungs are clear.", "No acute disease.")
    rows = [
        # The numbers of the studies are not in the order of time.
        (path.format(2), "", "Frontal", "AP", "patient90001", 0, "", "", *sections),
        (side, "", "Lateral", "", "patient90001", 0, "", "", *sections),
        (path.format(1), "", "Frontal", "PA", "patient90001", 1, PLUS_REPORT, *("",) * 6),
    ]
    put_table(
        root / "df_chexpert_plus_240401.csv",
        header,
        [(*row, 61.0, "Female", "Other", "train") for row in rows],
    )
    lines = [
        {"path_to_image": path.format(2), **dict.fromkeys(FOURTEEN), "No Finding": 1.0},
        {"path_to_image": path.format(1), **dict.fromkeys(FOURTEEN), "Pleural Effusion": -1.0},
    ]
    (root / "chexbert_labels").mkdir()
    (root / "chexbert_labels" / "report_fixed.json").write_text(
        "".join(f"{json.dumps(line)}\n" for line in lines)
    )
    for seed, row in enumerate(rows):
        put_film(root / "PNG" / row[0].replace(".jpg", ".png"), seed)
    return ("patient90001", "90001")


MIMIC_REPORTS = {
    "90000011": """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough  // pneumonia?

 TECHNIQUE:  Chest PA and lateral

 COMPARISON:  None.

 FINDINGS:

 The heart is mildly enlarged.  There is no
 pleural effusion.

 IMPRESSION:

 Mild cardiomegaly.
""",
    "90000005": """\
                                 FINAL REPORT
 PORTABLE CHEST, ___

 COMPARISON:  ___.

 A right pleural effusion is new.

 IMPRESSION:  New effusion.
""",
}
_MIMIC = "files/p90/p90000001/s{study}/{dicom}.jpg"


def write_mimic(root: Path) -> tuple[str, ...]:
    """MIMIC-CXR-JPG with the tree of reports of MIMIC-CXR beside its films."""
    header = (
        *("dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription"),
        *("ViewPosition", "Rows", "Columns", "StudyDate", "StudyTime"),
        *("ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning"),
        "PatientOrientationCodeSequence_CodeMeaning",
    )
    # The study with the smaller number is the later one; 9 o'clock has no leading zero.
    films = [
        ("02aa804e-9001", "90000005", "AP", "21800506", "213014.531"),
        ("174413ec-9002", "90000011", "PA", "21800506", "85014.5"),
        ("2a2277a9-9003", "90000011", "LATERAL", "21800506", "85115.0"),
        ("e084de3b-9004", "90000011", "LAO", "21800506", "85215.0"),
    ]
    put_table(
        root / "mimic-cxr-2.0.0-metadata.csv.gz",
        header,
        [
            (dicom_id, "90000001", study, "CHEST", view, 3056, 2544, date, time, "", "", "Erect")
            for dicom_id, study, view, date, time in films
        ],
    )
    put_table(
        root / "mimic-cxr-2.0.0-split.csv.gz",
        ("dicom_id", "study_id", "subject_id", "split"),
        [(dicom_id, study, "90000001", "validate") for dicom_id, study, *_ in films],
    )
    put_table(
        root / "mimic-cxr-2.0.0-chexpert.csv.gz",
        ("subject_id", "study_id", *sorted(FOURTEEN)),
        [
            ("90000001", "90000011", *_mimic_labels(Cardiomegaly="1.0", Pleural_Effusion="0.0")),
            ("90000001", "90000005", *_mimic_labels(Pleural_Effusion="1.0", Pneumonia="-1.0")),
        ],
    )
    for seed, (dicom_id, study, *_) in enumerate(films):
        put_film(root / _MIMIC.format(study=study, dicom=dicom_id), seed)
    for study, text in MIMIC_REPORTS.items():
        (root / f"files/p90/p90000001/s{study}.txt").write_text(text)
    dicom_ids = (dicom_id for dicom_id, *_ in films)
    return ("90000001", "90000011", "90000005", "2180", *dicom_ids)


def _mimic_labels(**values: object) -> list[object]:
    return [values.get(name.replace(" ", "_"), "") for name in sorted(FOURTEEN)]


def write_padchest(root: Path) -> tuple[str, ...]:
    """PadChest: its table, gzipped, and the films in the folders of its archives."""
    header = (
        *("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth"),
        *("PatientSex_DICOM", "ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric"),
        *("ReportID", "Report", "MethodLabel", "Labels", "Localizations"),
        *("LabelsLocalizationsBySentence", "labelCUIS", "LocalizationsCUIS"),
    )
    first = (
        *("Ligero derrame pleural izquierdo . cardiomegalia .", "Physician"),
        *("['pleural effusion', 'cardiomegaly', ' gynecomastia', '']", "['loc left']"),
        *("[['pleural effusion', 'loc left', 'loc costophrenic angle'], ['cardiomegaly']]", "", ""),
    )
    second = ("sin hallazgos", "RNN_model", "['normal']", "[]", "[['normal']]", "[]", "[]")
    person = ("839860488694292331637988235681460987901", "1951.0", "F", "POSTEROANTERIOR")
    rows = [
        ("2180_9001.png", 0, "20150617", "9000111", *person, "PA", "Manual", "No", "471", *first),
        ("2180_9002.png", 0, "20150617", "9000111", *person, "L", "Manual", "No", "471", *first),
        (
            "2180_9003.png",
            1,
            "20140519",
            "9000222",
            *person,
            "AP_horizontal",
            "",
            "No",
            "5",
            *second,
        ),
        ("2180_9004.png", 1, "20140519", "9000222", *person, "COSTAL", "", "No", "5", *second),
        ("2180_9005.png", 1, "20140519", "9000222", *person, "PA", "", "No", "5", *second),
    ]
    put_table(
        root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        header,
        [(number, *row) for number, row in enumerate(rows)],
    )
    for seed, row in enumerate(rows[:4]):
        put_film(root / str(row[1]) / row[0], seed)
    return (person[0], "9000111", "9000222", "20150617", "20140519", "2180_900")


def write_padchest_gr(root: Path) -> tuple[str, ...]:
    """PadChest-GR: grounded reports, master table, films, and the earlier films of progression."""
    film, earlier = "9100_fsxv2a.png", "9200_a1b2c3.png"
    effusion = {
        "sentence_en": "Small left pleural effusion",
        "sentence_es": "Pequeño derrame pleural izquierdo",
        "abnormal": True,
        "boxes": [[0.55, 0.6, 0.8, 0.75], [0.5, 0.5, 0.5, 0.9]],
        "extra_boxes": [[0.56, 0.61, 0.79, 0.8]],
        "labels": ["pleural effusion"],
        "locations": ["left", "costophrenic angle"],
        "progression": "stable",
    }
    clear = {
        "sentence_en": "No pneumothorax.",
        "sentence_es": "Sin neumotórax.",
        "abnormal": False,
        "boxes": [],
        "extra_boxes": [],
        "labels": ["pneumothorax"],
        "locations": [],
        "progression": None,
    }
    report = {
        "StudyID": "251488034557732338959601580328898734705",
        "ImageID": film,
        "PreviousStudyID": "7788",
        "PreviousImageID": earlier,
        "findings": [effusion, clear],
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "grounded_reports_20240819.json").write_text(json.dumps([report, {"ImageID": 3}]))
    header = (
        *("StudyID", "ImageID", "label", "prior_study", "split", "PatientID", "PatientBirth"),
        *("PatientSex_DICOM", "StudyDate_DICOM", "PatientAge"),
    )
    row = (report["StudyID"], film, "pleural effusion", True, "validation", "5511223344", 1940)
    put_table(root / "master_table.csv", header, [(*row, "M", 20150617, 75.0)] * 2)
    put_film(root / "Padchest_GR_files" / "PadChest_GR" / film, 1)
    put_film(root / "PadChest_GR_progression_prior_studies" / earlier, 2)
    return (report["StudyID"], "5511223344", "9100_fsxv2a", "9200_a1b2c3", "20150617")


def write_vindr(root: Path) -> tuple[str, ...]:
    """VinDr-CXR of PhysioNet: DICOM films, three readers in train and a consensus in test."""
    names = ("Aortic enlargement", "Cardiomegaly", "Other lesion", "COPD", "No finding")
    first, second = "9a6094d2d3a1", "9b6094d2d3a2"
    put_table(
        root / "annotations" / "image_labels_train.csv",
        ("image_id", "rad_id", *names),
        [(first, "R8", 1, 1, 0, 0, 0), (first, "R9", 0, 1, 1, 0, 0), (first, "R10", 0, 1, 0, 0, 0)],
    )
    header = ("image_id", "rad_id", "class_name", "x_min", "y_min", "x_max", "y_max")
    put_table(
        root / "annotations" / "annotations_train.csv",
        header,
        [
            (first, "R8", "Cardiomegaly", 32, 40, 64, 80),
            (first, "R10", "Cardiomegaly", 16, 40, 48, 60),
            (first, "R9", "Other lesion", 0, 0, 32, 20),
            (first, "R9", "Cardiomegaly", 30, 30, 20, 20),
        ],
    )
    put_table(
        root / "annotations" / "image_labels_test.csv",
        ("image_id", *names[:-1], "Other disease", "No finding"),
        [(second, 0, 0, 0, 0, 0, 1)],
    )
    put_table(
        root / "annotations" / "annotations_test.csv",
        ("image_id", *header[2:]),
        [(second, "No finding", "", "", "", "")],
    )
    put_film(root / "train" / f"{first}.dicom", 1, PatientSex="F", PatientAge="061Y")
    put_film(root / "test" / f"{second}.dicom", 2, PatientSex="O", PatientAge="000Y")
    return (first, second, "R8", "R10")


def write_rsna(root: Path) -> tuple[str, ...]:
    """The RSNA challenge: two tables, DICOM films."""
    sick, odd, well = "90004cfb-0001", "90013f4c-0002", "9010b6e8-0003"
    put_table(
        root / "stage_2_train_labels.csv",
        ("patientId", "x", "y", "width", "height", "Target"),
        [
            (sick, 16.0, 20.0, 16.0, 40.0, 1),
            (sick, 40.0, 20.0, 24.0, 40.0, 1),
            (odd, "", "", "", "", 0),
            (well, "", "", "", "", 0),
        ],
    )
    put_table(
        root / "stage_2_detailed_class_info.csv",
        ("patientId", "class"),
        [
            (sick, "Lung Opacity"),
            (sick, "Lung Opacity"),
            (odd, "No Lung Opacity / Not Normal"),
            (well, "Normal"),
        ],
    )
    for seed, name in enumerate((sick, odd, well)):
        put_film(
            root / "stage_2_train_images" / f"{name}.dcm",
            seed,
            ViewPosition="AP",
            PatientSex="M",
            PatientAge="51",
        )
    return (sick, odd, well)


def write_brax(root: Path) -> tuple[str, ...]:
    """BRAX: its master spreadsheet, the films as PNG."""
    header = (
        *("", "DicomPath", "PngPath", "PatientID", "PatientSex", "PatientAge", *FOURTEEN),
        *("AccessionNumber", "StudyDate", "ViewPosition", "Rows", "Columns", "Manufacturer"),
    )
    study = "id_90aa11/Study_1.2.826.{0}/Series_1.2.{0}/image-{0}-{1}"
    views = [(7, 1, "PA"), (7, 2, "L"), (8, 1, "AP")]
    rows = []
    for seed, (number, film, view) in enumerate(views):
        path = study.format(number, film)
        labels = _signed(Lung_Opacity="1.0", Fracture="-1.0", Edema="0.0")
        person = ("id_90aa11", "M", "85 or more")
        taken = (f"ACC900{number}", f"2009011{number}", view, 40, 32, "X")
        paths = (f"Anonymized_DICOMs/{path}.dcm", f"images/{path}.png")
        rows.append((seed, *paths, *person, *labels, *taken))
        put_film(root / "images" / f"{path}.png", seed)
    put_table(root / "master_spreadsheet_update.csv", header, rows)
    return ("id_90aa11", "ACC9007", "ACC9008", "20090117", "Study_1.2")


# Each layout, the set that it is of, and what writes it and returns the identifiers in it.
LAYOUTS: dict[str, tuple[str, Callable[[Path], tuple[str, ...]]]] = {
    "openi-png": ("openi", write_openi_png),
    "openi-dicom": ("openi", write_openi_dicom),
    "openi-kaggle": ("openi", write_openi_kaggle),
    "nih": ("nih", write_nih),
    "chexpert": ("chexpert", write_chexpert),
    "chexpert-plus": ("chexpert-plus", write_chexpert_plus),
    "mimic-cxr": ("mimic-cxr", write_mimic),
    "padchest": ("padchest", write_padchest),
    "padchest-gr": ("padchest-gr", write_padchest_gr),
    "vindr-cxr": ("vindr-cxr", write_vindr),
    "rsna": ("rsna", write_rsna),
    "brax": ("brax", write_brax),
}
