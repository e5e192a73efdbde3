"""The closed sets of DICOM terms: what counts as a film, and which words may leave the file.

Free text in a file may name a person, so a term goes out only if it stands in a table here.
"""

from __future__ import annotations

from pydicom import uid

# DICOM PS3.3 C.7.6.3.1.2, with the samples a pixel has. PALETTE COLOR and the retired ones
# are refused.
PHOTOMETRICS = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}

_FILM_CLASSES = frozenset(
    str(name)
    for name in (
        uid.ComputedRadiographyImageStorage,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        uid.XRayRadiofluoroscopicImageStorage,  # a spot film, if it has one frame
    )
)
# DR is an old habit for DX; OT, SC and HC are secondary captures and hard copies.
_FILM_MODALITIES = frozenset(("", "CR", "DX", "DR", "RG", "RF", "OT", "SC", "HC"))
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_OTHER_OBJECTS = {
    "1.2.840.10008.1.3.10": "a DICOM directory",
    _STORAGE + "104.": "an encapsulated document",
    _STORAGE + "88.": "a structured report or a key object selection",
    _STORAGE + "481.": "a radiotherapy object",
    _STORAGE + "9.": "a waveform",
    _STORAGE + "11.": "a presentation state",
    _STORAGE + "66": "a segmentation, a registration or raw data",
    _STORAGE + "77.1.4": "a photograph",
}
_OTHER_MODALITIES = {
    "CT": "a CT image",
    "MR": "an MR image",
    "US": "an ultrasound image",
    "IVUS": "an ultrasound image",
    "NM": "a nuclear medicine image",
    "PT": "a PET image",
    "MG": "a mammogram",
    "XA": "an angiogram",
    "ES": "an endoscopic picture",
    "XC": "a photograph",
    "IO": "a dental film",
    "PX": "a dental film",
    "BMD": "a bone density image",
    "OP": "an eye picture",
    "OPT": "an eye picture",
    "SM": "a microscopic picture",
    "GM": "a microscopic picture",
    "SEG": "a segmentation",
    "SR": "a structured report",
    "KO": "a key object selection",
    "PR": "a presentation state",
    "DOC": "an encapsulated document",
    "ECG": "a waveform",
    "RTIMAGE": "a radiotherapy image",
    "RTDOSE": "a radiotherapy dose",
    "RTPLAN": "a radiotherapy plan",
    "RTSTRUCT": "a radiotherapy structure set",
}
_ADVICE = ": give a CR, DX or secondary capture object"


def not_a_film(sop_class: str, modality: str) -> str:
    """Why an object of this class and modality is refused; empty where it may be a film."""
    for prefix, what in _OTHER_OBJECTS.items():
        if sop_class.startswith(prefix):
            return f"is {what}, not a radiograph{_ADVICE}"
    if modality not in _FILM_MODALITIES:
        what = _OTHER_MODALITIES.get(modality, "of another modality")
        return f"is {what}, not a radiograph{_ADVICE}"
    if sop_class and sop_class not in _FILM_CLASSES:
        return f"is another kind of DICOM object, not a radiograph{_ADVICE}"
    if not sop_class and not modality:
        return f"does not say that it is a radiograph{_ADVICE}"
    return ""


def unknown_photometric(photometric: str) -> str:
    """Why a photometric interpretation is refused."""
    if photometric == "PALETTE COLOR":
        return "has a colour palette, and a radiograph is grey: give the film itself"
    return "has no photometric interpretation of a film: export it as MONOCHROME1 or 2"


def unreadable_syntax(syntax: str) -> str:
    """Why a transfer syntax is refused; only registered ones are named."""
    known = uid.UID(syntax)
    name = "" if known.name == syntax else f" ({known.name})"
    return f"has a transfer syntax that is not read{name}: export it uncompressed"


def laterality(term: str) -> str | None:
    """R, L, B (both) or U (unpaired), DICOM PS3.3 C.7.3.1 and C.8.11.5; None for all else."""
    return term if term in ("R", "L", "B", "U") else None
