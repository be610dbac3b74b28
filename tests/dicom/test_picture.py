import logging
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from skosteo.dicom import picture as pictures
from skosteo.dicom import read_radiograph
from skosteo.exceptions import DicomError
from tests.films import film

STEP = 1 / 255


def picture(path, pixels, form, **options):
    Image.fromarray(pixels).save(path, form, **options)
    return path


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_lossless_pictures(form, dtype, tmp_path):
    top = np.iinfo(dtype).max
    levels = np.rint(film() * top).astype(dtype)
    path = picture(tmp_path / "film.jpg", levels, form)  # the name is wrong on purpose
    np.testing.assert_allclose(read_radiograph(path).pixels, levels / top, atol=1e-6)


def test_jpeg(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype("u1")
    path = picture(tmp_path / "film.png", smooth, "JPEG", quality=95)
    np.testing.assert_allclose(read_radiograph(path).pixels, smooth / 255, atol=3 * STEP)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_grey_in_other_modes(mode, tmp_path):
    levels = np.where(film() > 0.5, 255, 0).astype("u1")
    Image.fromarray(levels).convert(mode).save(tmp_path / "film", "PNG")
    with Image.open(tmp_path / "film") as image:
        assert image.mode == mode
    pixels = read_radiograph(tmp_path / "film", ignore_rules=["saturated"]).pixels
    np.testing.assert_allclose(pixels, levels / 255, atol=1e-6)


def tiff(values, bits, photometric):
    """A little-endian TIFF of one strip, written by hand from the TIFF 6.0 specification."""
    rows, columns = values.shape
    data = values.astype(f"<u{bits // 8}").tobytes()
    tags = [(256, columns), (257, rows), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, rows), (279, len(data))]
    fields = b"".join(
        tag.to_bytes(2, "little")
        + (4).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, value in tags
    )
    directory = len(tags).to_bytes(2, "little") + fields + bytes(4)
    return b"II*\0" + (8 + len(data)).to_bytes(4, "little") + data + directory


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_tiff_polarity(bits, white_is_zero, tmp_path):
    values = np.rint(film(64, 70) * (2**bits - 1)).astype(int)
    (tmp_path / "film").write_bytes(tiff(values, bits, 0 if white_is_zero else 1))
    wanted = values / (2**bits - 1)
    wanted = 1 - wanted if white_is_zero else wanted
    np.testing.assert_allclose(read_radiograph(tmp_path / "film").pixels, wanted, atol=1e-6)


def test_exif_orientation_is_ignored(tmp_path):
    levels = (film() * 255).astype("u1")
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / "film", levels, "PNG", exif=exif)
    assert read_radiograph(path).pixels.shape == levels.shape


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    def chunk(name, data):
        return (
            len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        )

    side = (12_000).to_bytes(4, "big")
    header = chunk(b"IHDR", side + side + bytes([8, 0, 0, 0, 0]))
    (tmp_path / "film").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    with pytest.raises(DicomError, match=r"12000 rows") as caught:
        read_radiograph(tmp_path / "film")
    assert caught.value.rule == "dimensions"


def test_threads_read_at_the_same_time_and_leave_warnings_and_loggers_alone(tmp_path, monkeypatch):
    path = picture(tmp_path / "film", np.rint(film() * 255).astype("u1"), "PNG")
    together, grey = threading.Barrier(3, timeout=60), pictures._grey

    def meet(*args):
        together.wait()
        assert logging.getLogger("PIL.Image").disabled
        warnings.warn("which may quote the file", stacklevel=1)  # silenced, or an error
        return grey(*args)

    monkeypatch.setattr(pictures, "_grey", meet)
    before = warnings.filters
    with ThreadPoolExecutor(3) as pool:
        films = list(pool.map(read_radiograph, 3 * [path]))
    assert all((film.pixels == films[0].pixels).all() for film in films)
    assert warnings.filters is before
    assert not logging.getLogger("PIL.Image").disabled
