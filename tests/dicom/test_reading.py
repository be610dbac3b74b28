import io
import logging
import os
import traceback
import warnings

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError, InputError, MissingFileError
from tests.films import CANARY, bytes_of, dataset, film, gradient, lut


def png(pixels, form="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def changed(**elements):
    return lambda: bytes_of(dataset(gradient(), **elements))


def without(name):
    ds = dataset(gradient())
    delattr(ds, name)
    return bytes_of(ds)


def two_frames():
    return bytes_of(
        dataset(gradient(), NumberOfFrames=2, PixelData=dataset(gradient()).PixelData * 2)
    )


def deflated(end):
    """The film with the end of its deflated data set made another."""
    return lambda: end(bytes_of(dataset(film() * 4095), DeflatedExplicitVRLittleEndian))


def j2k_cut():
    noise = np.random.default_rng(0).integers(0, 4096, (64, 64))
    ds = dataset(noise)
    ds.compress(JPEG2000Lossless)
    return bytes_of(ds, JPEG2000Lossless)[:-3000]


def encapsulated_rubbish():
    ds = dataset(gradient())
    ds.PixelData = encapsulate([CANARY.encode() * 50])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return bytes_of(ds, JPEG2000Lossless)


def mpeg():
    ds = dataset(gradient())
    ds.compress(RLELossless)
    return bytes_of(ds, MPEG2MPML)


def unknown_syntax():
    return bytes_of(dataset(gradient())).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.9.9.9\0")


GREY = (film() * 255).astype("u1")


def coloured(channel):
    levels = np.stack([GREY] * 3, axis=-1)
    levels[3, 4, channel] ^= 1
    return lambda: png(levels)


REFUSED = {
    "empty": (lambda: b"", "neither DICOM"),
    "text": (lambda: f"name,{CANARY}\n".encode() * 99, "neither DICOM"),
    "preamble only": (lambda: bytes(128) + b"DICM", "no transfer syntax"),
    "cut in the header": (lambda: bytes_of(dataset(gradient()))[:400], "no pixel data"),
    "cut in the pixels": (
        lambda: bytes_of(dataset(gradient()))[:-100],
        "10140 bytes.*64 rows x 80 columns need 10240",
    ),
    "cut JPEG 2000": (j2k_cut, "ends behind the end of the file"),
    "rubbish in JPEG 2000": (encapsulated_rubbish, "no end marker"),
    "unknown transfer syntax": (unknown_syntax, "transfer syntax is unknown"),
    "too many bytes": (changed(PixelData=bytes(700)), "700 bytes.*need 10240"),
    "content behind the pixels": (
        changed(PixelData=dataset(gradient()).PixelData + b"\0\1" * 50),
        "10340 bytes.*need 10240",
    ),
    "cut deflated": (deflated(lambda data: data[:-60]), "is cut off"),
    "rubbish deflated": (
        deflated(lambda data: data[:-300] + data[-200:] + data[-300:-200]),
        "cannot be expanded|is cut off",  # as zlib notices it or not
    ),
    "much behind deflated": (deflated(lambda data: data + bytes(2**20 + 2)), "other content"),
    "two frames": (two_frames, "2 frames"),
    "frames of rubbish": (
        lambda: bytes_of(dataset(gradient(), NumberOfFrames=2)).replace(
            b"IS\x02\x002 ", b"IS\x02\x001A"
        ),
        "NumberOfFrames is not a whole number",
    ),
    "MPEG": (mpeg, "MPEG2 Main Profile.*as JPEG 2000"),
    "rgb": (changed(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "RGB with 3 samples"),
    "identity as kind": (
        lambda: bytes_of(dataset(gradient())).replace(b"MONOCHROME2 ", b"CANARY_PATIE"),
        "another kind",
    ),
    "palette": (changed(PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR"),
    "no pixels": (lambda: without("PixelData"), "no pixel data"),
    "no rows": (lambda: without("Rows"), "Rows has 0 values"),
    "one bit": (changed(BitsAllocated=1, BitsStored=1, HighBit=0), "1 of 1 bits"),
    "32 bits": (changed(BitsAllocated=32, BitsStored=32, HighBit=31), "32 of 32 bits"),
    "high bit": (changed(HighBit=16), "HighBit"),
    "blank": (lambda: bytes_of(dataset(np.full((80, 80), 7))), "blank"),
    "blank in its window": (changed(WindowCenter=60000, WindowWidth=10), "blank"),
    "window too narrow": (changed(WindowCenter=5, WindowWidth=0.5), "0.5 is too small"),
    "window function": (
        lambda: bytes_of(
            dataset(gradient(), WindowCenter=5, WindowWidth=9, VOILUTFunction="SIGMOID")
        ).replace(b"SIGMOID ", b"CANARY_P"),
        "VOILUTFunction",
    ),
    "slope not finite": (changed(RescaleSlope=1e300, RescaleIntercept=0), "finite"),
    "short LUT": (
        changed(VOILUTSequence=lut(0, np.arange(100), 12, stated=200)),
        "200 entries of 12 bits and holds 100",
    ),
    "LUT beyond its bits": (changed(VOILUTSequence=lut(0, np.arange(4096), 8)), "8 bits"),
    **{f"colour in channel {c}": (coloured(c), "colour") for c in range(3)},
    "two pages": (
        lambda: png(GREY, "TIFF", save_all=True, append_images=[Image.fromarray(GREY.T)]),
        "several pictures",
    ),
    "float TIFF": (lambda: png(GREY.astype("f4"), "TIFF"), "mode F"),
    "32-bit TIFF": (lambda: png(GREY.astype("i4") * 1000, "TIFF"), "beyond 0 to 65535"),
    "cut PNG": (lambda: png(GREY)[:-60], "decoded"),
    "cut JPEG": (lambda: png(GREY, "JPEG")[:-60], "decoded"),
    "blank PNG": (lambda: png(GREY * 0), "blank"),
    "GIF": (lambda: png(GREY, "GIF"), "neither DICOM"),
}


def assert_silent_about(error, *secrets):
    told = "".join(traceback.format_exception(error))
    for secret in secrets:
        assert secret not in told


@pytest.mark.parametrize("case", REFUSED)
def test_refused_without_identity(case, tmp_path, caplog):
    make, reason = REFUSED[case]
    path = tmp_path / "Secret_Name.dcm"
    path.write_bytes(make())
    with caplog.at_level(logging.DEBUG), pytest.raises(DicomError, match=reason) as caught:
        read_radiograph(path)
    assert_silent_about(caught.value, "Secret_Name", "Canary", "CANARY")
    assert caplog.text == ""


def test_every_refused_kind_of_pydicom_file():
    for name in ["rtplan.dcm", "test-SR.dcm", "liver_1frame.dcm", "rtdose.dcm", "MR_truncated.dcm"]:
        with pytest.raises(DicomError):
            read_radiograph(get_testdata_file(name, download=False))


def test_missing_file(tmp_path):
    path = tmp_path / "Secret_Name.dcm"
    with pytest.raises(FileNotFoundError, match="does not exist") as caught:
        read_radiograph(path)
    assert isinstance(caught.value, MissingFileError)
    assert_silent_about(caught.value, "Secret_Name")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DicomError, match="a folder or a device"):
        read_radiograph(tmp_path / "pipe")


def test_bytes_are_read_like_the_file(tmp_path):
    data = bytes_of(dataset(gradient()))
    (tmp_path / "film").write_bytes(data)
    wanted = read_radiograph(tmp_path / "film").pixels
    for content in (data, bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(read_radiograph(content).pixels, wanted)


@pytest.mark.parametrize("film", [None, 3, ["film.dcm"], np.zeros((9, 9))])
def test_what_is_neither_path_nor_bytes(film):
    with pytest.raises(InputError, match=f"is a {type(film).__name__}; give a path or bytes"):
        read_radiograph(film)


def test_folder_and_impossible_path(tmp_path):
    with pytest.raises(DicomError, match="folder"):
        read_radiograph(tmp_path)
    with pytest.raises(DicomError, match="cannot be opened"):
        read_radiograph("Secret\0Name")


def test_global_state_is_left_alone(tmp_path, monkeypatch):
    """A film with a broken value of another element is read, in silence."""
    data = bytes_of(dataset(gradient())).replace(b"1.2.3\0", b"1.x.3\0")
    (tmp_path / "film").write_bytes(data)
    logger = logging.getLogger("pydicom")
    monkeypatch.setattr(logger, "level", logging.INFO)
    filters = list(warnings.filters)
    assert read_radiograph(str(tmp_path / "film")).pixels.shape == (64, 80)
    assert logger.level == logging.INFO
    assert list(warnings.filters) == filters
