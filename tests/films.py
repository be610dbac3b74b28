"""DICOM films of the tests: any values in any encoding, full of an identity that must not leak."""

import io
import itertools

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    UID_dictionary,
)

CANARY = "Canary^Patient"

# which pydicom does not know yet (PS3.6 A)
JPEG_XL = {
    kind: UID(f"1.2.840.10008.1.2.4.{number}")
    for kind, number in (("lossless", 110), ("JPEG", 111), ("lossy", 112))
}
for kind, uid in JPEG_XL.items():
    UID_dictionary.setdefault(uid, (f"JPEG XL {kind}", "Transfer Syntax", "", "", f"JPEGXL{kind}"))


def film(rows=70, columns=64):
    """Brightness to be shown, in [0, 1], with both ends present and no symmetry."""
    down, right = np.mgrid[0:rows, 0:columns]
    shape = (down**1.3 + 2.1 * right + 3 * np.sin(down * right)) % 17
    return (shape - shape.min()) / (shape.max() - shape.min())


def dataset(stored, bits=12, allocated=None, signed=False, **elements):
    """A DX film of the given stored values (rows, columns), full of identity."""
    allocated = allocated or (8 if bits == 8 else 16)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.SOPClassUID, ds.SOPInstanceUID = DigitalXRayImageStorageForPresentation, "1.2.3"
    ds.PatientName, ds.PatientID = CANARY, CANARY
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, bits, bits - 1
    ds.PixelRepresentation = int(signed)
    ds.PixelData = np.asarray(stored).astype(f"<{'ui'[signed]}{allocated // 8}").tobytes()
    if len(ds.PixelData) % 2:
        ds.PixelData += b"\0"
    ds["PixelData"].VR = "OW"
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def save(ds, path, syntax=ExplicitVRLittleEndian):
    ds.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        words = np.frombuffer(ds.PixelData, "<u2").astype(">u2")
        ds.PixelData = words.tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def gradient(rows=64, columns=80, top=4095):
    return np.linspace(0, top, rows * columns).round().astype(int).reshape(rows, columns)


def lut(first, entries, bits, stated=None):
    item = Dataset()
    item.LUTDescriptor = [(stated or len(entries)) % 65536, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.LUTData = np.asarray(entries, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    return [item]


def bytes_of(ds, syntax=ExplicitVRLittleEndian):
    buffer = io.BytesIO()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def in_frames(ds, syntax, *frames):
    """The file of a film whose compressed frames are these bytes."""
    ds.PixelData = encapsulate(list(frames))
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return bytes_of(ds, syntax)


def covering(cases):
    """A few of them, in which every pair of levels that two factors have together is met."""
    cases = list(cases)
    met, few = set(), []
    for i in np.random.default_rng(0).permutation(len(cases)):
        pairs = set(itertools.combinations(enumerate(cases[i]), 2))
        if not pairs <= met:
            met |= pairs
            few.append(cases[i])
    return few
