import re

import numpy as np
import pytest
from PIL import Image
from pydicom import DataElement, config
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from skosteo.dicom import RULES, check_ignore_rules, read_radiograph
from skosteo.exceptions import DicomError, InputError
from tests.films import bytes_of, dataset, film, gradient, lut


def made(stored=None, **elements):
    with config.disable_value_validation():  # writers are not strict either
        return bytes_of(dataset(gradient() if stored is None else stored, **elements))


def view_code(code):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    return [item]


LATERAL = [
    *("胸部侧位", "左侧位", "胸部侧位片", "胸部左斜位", "胸部側面", "右侧卧位"),
    *("Klatka piersiowa boczne", "klatka bok", "KLP BOCZNA", "skośne prawe"),
    *("Thorax-Seitaufnahme", "Seitenbild", "Thoraxseitlich", "Thorax schräg", "zweite Ebene"),
    "Linksseitenlage, Seitenlage",
]
FRONTAL = [
    *("胸部正位", "胸部正侧位", "胸部后前位", "胸部前后位 仰卧位", "左侧肋骨", "双侧"),
    *("Klatka piersiowa PA + bok", "klatka piersiowa", "tylno-przednie"),
    *(
        "Thorax a.p. liegend",
        "Thorax in zwei Ebenen",
        "beidseitl. Infiltrate",
        "linksseitl. Drainage",
    ),
]
ELSEWHERE = [
    *("膝关节", "腰椎", "胸椎", "骨盆", "左手", "腹部", "颅骨", "髋", "四肢"),
    *("KOLANO", "Kręgosłup piersiowy", "MIEDNICA", "Czaszka", "dłoń", "Łokieć", "biodro", "ręka"),
    *("stopa", "brzuch", "BARK"),
    *("SCHULTER", "Schädel", "Fuß", "Brustwirbelsäule", "Ellenbogen", "Hüfte", "Unterschenkel"),
    *("Oberarm", "EXTREMITÄT"),
]
CHEST = [
    "胸部",
    "胸腹部",
    "肺",
    "肋骨",
    "心脏",
    "Klatka piersiowa",
    "Płuca",
    "Brustkorb",
    "Thorax/Bauch",
]
# None: the bytes of the encoding, without a word of it
ENCODINGS = {"utf-8": "ISO_IR 192", "gb18030": None, "iso8859-2": "ISO_IR 101", "latin-1": None}


def said_in(text, element):
    """The film that says this, in every encoding that can."""
    for encoding, charset in ENCODINGS.items():
        try:
            value = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        if encoding == "gb18030" and not re.search("[\u4e00-\u9fff]", text):
            continue
        ds = dataset(gradient())
        if charset:
            ds.SpecificCharacterSet = charset
        # as bytes, since pydicom knows only what is declared
        ds.add(DataElement(element, "LO", value + b" " * (len(value) % 2), already_converted=True))
        yield bytes_of(ds)


@pytest.mark.parametrize("element", ["SeriesDescription", "ProtocolName", "ViewPosition"])
@pytest.mark.parametrize("text", LATERAL)
def test_lateral_in_other_languages(text, element):
    films = list(said_in(text, element))
    for data in films:
        with pytest.raises(DicomError, match="not frontal") as caught:
            read_radiograph(data)
        assert caught.value.rule == "view"
    assert films


@pytest.mark.parametrize("text", ELSEWHERE)
def test_other_parts_of_the_body_in_other_languages(text):
    films = list(said_in(text, "BodyPartExamined"))
    for data in films:
        with pytest.raises(DicomError, match="another part of the body") as caught:
            read_radiograph(data)
        assert caught.value.rule == "body_part"
    assert films


@pytest.mark.parametrize(
    ("text", "element"),
    [(text, "SeriesDescription") for text in FRONTAL]
    + [(text, "BodyPartExamined") for text in CHEST],
)
def test_frontal_chest_films_in_other_languages(text, element):
    for data in said_in(text, element):
        assert read_radiograph(data).pixels.shape == (64, 80)


@pytest.mark.parametrize(
    ("written", "view"),
    [
        *[(text, "PA") for text in ("POSTEROANTERIOR", "postero-anterior", "P.A.", "PA ")],
        *[(text, "AP") for text in ("ANTEROPOSTERIOR", "ANTERO_POSTERIOR", "A-P")],
        ("UPRIGHT", None),
    ],
)
def test_views_that_are_written_out(written, view):
    assert read_radiograph(made(ViewPosition=written)).facts["view_position"] == view


def two_frames():
    first, second = gradient(), np.flip(gradient())
    ds = dataset(first, NumberOfFrames=2)
    ds.PixelData += dataset(second).PixelData
    return bytes_of(ds)


def coloured():
    ds = dataset(gradient(), SamplesPerPixel=3, PhotometricInterpretation="RGB")
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PlanarConfiguration = 7, 0
    levels = (film(64, 80) * 255).astype("u1")
    ds.PixelData = np.stack([levels, levels // 2, levels // 3], axis=-1).tobytes()
    return bytes_of(ds)


def mostly(value, share):
    stored = gradient()
    flat = np.random.default_rng(0).permutation(stored.size) < share * stored.size
    stored.ravel()[flat] = value
    return stored


def half_black_half_white():
    stored = gradient()
    return np.where(np.arange(80) < 40, 0, 4095) + 0 * stored


BROKEN = {
    "modality CT": ("modality", lambda: made(Modality="CT"), "says CT"),
    "modality MR": ("modality", lambda: made(Modality="MR"), "says MR"),
    "modality US": ("modality", lambda: made(Modality="US"), "says US"),
    "modality OT": ("modality", lambda: made(Modality="OT"), "says OT"),
    "modality a name": ("modality", lambda: made(Modality="CANARY"), "does not say CR or DX"),
    "no modality, CT class": (
        "modality",
        lambda: made(SOPClassUID=CTImageStorage),
        "does not say CR or DX",
    ),
    "no modality, capture": (
        "modality",
        lambda: made(SOPClassUID=SecondaryCaptureImageStorage),
        "does not say CR or DX",
    ),
    "raw by intent": (
        "for_processing",
        lambda: made(PresentationIntentType="FOR PROCESSING"),
        "FOR PROCESSING",
    ),
    "raw by class": (
        "for_processing",
        lambda: made(SOPClassUID=DigitalXRayImageStorageForProcessing),
        "FOR PROCESSING",
    ),
    "abdomen": ("body_part", lambda: made(BodyPartExamined="ABDOMEN"), "ABDO"),
    "abdomen in words": ("body_part", lambda: made(BodyPartExamined="ABDOMEN AP"), "ABDO"),
    "hand": ("body_part", lambda: made(BodyPartExamined="HAND"), "HAND"),
    "left lateral": ("view", lambda: made(ViewPosition="LL"), "view is LL"),
    "lateral": ("view", lambda: made(ViewPosition="LATERAL"), "view is LATERAL"),
    "decubitus": ("view", lambda: made(ViewPosition="RLD"), "view is RLD"),
    "lateral by code": (
        "view",
        lambda: made(ViewCodeSequence=view_code(codes.cid4010.LeftLateral)),
        "view is LL",
    ),
    "lateral by description": (
        "view",
        lambda: made(SeriesDescription="Chest LAT"),
        "not frontal",
    ),
    "thoracic spine": ("body_part", lambda: made(BodyPartExamined="THORACIC SPINE"), "SPINE"),
    "arm": ("body_part", lambda: made(BodyPartExamined="ARM"), "ARM"),
    "oblique": ("view", lambda: made(ViewPosition="RAO"), "view is RAO"),
    "lateral with an underscore": ("view", lambda: made(SeriesDescription="W_CHEST_LAT"), "not fr"),
    "lateral in German": ("view", lambda: made(SeriesDescription="Thorax seitlich"), "not frontal"),
    "lateral in Spanish": ("view", lambda: made(SeriesDescription="TORAX PERFIL"), "not frontal"),
    "lateral by protocol": ("view", lambda: made(ProtocolName="Thorax lateral"), "not frontal"),
    "lateral in French": ("view", lambda: made(SeriesDescription="THORAX DE PROFIL"), "not f"),
    "lateral in one word": ("view", lambda: made(ProtocolName="CHESTLAT"), "not frontal"),
    "left lateral in letters": ("view", lambda: made(SeriesDescription="CXR LLAT"), "not frontal"),
    "lateral, whatever the series": (
        "view",
        lambda: made(ViewPosition="LEFT LATERAL", SeriesDescription="CHEST PA AND LATERAL"),
        "not frontal",
    ),
    "lateral beside a strange view": (
        "view",
        lambda: made(ViewPosition="UPRIGHT", SeriesDescription="CHEST LAT"),
        "not frontal",
    ),
    "an oblique series": ("view", lambda: made(SeriesDescription="Chest OBLIQUE"), "not frontal"),
    "a decubitus series": ("view", lambda: made(SeriesDescription="CHEST DECUB"), "not frontal"),
    **{
        f"with an accent in {encoding}": (
            "body_part",
            lambda encoding=encoding: made(
                SpecificCharacterSet=encoding, BodyPartExamined="CRÂNE", ProtocolName="Crâne"
            ),
            "CRANE",
        )
        for encoding in ("ISO_IR 192", "ISO_IR 100")
    },
    "in small letters": ("body_part", lambda: made(BodyPartExamined="Lumbar spine"), "LUMBAR"),
    "knee in Spanish": ("body_part", lambda: made(BodyPartExamined="RODILLA"), "RODILLA"),
    "burned in": ("burned_in", lambda: made(BurnedInAnnotation="YES"), "burned into"),
    "burned in, in short": ("burned_in", lambda: made(BurnedInAnnotation="Y"), "burned into"),
    "two frames": ("multi_frame", two_frames, "2 frames"),
    "colour": ("color", coloured, "in colour"),
    "too small": ("dimensions", lambda: made(gradient(40, 90)), "40 rows and 90 columns"),
    "too long": (
        "dimensions",
        lambda: made(gradient(10_001, 64)),
        "10001 rows and 64 columns",
    ),
    "blank": ("blank", lambda: made(np.full((64, 80), 7)), "blank"),
    "nearly blank": ("blank", lambda: made(mostly(7, 0.99)), "blank"),
    "blank in its window": (
        "blank",
        lambda: made(WindowCenter=60_000, WindowWidth=10),
        "blank",
    ),
    "12 bits saved as 16": (
        "dark",
        lambda: made(bits=16, WindowCenter=32768, WindowWidth=65536),
        "dark",
    ),
    "all white": (
        "bright",
        lambda: made(
            PhotometricInterpretation="MONOCHROME1", WindowCenter=32768, WindowWidth=65536
        ),
        "bright",
    ),
    "all white by a lookup table, but for padding": (
        "bright",
        lambda: made(
            mostly(4095, 0.1),
            PhotometricInterpretation="MONOCHROME1",
            VOILUTSequence=lut(0, np.arange(4096), 16),
            PixelPaddingValue=4095,
        ),
        "bright",
    ),
    "black and white": ("saturated", lambda: made(half_black_half_white()), "saturated"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_rule_refuses_by_its_name_and_is_lifted_by_it(case):
    rule, make, reason = BROKEN[case]
    with pytest.raises(DicomError, match=reason) as caught:
        read_radiograph(make(), ignore_rules=set(RULES) - {rule})
    assert caught.value.rule == rule
    assert f"ignore_rules=['{rule}']" in caught.value.remedy
    pixels = read_radiograph(make(), ignore_rules=[rule]).pixels
    assert pixels.min() >= 0
    assert pixels.max() <= 1


def test_every_rule_is_tested():
    assert {rule for rule, _, _ in BROKEN.values()} == set(RULES)


@pytest.mark.parametrize(
    "elements",
    [
        {"Modality": "CR"},
        {"Modality": "RG"},
        {"SOPClassUID": ComputedRadiographyImageStorage},
        {"PresentationIntentType": "FOR PRESENTATION"},
        {"BodyPartExamined": "CHEST"},
        {"BodyPartExamined": "CHEST_TO_PELVIS"},
        {"BodyPartExamined": "TORAX"},
        {"BodyPartExamined": ""},
        {"ViewPosition": "PA"},
        {"ViewPosition": "AP"},
        {"ViewPosition": ""},
        {"ViewCodeSequence": view_code(codes.cid4010.PosteroAnterior)},
        {"ViewPosition": "PA", "SeriesDescription": "lateral and PA"},
        {"ViewPosition": "PA", "SeriesDescription": "LAT"},
        {"SeriesDescription": "CHEST PA AND LATERAL"},
        {"SeriesDescription": "COLLATERAL FINDING"},
        {"SeriesDescription": "Thorax a.p./lat"},
        {"SeriesDescription": "CHEST 2 VIEWS LAT"},
        {"SeriesDescription": "Thorax ap liegend"},
        {"SeriesDescription": "Torax frente y perfil"},
        {"SeriesDescription": "LAT", "ViewPosition": "P.A."},
        {"SeriesDescription": "LATERALITY UNKNOWN"},
        {"SeriesDescription": "Thorax 2 Ebenen, lat"},
        {"SeriesDescription": "RX TORAX ANTERO-POSTERIOR E LATERAL"},
        {"BodyPartExamined": "CXR"},
        {"BodyPartExamined": "TÓRAX", "SpecificCharacterSet": "ISO_IR 192"},
        {"BodyPartExamined": "PORT CHEST"},
        {"BodyPartExamined": "LUNG ARM"},
        {"BodyPartExamined": "THORAX ABDOMEN"},
        {"BodyPartExamined": "ALARM"},
        {"BurnedInAnnotation": "NO"},
        {"NumberOfFrames": 1},
        {"NumberOfFrames": 0},  # as some writers say that there is no more than one
    ],
)
def test_right_films_are_read(elements):
    assert read_radiograph(made(**elements)).pixels.shape == (64, 80)


@pytest.mark.parametrize("shape", [(64, 64), (10_000, 64), (64, 10_000)])
def test_dimensions_at_their_limits(shape):
    assert read_radiograph(made(gradient(*shape))).pixels.shape == shape


def test_the_number_of_pixels_has_a_limit_of_its_own():
    ds = dataset(gradient(), Rows=6000, Columns=6000)
    with pytest.raises(DicomError, match="6000 rows") as caught:
        read_radiograph(bytes_of(ds))
    assert caught.value.rule == "dimensions"


def test_a_border_of_the_collimator_is_no_reason():
    stored = gradient()
    stored[:26] = stored[:, :30] = 0  # 3 of 4 pixels
    assert (stored == 0).mean() > 0.6
    read_radiograph(made(stored))


def test_lifted_frames_give_the_first():
    whole = read_radiograph(two_frames(), ignore_rules=["multi_frame"]).pixels
    np.testing.assert_array_equal(whole, read_radiograph(made()).pixels)


def test_lifted_colour_gives_luminance():
    levels = (film(64, 80) * 255).astype("u1")
    wanted = 0.299 * levels + 0.587 * (levels // 2) + 0.114 * (levels // 3)
    pixels = read_radiograph(coloured(), ignore_rules=["color"]).pixels
    np.testing.assert_allclose(pixels, wanted / 255, atol=1e-6)


def test_rules_hold_for_pictures_too(tmp_path):
    levels = (film() * 255).astype("u1")
    Image.fromarray(np.stack([levels, levels, levels // 2], axis=-1)).save(tmp_path / "a", "PNG")
    Image.fromarray(levels).save(
        tmp_path / "b", "TIFF", save_all=True, append_images=[Image.fromarray(levels // 2)]
    )
    Image.fromarray(levels[:50]).save(tmp_path / "c", "PNG")
    for name, rule in [("a", "color"), ("b", "multi_frame"), ("c", "dimensions")]:
        with pytest.raises(DicomError) as caught:
            read_radiograph(tmp_path / name)
        assert caught.value.rule == rule
        read_radiograph(tmp_path / name, ignore_rules=[rule])
    np.testing.assert_array_equal(
        read_radiograph(tmp_path / "b", ignore_rules=["multi_frame"]).to_uint8(70)[:, 3:67], levels
    )


@pytest.mark.parametrize(
    ("ignore_rules", "reason"),
    [
        ("view", r"one string; give a list: \['view'\]"),
        (["lateral"], "has 'lateral'; the rules are modality, "),
        ([3], "has 3; the rules are"),
        (None, "a NoneType; give a list"),
        ([["view"]], "a list; give a list of names"),
        (iter(["view"]), "a list_iterator; give a list of names"),
    ],
)
def test_unknown_rules(ignore_rules, reason):
    with pytest.raises(InputError, match=reason):
        check_ignore_rules(ignore_rules)
    with pytest.raises(InputError, match=reason):
        read_radiograph(b"", ignore_rules=ignore_rules)
