from itertools import product

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation

from skosteo.datasets.dicom_writer import write_radiograph
from skosteo.exceptions import InputError

# Every brightness once, from black to white, off the diagonal so that a transposed film shows.
FILM = np.linspace(0, 1, 24 * 17).reshape(24, 17)
ENCODINGS = list(
    product(
        ("MONOCHROME1", "MONOCHROME2"),
        (10, 12, 14, 16),
        (True, False),
        ((1.0, 0.0), (0.5, -100.0), (2.0, 30.0)),
    )
)


def write(path, film=FILM, **encoding):
    write_radiograph(path, film, patient_id="patient_0001", **encoding)
    return pydicom.dcmread(path)


def displayed(ds):
    """Show as PS3.4 N.2 has it, by pydicom's own functions."""
    values = apply_modality_lut(ds.pixel_array, ds)
    if "WindowCenter" in ds:
        shown = apply_voi_lut(values, ds)
        ends = np.array([0, 2**ds.BitsStored - 1]) * ds.RescaleSlope + ds.RescaleIntercept
    else:
        shown, ends = values, (values.min(), values.max())
    shown = (shown - float(ends[0])) / float(ends[1] - ends[0])
    return 1 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


@pytest.mark.parametrize(("photometric", "bits", "window", "rescale"), ENCODINGS)
def test_every_encoding_shows_the_same_film(tmp_path, photometric, bits, window, rescale):
    ds = write(
        tmp_path / "a.dcm", photometric=photometric, bits=bits, window=window, rescale=rescale
    )
    assert (ds.PhotometricInterpretation, ds.BitsStored, ds.BitsAllocated) == (
        photometric,
        bits,
        16,
    )
    assert ("WindowCenter" in ds) == window
    # Rounding to whole numbers, half a level, is all that may be lost.
    assert np.abs(displayed(ds) - FILM).max() < 0.51 / np.ptp(ds.pixel_array)
    assert np.ptp(ds.pixel_array) > 2 * 255


@pytest.mark.parametrize("bits", [10, 16])
def test_a_window_hides_headroom(tmp_path, bits):
    stored = write(tmp_path / "a.dcm", bits=bits, window=True).pixel_array
    full = 2**bits - 1
    assert stored.min() > 0.1 * full
    assert stored.max() < 0.9 * full
    stored = write(tmp_path / "b.dcm", bits=bits, window=False).pixel_array
    assert (stored.min(), stored.max()) == (0, full)


def test_monochrome1_is_stored_negative(tmp_path):
    stored = write(tmp_path / "a.dcm", photometric="MONOCHROME1").pixel_array
    assert stored[0, 0] > stored[-1, -1]


@pytest.mark.parametrize("window", [True, False])
@pytest.mark.parametrize("rescale", [(1.0, 0.0), (0.5, -100.0)])
def test_the_object_is_dx_only_where_dx_allows_it(tmp_path, window, rescale):
    ds = write(tmp_path / "a.dcm", photometric="MONOCHROME1", window=window, rescale=rescale)
    if window and rescale == (1.0, 0.0):
        assert ds.SOPClassUID == DigitalXRayImageStorageForPresentation
        assert (ds.Modality, ds.PresentationLUTShape) == ("DX", "INVERSE")
        assert (ds.RescaleSlope, ds.RescaleIntercept) == (1, 0)
    else:
        assert (ds.SOPClassUID, ds.Modality) == (ComputedRadiographyImageStorage, "CR")
    assert (ds.ViewPosition, ds.BodyPartExamined) == ("PA", "CHEST")
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


def test_same_film_same_bytes_and_other_film_other_uids(tmp_path):
    one = write(tmp_path / "a.dcm")
    write(tmp_path / "b.dcm")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    other = write(tmp_path / "c.dcm", film=FILM[::-1])
    for level in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert one[level].value != other[level].value
        assert one[level].value.is_valid
    assert str(one.PatientName) == "SYNTHETIC^patient_0001"


@pytest.mark.parametrize(
    ("film", "encoding", "said"),
    [
        (FILM * 1.01, {}, "outside"),
        (np.full((4, 4), np.nan), {}, "outside"),
        (FILM[None], {}, "shape"),
        (FILM, {"photometric": "RGB"}, "MONOCHROME2"),
        (FILM, {"bits": 8}, "10 to 16"),
        (FILM, {"rescale": (0.0, 0.0)}, "above 0"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, film, encoding, said):
    with pytest.raises(InputError, match=said):
        write(tmp_path / "a.dcm", film=film, **encoding)
    assert list(tmp_path.iterdir()) == []
