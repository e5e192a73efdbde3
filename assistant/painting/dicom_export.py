"""Writes a painting as a DICOM file that says of itself that it is synthetic.

A Secondary Capture image (DICOM PS3.3, A.8.1) with Synthetic Data (0008,001C) = YES. Nobody's
data is in it: the patient is called SYNTHETIC, every UID is new, and the prompt is stored only as
a hash, as it may have been taken from a patient's report.
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
    dataset = _identity_of(painting)
    dataset.update(_equipment_of(painting))
    dataset.update(_picture_of(painting.pixels))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def _identity_of(painting: Painting) -> Dataset:
    """Patient, study, series and instance: nobody's, and new."""
    p = painting.provenance
    sources = [p.backbone, p.revision, p.adapter or "", p.prompt_sha256, str(p.seed)]
    pixels = hashlib.sha256(painting.pixels.tobytes()).hexdigest()
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = uid.SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = uid.generate_uid(entropy_srcs=["instance", *sources, pixels])
    dataset.add_new(SYNTHETIC_DATA, "CS", "YES")
    dataset.PatientName = dataset.PatientID = NOBODY
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyInstanceUID = uid.generate_uid(entropy_srcs=["study", *sources, pixels])
    dataset.StudyDate = dataset.StudyTime = dataset.StudyID = ""
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SeriesInstanceUID = uid.generate_uid(entropy_srcs=["series", *sources, pixels])
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = painting.number + 1
    return dataset


def _equipment_of(painting: Painting) -> Dataset:
    """The equipment and the method, in DICOM's attributes."""
    p, dataset = painting.provenance, Dataset()
    dataset.Modality = "OT"
    dataset.ConversionType = "SYN"  # synthetic image, PS3.3 C.8.6.1
    dataset.Manufacturer = "Wetread"
    dataset.ManufacturerModelName = p.backbone[:64]
    dataset.SoftwareVersions = [f"{name} {version}"[:64] for name, version in p.versions]
    dataset.SeriesDescription = "Synthetic chest film, no patient's"
    dataset.BodyPartExamined = "CHEST"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.DerivationDescription = (
        f"Painted by {p.backbone} {p.revision[:16]}, adapter {p.adapter or 'none'}, "
        f"prompt SHA-256 {p.prompt_sha256}, seed {p.seed}."
    )[:1024]
    dataset.BurnedInAnnotation = "NO"  # the mark in the corner names no patient
    dataset.PatientOrientation = ["L", "F"]  # as chest films hang
    return dataset


def _picture_of(pixels: np.ndarray) -> Dataset:
    """The pixels (H, W) in [0, 1], with the window that restores them exactly."""
    highest = 2**BITS - 1
    dataset = Dataset()
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (BITS - 1), 2**BITS  # PS3.3 C.11.2.1.2
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.LossyImageCompression = "00"
    dataset.PixelData = np.rint(pixels.clip(0, 1) * highest).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset
