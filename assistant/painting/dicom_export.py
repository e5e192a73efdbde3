"""Writes a painting as a DICOM file that says of itself that it is synthetic.

A Secondary Capture image (DICOM PS3.3, A.8.1) with Synthetic Data (0008,001C) = YES. Nobody's
data is in it: the patient is called SYNTHETIC, every UID is new, and what was asked for is there
only as a hash, as a prompt may have been taken from a patient's report.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
from pydicom import Dataset, dcmwrite, uid
from pydicom.dataset import FileMetaDataset

from assistant.types import Painting

SYNTHETIC_DATA = 0x0008001C  # by number, as pydicom 3.0 has no keyword for it
NOBODY = "SYNTHETIC"
BITS = 12


def painting_dicom(painting: Painting) -> bytes:
    """The painting as a DICOM file: 12 bits MONOCHROME2, explicit little endian.

    The same painting gives the same bytes, and so the same UIDs: sent twice, it is stored once.
    """
    found = _identity(painting)
    found.update(_equipment(painting))
    found.update(_picture(painting.pixels))
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    file = io.BytesIO()
    dcmwrite(file, found, enforce_file_format=True)
    return file.getvalue()


def _identity(painting: Painting) -> Dataset:
    """Patient, study, series and instance: nobody's, and new."""
    p = painting.provenance
    made = [p.backbone, p.revision, p.adapter or "", p.prompt_sha256, str(p.seed)]
    pixels = hashlib.sha256(painting.pixels.tobytes()).hexdigest()
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 192"
    found.SOPClassUID = uid.SecondaryCaptureImageStorage
    found.SOPInstanceUID = uid.generate_uid(entropy_srcs=["instance", *made, pixels])
    found.add_new(SYNTHETIC_DATA, "CS", "YES")
    found.PatientName = found.PatientID = NOBODY
    found.PatientBirthDate = found.PatientSex = ""
    found.StudyInstanceUID = uid.generate_uid(entropy_srcs=["study", *made, pixels])
    found.StudyDate = found.StudyTime = found.StudyID = ""
    found.AccessionNumber = found.ReferringPhysicianName = ""
    found.SeriesInstanceUID = uid.generate_uid(entropy_srcs=["series", *made, pixels])
    found.SeriesNumber = 1
    found.InstanceNumber = painting.number + 1
    return found


def _equipment(painting: Painting) -> Dataset:
    """What made it and how, in the words that DICOM has for it."""
    p, made = painting.provenance, Dataset()
    made.Modality = "OT"
    made.ConversionType = "SYN"  # synthetic image, PS3.3 C.8.6.1
    made.Manufacturer = "Wetread"
    made.ManufacturerModelName = p.backbone[:64]
    made.SoftwareVersions = [f"{name} {version}"[:64] for name, version in p.versions]
    made.SeriesDescription = "Synthetic chest film, no patient's"
    made.BodyPartExamined = "CHEST"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.DerivationDescription = (
        f"Painted by {p.backbone} {p.revision[:16]}, adapter {p.adapter or 'none'}, "
        f"prompt SHA-256 {p.prompt_sha256}, seed {p.seed}."
    )[:1024]
    made.BurnedInAnnotation = "NO"  # the mark in the corner names no patient
    made.PatientOrientation = ["L", "F"]  # as chest films hang
    return made


def _picture(pixels: np.ndarray) -> Dataset:
    """The pixels (H, W) in [0, 1], with the window that gives them back as they are."""
    top = 2**BITS - 1
    shown = Dataset()
    shown.SamplesPerPixel = 1
    shown.PhotometricInterpretation = "MONOCHROME2"
    shown.Rows, shown.Columns = pixels.shape
    shown.BitsAllocated, shown.BitsStored, shown.HighBit = 16, BITS, BITS - 1
    shown.PixelRepresentation = 0
    shown.WindowCenter, shown.WindowWidth = 2 ** (BITS - 1), 2**BITS  # PS3.3 C.11.2.1.2
    shown.RescaleIntercept, shown.RescaleSlope, shown.RescaleType = 0, 1, "US"
    shown.LossyImageCompression = "00"
    shown.PixelData = np.rint(pixels.clip(0, 1) * top).astype("<u2").tobytes()
    shown["PixelData"].VR = "OW"
    return shown
