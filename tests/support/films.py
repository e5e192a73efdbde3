"""Films written for the tests of intake: DICOM objects, pictures, and the truth they hold."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom import Dataset, dcmwrite, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from assistant.errors import IntakeError
from assistant.intake import read_film_bytes

# Every one of these is written into a file somewhere, and must come out of none.
SECRETS = {
    "PatientName": "Quizzical^Zebedee",
    "PatientID": "PID-7719283",
    "PatientBirthDate": "19470213",
    "AccessionNumber": "ACC5566778",
    "InstitutionName": "Saint Hubbard Infirmary",
    "ReferringPhysicianName": "Wobblethwaite^Una",
    "StudyInstanceUID": "1.2.3.4.777888999",
    "StudyDescription": "Chest of Zebedee Q",
}


def ramp(rows: int = 80, columns: int = 96) -> np.ndarray:
    """A picture without symmetry, float64 (rows, columns) in [0, 1] with both ends present."""
    y, x = np.mgrid[0:rows, 0:columns]
    picture = 0.5 + 0.3 * np.sin(x / 9.0 + y / 23.0) + 0.2 * y / rows
    picture -= picture.min()
    return picture / picture.max()


def levels(unit: np.ndarray, bits: int, *, signed: bool = False) -> np.ndarray:
    """The stored values of a picture in [0, 1]: integers of `bits`, shifted down if signed."""
    stored = np.rint(unit * (2**bits - 1)).astype(np.int32)
    return stored - 2 ** (bits - 1) if signed else stored


def dicom(stored: np.ndarray, bits: int = 12, *, signed: bool = False, **elements: Any) -> Dataset:
    """A CR object of the stored values; `elements` replace or, as None, remove attributes."""
    allocated = 8 if bits <= 8 else 16
    found = Dataset()
    found.SOPClassUID = uid.ComputedRadiographyImageStorage
    found.SOPInstanceUID = "1.2.3.4.5"
    found.Modality = "CR"
    found.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    found.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    if stored.ndim == 3:
        found.PlanarConfiguration = 0
    found.Rows, found.Columns = stored.shape[:2]
    found.BitsAllocated, found.BitsStored, found.HighBit = allocated, bits, bits - 1
    found.PixelRepresentation = int(signed)
    found.PixelData = stored.astype(f"<{'i' if signed else 'u'}{allocated // 8}").tobytes()
    found["PixelData"].VR = "OB" if allocated == 8 else "OW"
    for keyword, value in elements.items():
        if value is None:
            del found[keyword]
        else:
            setattr(found, keyword, value)
    return found


def written(
    found: Dataset, syntax: str = uid.ExplicitVRLittleEndian, *, codestream: bytes | None = None
) -> bytes:
    """The bytes of a DICOM file in a transfer syntax; `codestream` stands in for the pixels."""
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = uid.UID(syntax)
    found.file_meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if codestream is not None:
            found.PixelData = encapsulate([codestream])
            found["PixelData"].VR = "OB"
            found["PixelData"].is_undefined_length = True
        elif uid.UID(syntax).is_encapsulated:
            found.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
            found.compress(syntax, generate_instance_uid=False)
        elif syntax == uid.ExplicitVRBigEndian and found.BitsAllocated == 16:
            found.PixelData = np.frombuffer(found.PixelData, "<u2").astype(">u2").tobytes()
        file = io.BytesIO()
        dcmwrite(file, found, enforce_file_format=True)
    return file.getvalue()


def picture(image: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file that Pillow writes."""
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


TRUTH = ramp()
EIGHT = levels(TRUTH, 8).astype(np.uint8)
SIXTEEN = levels(TRUTH, 16).astype(np.uint16)


def tiff(values: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)  # type: ignore[arg-type]
    return file.getvalue()


def refusal(data: bytes, name: str = "chest.dcm") -> str:
    """The sentence that refuses these bytes, checked to be one sentence that names the file."""
    with pytest.raises(IntakeError) as caught:
        read_film_bytes(data, name)
    text = str(caught.value)
    assert text.startswith(f'"{name}" ')
    rest = text.removeprefix(f'"{name}"')
    assert rest.endswith(".")
    assert ". " not in rest
    assert "\n" not in text
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    return text


def transcoded(data: bytes, syntax: str, *, lossy: bool = False) -> bytes:
    """A DICOM file in another transfer syntax of JPEG, by GDCM."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = str(Path(folder, "source")), str(Path(folder, "target"))
        Path(source).write_bytes(data)
        reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
        reader.SetFileName(source)
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
        codec = gdcm.JPEGCodec()
        if lossy:
            codec.SetLossless(False)
            change.SetUserCodec(codec)
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(target)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return Path(target).read_bytes()
