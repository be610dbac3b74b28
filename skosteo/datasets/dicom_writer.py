"""Write a film as a DICOM file, in any of the encodings that real machines use."""

import hashlib
import io
import os

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from skosteo._files import write_atomic
from skosteo.exceptions import InputError

HEADROOM = 0.15  # proportion of the stored range that the window leaves out at either end


def write_radiograph(
    path: str | os.PathLike[str],
    film: NDArray[np.floating],
    *,
    patient_id: str,
    photometric: str = "MONOCHROME2",
    bits: int = 12,
    window: bool = True,
    rescale: tuple[float, float] = (1.0, 0.0),
    pixel_cm: float = 0.081,
) -> None:
    """Write a postero-anterior chest film as a DICOM file that shows it bone bright.

    Every encoding is displayed as the same film: modality rescale, then window, then polarity
    (PS3.4 N.2). The object is a Digital X-Ray Image For Presentation (PS3.3 A.26) where that may
    hold the encoding, else a Computed Radiography Image (A.2), since a DX image must have a window
    and may not be rescaled (C.8.11.3). UIDs are derived from patient and pixels, so that writing
    twice gives the same bytes.

    Parameters
    ----------
    path : str or path-like
        Where to write; the folder must exist, and a file of that name is replaced.
    film : ndarray of shape (rows, columns)
        Brightness in [0, 1], bone bright.
    patient_id : str
        A made-up identifier, also used in the patient's name.
    photometric : {"MONOCHROME2", "MONOCHROME1"}, default="MONOCHROME2"
        Whether large values are shown white or black (C.7.6.3.1.2).
    bits : int, default=12
        Bits stored, 10 to 16, of the 16 allocated.
    window : bool, default=True
        Whether to leave headroom at both ends of the stored range, and write the window that hides
        it (C.11.2).
    rescale : tuple of float, default=(1.0, 0.0)
        Slope (above 0) and intercept of the modality rescale (C.11.1); (1, 0) writes none in CR.
    pixel_cm : float, default=0.081
        Distance of the pixels at the detector, in cm.

    Examples
    --------
    >>> import tempfile
    >>> from pydicom import dcmread
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_radiograph(f"{folder}/a.dcm", np.eye(4), patient_id="0001", bits=10)
    ...     dataset = dcmread(f"{folder}/a.dcm")
    >>> dataset.Modality, dataset.ViewPosition, dataset.BitsStored
    ('DX', 'PA', 10)
    """
    film = np.asarray(film)
    _check(film, photometric, bits, rescale)
    highest = 2**bits - 1
    low = round(HEADROOM * highest) if window else 0
    shown = 1 - film if photometric == "MONOCHROME1" else film
    stored = np.rint(low + shown * (highest - 2 * low)).astype("<u2")
    ds = _identity(patient_id, stored.tobytes())
    (slope, intercept), rescaled = rescale, rescale != (1.0, 0.0)
    if window:
        ends = [value * slope + intercept for value in (low, highest - low)]
        # LINEAR counts grey levels: its ends are c - .5 -+ (w - 1) / 2 (C.11.2.1.2.1).
        ds.WindowWidth = _decimal(ends[1] - ends[0] + 1)
        ds.WindowCenter = _decimal((ends[0] + ends[1] + 1) / 2)
    if rescaled or window:
        ds.RescaleSlope, ds.RescaleIntercept = _decimal(slope), _decimal(intercept)
        ds.RescaleType = "US"
    _describe_pixels(ds, stored, photometric, bits, pixel_cm)
    _describe_object(ds, digital=window and not rescaled)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    write_atomic(path, buffer.getvalue())


def _check(film: NDArray, photometric: str, bits: int, rescale: tuple[float, float]) -> None:
    if film.ndim != 2 or film.size == 0 or not (film.min() >= 0 and film.max() <= 1):
        raise InputError(
            f"the film has shape {film.shape} or values outside [0, 1]; give one grey picture "
            "of rows x columns, scaled to 0 (black) to 1 (white)"
        )
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"photometric={photometric!r}; give 'MONOCHROME1' or 'MONOCHROME2'")
    if bits not in range(10, 17):
        raise InputError(f"bits={bits!r}; give a whole number from 10 to 16")
    if not rescale[0] > 0:
        raise InputError(f"a rescale slope of {rescale[0]!r}; give one above 0")


def _decimal(value: float) -> str:
    return f"{value:.10g}"  # VR DS has 16 characters at most (PS3.5 6.2)


def _identity(patient_id: str, pixels: bytes) -> Dataset:
    digest = hashlib.sha256(pixels).hexdigest()
    ds = Dataset()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (
        uid.generate_uid(entropy_srcs=[patient_id, digest, level])
        for level in ("study", "series", "instance")
    )
    ds.PatientName, ds.PatientID = f"SYNTHETIC^{patient_id}", patient_id
    ds.PatientBirthDate = ds.PatientSex = ds.ReferringPhysicianName = ""
    ds.StudyDate = ds.StudyTime = ds.StudyID = ds.AccessionNumber = ""
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.Manufacturer, ds.PixelData = "skosteo", pixels
    return ds


def _describe_pixels(
    ds: Dataset, stored: NDArray[np.uint16], photometric: str, bits: int, pixel_cm: float
) -> None:
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.ImagerPixelSpacing = [_decimal(10 * pixel_cm)] * 2
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.DerivationDescription = "drawn by a program, not taken of a person"
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"


def _describe_object(ds: Dataset, digital: bool) -> None:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.BodyPartExamined, ds.ViewPosition = "CHEST", "PA"
    ds.PatientOrientation = ["L", "F"]
    if digital:
        ds.Modality, ds.SOPClassUID = "DX", uid.DigitalXRayImageStorageForPresentation
        ds.PresentationIntentType = "FOR PRESENTATION"
        ds.ImageLaterality = "U"
        ds.PixelIntensityRelationship = "LOG"
        inverse = ds.PhotometricInterpretation == "MONOCHROME1"
        # Large values mean few photons where bone is bright, and many where it is dark.
        ds.PixelIntensityRelationshipSign = 1 if inverse else -1
        ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
        ds.AnatomicRegionSequence = [_coded("816094009", "Chest")]
        ds.ViewCodeSequence = [_coded("272479007", "postero-anterior")]
        ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
        ds.DetectorType = ""
        ds.AcquisitionContextSequence = []
    else:
        ds.Modality, ds.SOPClassUID = "CR", uid.ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def _coded(value: str, meaning: str) -> Dataset:
    """Name a concept by its SNOMED CT code (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
