"""Nobody is named: canaries stand wherever a film may name somebody, and none is ever heard of.

Heard of: in log lines, warnings, output, errors, results, the report, the cache and fitted models.
A traceback is
searched without local variables, of which the film itself may be one.
"""

import base64
import io
import logging
import pickle
import traceback
import warnings
import zlib
from contextlib import contextmanager
from struct import pack

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin
from pydicom import config, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import MPEG2MPML

from skosteo.dicom import RULES, read_radiograph
from skosteo.exceptions import DicomError
from skosteo.image.reader import RadiographReader
from skosteo.presets import clinical_baseline, paper_clinical_classifier
from tests.films import bytes_of, dataset, lut
from tests.hostile.bombs import (
    ITEM,
    SEQUENCE_END,
    UNDEFINED,
    coded,
    deflated,
    endless,
    head,
    long,
    private,
    style,
    tag,
    with_frame,
)
from tests.hostile.seeds import MAKERS, is_dicom, meta_end, noise, seed, with_elements, with_size

# the attributes of PS3.15 table E.1-1 that films hold, and what skosteo reads beside them
UIDS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"]
TEXTS = [
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientIDs", "OtherPatientNames",
    "PatientBirthName", "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers",
    "PatientComments", "EthnicGroup", "Occupation", "MilitaryRank", "CurrentPatientLocation",
    "AdmissionID", "AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription",
    "ProtocolName", "RequestedProcedureDescription", "ImageComments", "InstitutionName",
    "InstitutionAddress", "InstitutionalDepartmentName", "ReferringPhysicianName",
    "PerformingPhysicianName", "OperatorsName", "RequestingPhysician", "StationName",
    "PerformedStationName", "DeviceSerialNumber", "DetectorID", "SoftwareVersions", "Manufacturer",
    "ManufacturerModelName", "BodyPartExamined", "ViewPosition", "Laterality", "ImageLaterality",
    "PresentationIntentType", "PresentationLUTShape", "WindowCenterWidthExplanation",
]  # fmt: skip
ELSEWHERE = [
    "sequence", "private", "view", "overlay", "codestream", "PNG", "EXIF", "JPEG", "TIFF", "folder",
    "file", "preamble", "wrong",
]  # fmt: skip
PLACES = [*TEXTS, *UIDS, "PatientBirthDate", *ELSEWHERE]


def canary(place):
    """A word, UID or date that stands in this place only."""
    number = PLACES.index(place)
    if place in UIDS:
        return f"1.2.826.0.1.4096{number:02}7531"
    return "19470213" if place == "PatientBirthDate" else f"QX{number:02}KANARI"


CANARIES = {place: canary(place) for place in PLACES}
WRONG = CANARIES["wrong"]


def forms(word):
    """How a word may be written, small letters throughout."""
    plain = word.lower().encode()
    for cased in {word, word.lower(), word.upper()}:
        for before in range(3):  # its place within three bytes
            start, end = (8 * before + 5) // 6, 8 * (before + len(word)) // 6
            yield base64.b64encode(bytes(before) + cased.encode())[start:end].lower()
        yield cased.encode().hex().encode()
    yield plain
    yield plain.decode().encode("utf-16-le")[:-1]  # and of the other byte order


FORMS = {place: set(forms(word)) for place, word in CANARIES.items()}


def heard(*said):
    """Places whose canary is in what was said."""
    whole = b"\n".join(
        part if isinstance(part, bytes) else str(part).encode(errors="surrogateescape")
        for part in said
    ).lower()
    return sorted(place for place in PLACES if any(form in whole for form in FORMS[place]))


# ---------------------------------------------------------------- planting


def planted(data, **values):
    """The DICOM film with a canary in every place of its header, and other values after that."""
    ds = dcmread(io.BytesIO(data))
    with config.disable_value_validation():
        for name in (*TEXTS, *UIDS, "PatientBirthDate"):
            ds.add_new(name, dictionary_VR(name), CANARIES[name])
        ds.file_meta.add_new("MediaStorageSOPInstanceUID", "UI", CANARIES["SOPInstanceUID"])
        request, view = Dataset(), Dataset()
        request.RequestedProcedureID = CANARIES["sequence"]
        view.CodeValue = view.CodeMeaning = CANARIES["view"]
        ds.RequestAttributesSequence, ds.ViewCodeSequence = [request], [view]
        block = ds.private_block(0x0019, CANARIES["private"], create=True)
        block.add_new(1, "LO", CANARIES["private"])
        ds.add_new(0x60003000, "OW", CANARIES["overlay"].encode())
        for name, value in values.items():
            vr, value = value if isinstance(value, tuple) else (dictionary_VR(name), value)
            ds.add_new(name, vr, value)
        buffer = io.BytesIO()
        ds.save_as(buffer)
    return CANARIES["preamble"].encode().ljust(128, b"\0") + buffer.getvalue()[128:]


def planted_frame(name, marker, comment):
    """The film with a comment in its compressed data, and in its header everything."""
    film = seed(name)
    start = film.index(marker)
    end = film.rindex(b"\xff\xd9") + 2
    text = CANARIES["codestream"].encode()
    at = start + len(marker) if marker == b"\xff\xd8" else film.index(b"\xff\x52")
    frame = film[start:at] + comment + pack(">H", len(text) + 4) + b"\0\1" + text + film[at:end]
    return planted(with_frame(name, frame, 96, 80)[0])


def exif():
    tags = Image.Exif()
    tags[ExifTags.Base.Artist] = tags[ExifTags.Base.ImageDescription] = CANARIES["EXIF"]
    return tags


def png(levels=None, **options):
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", CANARIES["PNG"])
    text.add_text("Author", CANARIES["PNG"], zip=True)
    text.add_itxt("Comment", CANARIES["PNG"])
    return saved("PNG", levels, pnginfo=text, exif=exif(), **options)


def jpeg(levels=None, **options):
    return saved("JPEG", levels, comment=CANARIES["JPEG"], exif=exif(), **options)


def tiff(levels=None, **options):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for number in (270, 271, 272, 285, 305, 315, 316, 33432):
        tags[number] = CANARIES["TIFF"]
    return saved("TIFF", levels, tiffinfo=tags, **options)


def saved(form, levels, **options):
    buffer = io.BytesIO()
    Image.fromarray(noise(8) if levels is None else levels).save(buffer, form, **options)
    return buffer.getvalue()


FILM = planted(seed("explicit"))
GOOD = {name: lambda name=name: planted(seed(name)) for name in MAKERS if is_dicom(seed(name))} | {
    "JPEG with a comment": lambda: planted_frame("JPEG baseline", b"\xff\xd8", b"\xff\xfe"),
    "JPEG-LS with a comment": lambda: planted_frame("JPEG-LS", b"\xff\xd8", b"\xff\xfe"),
    "JPEG 2000 with a comment": lambda: planted_frame("JPEG 2000", b"\xff\x4f", b"\xff\x64"),
    "PNG": png,
    "PNG of 16 bits": lambda: png(noise(16)),
    "JPEG": jpeg,
    "progressive JPEG": lambda: jpeg(progressive=True),
    "TIFF": tiff,
    "compressed TIFF": lambda: tiff(compression="tiff_lzw"),
}

# ---------------------------------------------------------------- damage


def said(**values):
    """The film with these values, each perhaps with a VR that lets it stand."""
    return lambda: planted(seed("explicit"), **values)


def without(*names):
    def film():
        ds = dcmread(io.BytesIO(FILM))
        for name in names:
            del ds[name]
        return bytes_of(ds)

    return film


def before_pixels(*parts):
    at = FILM.index(tag(0x7FE00010) + b"OW")
    return lambda: FILM[:at] + b"".join(parts) + FILM[at:]


def flat(level):
    ds = dataset(np.full((80, 80), level), Modality="DX")
    return lambda: planted(bytes_of(ds))


def other_syntax(uid):
    return lambda: FILM.replace(b"1.2.840.10008.1.2.1\0", uid.encode().ljust(20, b"\0"), 1)


def compressed_as(name, frame):
    return lambda: planted(with_frame(name, frame, 96, 80)[0])


def coloured(form):
    return lambda: form(np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8))


def pages():
    another = Image.fromarray(noise(8).T.copy())
    return tiff(save_all=True, append_images=[another])


WORDS = WRONG.encode()
LONG_TEXT = ("UT", (WRONG + " ") * 30_000)
DAMAGED = {
    # the file
    "text": lambda: "\n".join(CANARIES.values()).encode() * 9,
    "a program": lambda: b"MZ" + FILM[2:],
    "empty": lambda: b"",
    "cut in the preamble": lambda: FILM[:131],
    "cut behind the preamble": lambda: FILM[:140],
    "cut in the header": lambda: FILM[: len(FILM) // 2 - 60_000 + 12_000],
    "cut in a name": lambda: FILM[: FILM.index(CANARIES["PatientName"].encode()) + 3],
    "cut in the pixels": lambda: FILM[:-100],
    "no transfer syntax": lambda: FILM.replace(b"\x02\0\x10\0UI", b"\x02\0\x11\0UI"),
    "a strange transfer syntax": other_syntax(CANARIES["SOPInstanceUID"][:19]),
    "a transfer syntax in words": other_syntax(WRONG),
    "a film in motion": other_syntax(MPEG2MPML[:19]),
    "JPEG without fragments": other_syntax("1.2.840.10008.1.2.5"),
    "deflated rubbish": lambda: deflated()[0][: meta_end(seed("deflated"))] + WORDS * 9,
    "deflated canaries without end": lambda: deflated(WORDS, 61)[0],
    # its elements
    "a huge value": said(ProtocolName=LONG_TEXT),
    "too many elements": before_pixels(private(b"SQ", UNDEFINED), head(ITEM, 0) * 100_001),
    "too deep": before_pixels(endless(50, private(b"SQ", UNDEFINED))),
    "a value beyond the end": before_pixels(long(0x00991001, b"OB", 2**31), WORDS),
    "a VR that is none": before_pixels(pack("<HH", 0x0099, 0x1001), b"qx", WORDS),
    # its values
    "no pixels": without("PixelData"),
    "no rows": without("Rows"),
    "no depth": without("BitsStored"),
    "two rows": said(Rows=[96, 80]),
    "rows in words": said(Rows=("LO", WRONG)),
    "no size": said(Rows=0),
    "too small": said(Rows=10),
    "one bit": said(BitsAllocated=1, BitsStored=1, HighBit=0),
    "high bit": said(HighBit=40),
    "pixel representation": said(PixelRepresentation=7),
    "frames in words": said(NumberOfFrames=("LO", WRONG)),
    "two frames": said(NumberOfFrames=2),
    "another modality": said(Modality="MR"),
    "modality in words": said(Modality=WRONG),
    "for processing": said(PresentationIntentType="FOR PROCESSING"),
    "burned in": said(BurnedInAnnotation="YES"),
    "a knee": said(BodyPartExamined=("LO", f"KNEE {WRONG}")),
    "a lateral view": said(ViewPosition="LL"),
    "a lateral series": said(SeriesDescription=f"LAT {WRONG}"),
    "polarity in words": said(PhotometricInterpretation=WRONG),
    "two samples": said(SamplesPerPixel=2),
    "window in words": said(WindowCenter=("LO", WRONG), WindowWidth=("LO", WRONG)),
    "slope in words": said(RescaleSlope=("LO", WRONG), RescaleIntercept=("LO", WRONG)),
    "window function in words": said(WindowCenter=9, WindowWidth=9, VOILUTFunction=WRONG),
    "window too narrow": said(WindowCenter=9, WindowWidth=0.5),
    "window not finite": said(WindowCenter=("LO", "nan"), WindowWidth=("LO", "inf")),
    "slope not finite": said(RescaleSlope=("LO", "inf"), RescaleIntercept=("LO", "1")),
    "few entries": said(VOILUTSequence=lut(0, np.arange(100), 12, stated=200)),
    "entries beyond": said(VOILUTSequence=lut(0, np.arange(4096), 8)),
    # its pixels
    "another length": said(Columns=99),
    "much behind the pixels": lambda: FILM + WORDS * 300_000,
    "much behind compressed pixels": lambda: planted(seed("JPEG 2000")) + WORDS * 300_000,
    "blank": flat(700),
    "rubbish as RLE": compressed_as("RLE of 16 bits", WORDS * 99),
    "little RLE": compressed_as("RLE of 16 bits", WORDS),
    "rubbish as JPEG": compressed_as("JPEG baseline", WORDS * 99),
    "rubbish with an end": compressed_as("JPEG baseline", WORDS * 99 + b"\xff\xd9"),
    "rubbish within JPEG": compressed_as("JPEG baseline", seed("JPEG picture")[:200] + WORDS * 99),
    "rubbish as JPEG 2000": compressed_as("JPEG 2000", WORDS * 99 + b"\xff\xd9"),
    "much as JPEG 2000": compressed_as("JPEG 2000", WORDS * 200_000 + b"\xff\xd9"),
    "JPEG 2000 of another size": lambda: planted(with_size(seed("JPEG 2000"), 96, 99)),
    "JPEG 2000 in small parts": lambda: planted(coded(style(b"\0\0")[0], "instead")[0]),
    "two frames of JPEG": lambda: planted(with_elements(seed("JPEG baseline"), NumberOfFrames=2)),
    "no end of the fragments": lambda: planted(seed("JPEG 2000")).replace(
        head(SEQUENCE_END, 0), pack("<HHI", 0x0019, 0x1001, 0)
    ),
    # pictures
    "coloured PNG": coloured(png),
    "coloured JPEG": coloured(jpeg),
    "coloured TIFF": coloured(tiff),
    "a TIFF of two pages": pages,
    "TIFF of floats": lambda: tiff(noise(8).astype(np.float32)),
    "TIFF beyond 16 bits": lambda: tiff(noise(16).astype(np.int32) * 99),
    "blank PNG": lambda: png(noise(8) * 0),
    "small PNG": lambda: png(noise(8)[:9]),
    "saturated PNG": lambda: png(np.where(noise(8) > 99, 255, 0).astype(np.uint8)),
    **{
        f"cut {form.__name__}": lambda form=form: form()[: len(form()) // 2]
        for form in (png, jpeg, tiff)
    },
    "cut in the strips of a TIFF": lambda: tiff(compression="tiff_lzw").replace(
        pack("<HHI", 273, 4, 1), pack("<HHI", 273, 4, 9)
    ),
    "PNG with a bad checksum": lambda: png()[:29] + WORDS[:4] + png()[33:],
    "rubbish in a PNG": lambda: png().replace(b"IDAT", b"IDAT" + zlib.compress(WORDS * 9), 1),
    "rubbish in a TIFF": lambda: tiff()[:9] + WORDS * 9 + tiff()[9:],
}


# ---------------------------------------------------------------- listening


@contextmanager
def everything_logged(caplog):
    """Every logger that there is says everything."""
    caplog.set_level(0)
    loggers = [
        logger
        for logger in logging.root.manager.loggerDict.values()
        if isinstance(logger, logging.Logger)
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def told_by(error):
    """Yield all that an error says, those that led to it too."""
    yield from (*traceback.format_exception(error), repr(error), error.args, vars(error))
    yield from (getattr(error, name, "") for name in ("filename", "filename2", "__notes__"))
    for earlier in (error.__cause__, error.__context__):
        if earlier is not None:
            yield from told_by(earlier)


def told_by_reading(path, ignore_rules):
    """Yield all that comes of a film, right or not."""
    try:
        film = read_radiograph(path, ignore_rules=ignore_rules)
    except DicomError as error:
        yield from told_by(error)
        yield pickle.dumps(error)
    else:
        yield from (repr(film), str(film), pickle.dumps(film), pickle.dumps(film.facts))
        yield from (film.facts, vars(film), pickle.dumps(film), pickle.dumps(film.to_uint8(64)))


def told_by_reader(path, ignore_rules, cache):
    """Yield all that a reader tells and keeps of a film, right or not."""
    reader = RadiographReader(64, cache_dir=cache, errors="report", ignore_rules=ignore_rules)
    reader.transform([path])
    yield from (reader.report_.to_csv(), repr(reader.report_), reader.report_.to_dict())
    yield from (pickle.dumps(reader), repr(reader))
    try:
        RadiographReader(64, cache_dir=cache, ignore_rules=ignore_rules).transform([path])
    except DicomError as error:
        yield from told_by(error)
    for kept in cache.rglob("*"):
        yield kept.relative_to(cache)
        if kept.is_file():
            yield kept.read_bytes()


def all_told(path, cache, caplog, capfd):
    with everything_logged(caplog), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for ignore_rules in ((), tuple(RULES)):
            yield from told_by_reading(path, ignore_rules)
            yield from told_by_reader(path, ignore_rules, cache)
    yield from (vars(warning) for warning in warned)
    yield from (vars(record) | {"message": record.getMessage()} for record in caplog.records)
    yield from capfd.readouterr()


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / CANARIES["folder"]
    folder.mkdir()
    return folder / CANARIES["file"]


@pytest.mark.parametrize("case", GOOD)
def test_of_a_good_film_nothing_is_told(case, path, tmp_path, caplog, capfd):
    path.write_bytes(GOOD[case]())
    assert read_radiograph(path, ignore_rules=["color"]).pixels.size >= noise(8).size
    assert heard(*all_told(path, tmp_path / "cache", caplog, capfd)) == []


@pytest.mark.parametrize("case", DAMAGED)
def test_of_a_refused_film_nothing_is_told(case, path, tmp_path, caplog, capfd):
    path.write_bytes(DAMAGED[case]())
    with pytest.raises(DicomError):
        read_radiograph(path)
    assert heard(*all_told(path, tmp_path / "cache", caplog, capfd)) == []


@pytest.mark.parametrize("kind", ["missing", "folder", "unreadable", "impossible"])
def test_of_a_path_nothing_is_told(kind, path, tmp_path, caplog, capfd):
    if kind == "folder":
        path.mkdir()
    elif kind == "unreadable":
        path.symlink_to(path)  # to itself
    elif kind == "impossible":
        path = f"{path}\0"
    assert heard(*all_told(path, tmp_path / "cache", caplog, capfd)) == []


def test_initials_in_place_of_a_modality_are_not_told():
    with pytest.raises(DicomError) as caught:
        read_radiograph(planted(seed("explicit"), Modality="JD"))
    assert "JD" not in str(caught.value)


# ---------------------------------------------------------------- fitted models

NAMES = [f"Qzx{letter}{letter}vwkj" for letter in "abcdefghijklmnopqrst"]


def patients_named():
    """Reports and a ward's column that name twenty of 200 patients, with record numbers."""
    rng = np.random.default_rng(0)
    said = rng.choice(["Clear lungs.", "Aorta calcified.", "主动脉钙化。"], 200)
    text = [f"{NAMES[i]}, MRN 77{i:02}4096: {s}" if i < 20 else s for i, s in enumerate(said)]
    seen = [name if i < 18 else "ward" for i, name in enumerate([*NAMES, *[""] * 180])]
    X = pd.DataFrame({"xray_description": text, "seen_by": seen, "age": rng.normal(70, 9, 200)})
    return X, rng.permutation(np.resize([0, 1], 200))


def texts_within(thing, seen):
    """Yield every text that can be reached from an object, as a blind walk finds it."""
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    if isinstance(thing, str | bytes):
        yield thing if isinstance(thing, str) else thing.decode("latin-1")
    elif isinstance(thing, dict):
        for part in (*thing.keys(), *thing.values()):
            yield from texts_within(part, seen)
    elif isinstance(thing, list | tuple | set | frozenset) or (
        isinstance(thing, np.ndarray) and thing.dtype == object
    ):
        for part in thing:
            yield from texts_within(part, seen)
    elif isinstance(thing, pd.Series | pd.DataFrame | pd.Index):
        yield thing.to_csv() if hasattr(thing, "to_csv") else str(thing.tolist())
    else:
        yield from texts_within(getattr(thing, "__dict__", None) or {}, seen)


@pytest.mark.parametrize("name", ["logistic", "random_forest", "clinical"])
def test_a_fitted_model_names_no_patient(name):
    X, y = patients_named()
    if name == "clinical":
        model = paper_clinical_classifier(max_epochs=2, random_state=0)
    else:
        model = clinical_baseline(name, random_state=0)
    model.fit(X, y)
    stored = pickle.dumps(model).lower()
    walked = "\n".join(texts_within(pickle.loads(pickle.dumps(model)), {})).lower()
    assert "xray_description" in walked
    for i, who in enumerate(NAMES):
        for told in (who.lower(), f"77{i:02}4096"):
            assert not any(form in stored for form in forms(told))
        # nor in parts, of which it could be put together
        assert not any(who[j : j + 4].lower() in walked for j in range(len(who) - 3))
    # a walk that could find them does
    assert NAMES[0] in "".join(texts_within({"model": [X]}, {}))


# ---------------------------------------------------------------- the tests themselves


def test_the_canaries_are_planted():
    files = [make() for make in (*GOOD.values(), *DAMAGED.values())]
    assert len(set(CANARIES.values())) == len(PLACES) >= 40
    assert set(heard(*files)) >= set(PLACES) - {"folder", "file"}


@pytest.mark.parametrize("place", ["PatientName", "StudyInstanceUID", "PatientBirthDate"])
def test_a_canary_is_heard_in_every_form(place):
    word = CANARIES[place]
    for written in (word, word.lower(), word.title()):
        plain = f"some {written}!".encode()
        for form in (plain, plain.decode().encode("utf-16"), plain.decode().encode("utf-16-be")):
            assert heard(form) == [place]
        for before in ("", "a", "ab", "abc"):
            if written != word.title():
                encoded = base64.b64encode(before.encode() + plain)
                assert (
                    heard(encoded, plain.hex()) == heard(encoded) == heard(plain.hex()) == [place]
                )


def test_the_errors_come_from_many_places():
    """Not from one check again and again."""
    lines = set()
    for make in DAMAGED.values():
        with pytest.raises(DicomError) as caught:
            read_radiograph(make())
        lines.add(str(caught.traceback[-1].path) + str(caught.traceback[-1].lineno))
    assert len(lines) >= 40
